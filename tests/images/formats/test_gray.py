"""How deep gray values become 8 bits: the window that was chosen, or that of the values without a CT's padding."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fewscan.datasets.importing import import_scans, summary
from fewscan.images.formats.gray import BLOWN_OUT, CT_WITHOUT_WINDOW, to_8_bit, window, windowed
from fewscan.images.formats.reading import NAMED_WINDOWS, Reading, Window
from fewscan.images.readers import read_image

BRAIN = Window(center=40, width=80)
# Hounsfield units that must be told apart: of cerebrospinal fluid, an infarct, brain and a fresh bleed.
TISSUES = {"fluid": 8, "infarct": 24, "brain": 30, "bleed": 70}
EXPECTED = [round(value / 80 * 255) for value in TISSUES.values()]


def head() -> np.ndarray:
    """A slice of a CT, 16 x 24: air around a skull, in it four tissues side by side in row 8."""
    values = np.full((16, 24), -1000, np.int16)
    values[3:13, 3:21] = 1000
    values[4:12, 4:20] = 30
    for number, value in enumerate(TISSUES.values()):
        values[6:10, 4 + 4 * number : 8 + 4 * number] = value
    return values


def tissues(pixels: np.ndarray) -> list[int]:
    return [int(pixels[8, 6 + 4 * number]) for number in range(4)]


def stored(folder: Path, kind: str) -> Path:
    path = folder / f"head.{kind}"
    if kind == "npy":
        np.save(path, head())
    elif kind == "png":  # which has no sign, so that CTs come with an offset
        PIL.Image.fromarray((head() + 1024).astype(np.uint16)).save(path)
    else:
        PIL.Image.fromarray(head().astype(np.int32 if kind == "tif" else np.float32)).save(folder / "head.tif")
        path = folder / "head.tif"
    return path


@pytest.mark.parametrize(("kind", "center"), [("npy", 40), ("png", 1064), ("tif", 40), ("float tif", 40)])
def test_through_the_brain_window_tissues_have_the_grays_of_their_hounsfield_units(tmp_path, kind, center):
    image = read_image(stored(tmp_path, kind), reading=Reading(window=f"{center},80"))
    assert tissues(image.pixels) == EXPECTED
    assert image.pixels[0, 0] == 0
    assert image.notes == ()


def test_a_window_leaves_8_bits_and_color_as_they_are(tmp_path):
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    PIL.Image.fromarray(gray).save(tmp_path / "gray.png")
    np.testing.assert_array_equal(read_image(tmp_path / "gray.png", reading=Reading(window="brain")).pixels, gray)
    color = np.stack([gray, gray.T, gray], axis=2).astype(np.uint16) * 200
    np.testing.assert_array_equal(to_8_bit(color, BRAIN).pixels, to_8_bit(color).pixels)


def test_values_of_ct_without_a_window_and_values_a_window_is_not_meant_for_are_noted():
    assert to_8_bit(head()).notes == (CT_WITHOUT_WINDOW,)
    assert to_8_bit(head() + 1024).notes == ()
    assert to_8_bit(head(), BRAIN).notes == ()
    assert to_8_bit(head() + 1024, BRAIN).notes == (BLOWN_OUT,)


@pytest.mark.parametrize("padding", [-3024, -2000])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_a_cts_padding_gives_no_window(padding, dtype):
    padded = head().astype(dtype)
    padded[:, :2] = padding
    padded[0, 3] = -1500  # where the edge was resampled
    assert window(padded) == window(head()[:, 2:])


def test_values_that_reach_as_low_without_a_gap_are_no_padding():
    phase = np.linspace(-4096, 4095, 4096).round().astype(np.int16)
    phase[:200] = -4096
    assert window(phase)[0] == -4096
    assert window(np.full(9, -2000, np.int16)) == (-2000, -2000)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_the_window_of_values_is_numpys_percentiles_counted_or_not(dtype):
    values = np.random.default_rng(0).integers(0, 120, (40, 41)).astype(dtype)
    expected = np.percentile(values, (0.1, 99.9))
    assert window(values) == pytest.approx(expected)
    levels, counts = np.unique(values, return_counts=True)
    shuffled = np.random.default_rng(1).permutation(len(levels))
    assert window(levels[shuffled], counts[shuffled]) == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMED_WINDOWS)
def test_a_named_window_is_its_center_and_width(name):
    center, width = NAMED_WINDOWS[name]
    named = Reading(window=name).window
    assert named == Reading(window=f"{center}, {width}").window == Window(center=center, width=width)
    black, white = named.limits
    np.testing.assert_array_equal(
        windowed(np.array([black - 1, black, center, white, white + 1]), black, white), [0, 0, 128, 255, 255]
    )


@pytest.mark.parametrize("written", ["40", "head", "40,0", "40,-80", "nan,80", "1,2,3", ""])
def test_what_is_no_window_is_refused(written):
    with pytest.raises(ValueError, match="window"):
        Reading(window=written)


def test_what_is_seen_while_pixels_are_read_is_kept_and_counted(tmp_path):
    for number in range(3):
        (tmp_path / "in").mkdir(exist_ok=True)
        np.save(tmp_path / "in" / f"{number}.npy", head() + number * 1024)
    dataset = import_scans([str(tmp_path / "in")], tmp_path / "out", size_px=8)
    (note,) = summary(dataset.snapshot()).notes
    assert (note.note, note.images, note.example) == (CT_WITHOUT_WINDOW, 1, "0.npy")
    assert dataset.description.spec.window is None
    shown = import_scans([str(tmp_path / "in")], tmp_path / "shown", size_px=8, window="brain")
    assert shown.description.spec.window == BRAIN
    assert shown.snapshot().description.fingerprint != dataset.snapshot().description.fingerprint
