"""NIfTI: slices of a plane as they are looked at, however the volume was stored."""

import gzip
import itertools
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.images import readers
from fewscan.images.formats.gray import BLOWN_OUT, CT_WITHOUT_WINDOW
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.listing import list_scans
from fewscan.images.options import ImageSpec, ImportOptions
from fewscan.images.readers import Image, read_image, read_images
from fewscan.images.sources import ScanFile, Source

SHIPPED = Path(nibabel.__file__).parent / "tests" / "data"
# Where the displayed row and column axes of each plane lie in a canonical volume, and which axis the slices are counted on.
PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}


def saved(volume: np.ndarray, path: Path, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4) if affine is None else affine), path)
    return path


def listed(folder: Path, **options: object) -> list[ScanFile]:
    return list_scans([Source("in", folder)], ImportOptions(**options))


def head(shape: tuple[int, int, int] = (12, 14, 16)) -> np.ndarray:
    """A bright ball with a gradient in a dark box, so that no two axes look alike."""
    grid = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    ball = sum(axis**2 for axis in grid) < 0.7
    return np.where(ball, 800 + 100 * grid[0] + 150 * grid[1] + 200 * grid[2], 0).astype(np.int16)


def windowed(values: np.ndarray, volume: np.ndarray) -> np.ndarray:
    black, white = np.percentile(volume, (0.1, 99.9))
    return np.rint(np.clip((values - black) / (white - black), 0, 1) * 255)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("name", ["anatomical.nii", "reoriented_anat_moved.nii"])
def test_slices_are_those_of_nibabels_canonical_array_flipped_for_the_eye(tmp_path, name, plane):
    (tmp_path / name).write_bytes((SHIPPED / name).read_bytes())
    volume = nibabel.as_closest_canonical(nibabel.load(SHIPPED / name)).get_fdata(dtype=np.float32)
    scans = listed(tmp_path, plane=plane, slices="all")
    assert [scan.part for scan in scans] == [f"{plane}={number}" for number in range(volume.shape[PLANES[plane]])]
    with_content = [number for number in range(len(scans)) if np.ptp(np.moveaxis(volume, PLANES[plane], 0)[number])]
    for number in (with_content[0], 7, with_content[-1]):
        image = read_image(scans[number].path, part=scans[number].part)
        expected = windowed(np.moveaxis(volume, PLANES[plane], 0)[number][::-1, ::-1].T, volume)
        assert np.abs(image.pixels - expected).max() <= 1


def test_the_patients_right_is_on_the_left_and_front_and_head_are_up(tmp_path):
    volume = np.zeros((5, 6, 7), np.uint8)
    volume[4, 5, 6] = 255  # the voxel that is most to the right, to the front and to the head
    path = saved(volume, tmp_path / "corner.nii")
    for part in ("axial=6", "coronal=5", "sagittal=4"):
        pixels = read_image(path, part=part).pixels
        assert pixels[0, 0] > 0
        assert np.count_nonzero(pixels) == 1
    assert read_image(path, part="axial=6").pixels.shape == (6, 5)
    assert read_image(path, part="coronal=5").pixels.shape == (7, 5)
    assert read_image(path, part="sagittal=4").pixels.shape == (7, 6)


@pytest.mark.slow
def test_a_volume_stored_in_any_axis_order_and_direction_gives_the_same_slices(tmp_path):
    volume = head((6, 7, 8))
    reference = nibabel.Nifti1Image(volume, np.diag([1.0, 1.0, 1.0, 1.0]))
    expected: dict[str, list[tuple[str | None, str]]] = {}
    stored = itertools.product(itertools.permutations(range(3)), itertools.product([1, -1], repeat=3))
    # Each plane in every third: eight directions of an order of axes are no multiple of three, so that each has every order.
    for plane, (axes, flips) in zip(itertools.cycle(PLANES), stored, strict=False):
        turned = reference.as_reoriented(np.array(list(zip(axes, flips, strict=True))))
        nibabel.save(turned, tmp_path / "scan.nii")
        scans = listed(tmp_path, plane=plane)
        images = read_images(scans, ImageSpec(size_px=8, resize="pad", channels=1), workers=1)
        got = [(scan.part, image.pixels_sha256) for scan, image in zip(scans, images, strict=True)]
        assert got == expected.setdefault(plane, got)
    assert [len(slices) for slices in expected.values()] == [len({digest for _, digest in of}) for of in expected.values()]
    assert len(expected) == 3


def test_only_slices_that_hold_brain_are_listed_unless_all_are_asked_for(tmp_path):
    volume = np.zeros((10, 10, 6), np.int16)
    volume[:, :1, 2] = 100  # a tenth of the slice
    volume[:3, :3, 3] = 100  # less
    volume[:, :, 4] = 100
    volume[:, :, 5] = 5  # too dark
    saved(volume, tmp_path / "in/scan.nii.gz")
    assert [scan.relative for scan in listed(tmp_path / "in")] == ["scan.nii.gz#axial=2", "scan.nii.gz#axial=4"]
    assert len(listed(tmp_path / "in", slices="all")) == 6


def test_the_background_of_a_volume_that_was_scaled_to_a_mean_of_0_is_no_brain(tmp_path):
    """As tools that strip the skull leave them: outside 0, inside a mean of 0."""
    volume = np.zeros((20, 20, 8), np.float32)
    volume[4:16, 4:16, 3:6] = np.random.default_rng(0).standard_normal((12, 12, 3))
    saved(volume, tmp_path / "in/scan.nii")
    assert [scan.part for scan in listed(tmp_path / "in")] == ["axial=3", "axial=4", "axial=5"]


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "truncated or damaged: "),
        (np.zeros((4, 4)), "truncated or damaged: "),
    ],
)
def test_a_volume_that_lies_nowhere_in_space_is_set_aside(tmp_path, form, reason):
    image = nibabel.Nifti1Image(head(), np.eye(4))
    image.set_sform(np.array(form, float), 1)
    (tmp_path / "in").mkdir()
    nibabel.save(image, tmp_path / "in/scan.nii")
    (scan,) = listed(tmp_path / "in")
    assert scan.set_aside.startswith(reason)


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 5), (np.int16, 7), (np.float32, 11), (np.float64, 11)])
def test_a_volume_takes_little_more_memory_than_its_values_and_a_sorted_copy(tmp_path, dtype, most):
    random = np.random.default_rng(0).integers(0, 200, (80, 80, 80))
    path = saved(random.astype(dtype), tmp_path / "scan.nii.gz")
    read_image(path, part="axial=1")  # what is imported on the way does not count
    tracemalloc.start()
    try:
        listed(tmp_path)
        read_image(path, part="axial=1")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most * random.size


@pytest.mark.parametrize(
    ("all_of", "one_of", "reason", "option"),
    [(0, 0, "blank: ", ""), (7, 7, "blank: ", ""), (0, 100, "no brain: ", "--slices all")],
)
def test_a_blank_volume_is_set_aside_and_says_what_would_help(tmp_path, all_of, one_of, reason, option):
    values = np.full((5, 5, 5), all_of, np.int16)
    values[2, 2, 2] = one_of
    saved(values, tmp_path / "in/scan.nii")
    (scan,) = listed(tmp_path / "in")
    assert scan.set_aside is not None
    assert scan.set_aside.startswith(reason)
    assert option in scan.set_aside


def test_one_window_serves_the_whole_volume(tmp_path):
    volume = head().astype(np.float32)
    volume[:, :, 8] *= 0.25
    path = saved(volume, tmp_path / "scan.nii")
    assert read_image(path, part="axial=8").pixels.max() < 0.3 * read_image(path, part="axial=7").pixels.max()


def test_voxels_that_are_no_squares_are_resampled_to_the_shorter_side(tmp_path):
    volume = np.zeros((10, 12, 8), np.int16)
    volume[2:8, 3:9, 2:6] = 500
    path = saved(volume, tmp_path / "scan.nii", np.diag([1.0, 2.0, 3.0, 1.0]))
    assert read_image(path, part="axial=3").pixels.shape == (24, 10)
    assert read_image(path, part="coronal=5").pixels.shape == (24, 10)
    sagittal = read_image(path, part="sagittal=4")
    assert sagittal.pixels.shape == (12, 12)
    assert (sagittal.height_px, sagittal.width_px) == (12, 12)
    # The box is 6 mm x 12 mm from above, and 12 x 6 pixels of 1 mm.
    assert abs((read_image(path, part="axial=3").pixels > 127).sum() - 12 * 6) <= 6


def test_slope_byte_order_zip_and_version_do_not_matter(tmp_path):
    volume = head()
    one = nibabel.Nifti1Image(volume, np.eye(4))
    nibabel.save(one, tmp_path / "plain.nii")
    nibabel.save(nibabel.Nifti2Image(volume, np.eye(4)), tmp_path / "two.nii")
    big = nibabel.Nifti1Header(endianness=">")
    big.set_data_dtype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4), big), tmp_path / "big.nii")
    (tmp_path / "zipped.nii.gz").write_bytes(gzip.compress((tmp_path / "plain.nii").read_bytes()))
    (tmp_path / "nameless").write_bytes((tmp_path / "plain.nii").read_bytes())
    images = {path.name: read_image(path, part="axial=8") for path in sorted(tmp_path.iterdir())}
    assert len(images) == 5
    assert len({image.pixels_sha256 for image in images.values()}) == 1
    one.header.set_slope_inter(0.5, 10)
    nibabel.save(one, tmp_path / "scaled.nii")
    scaled = read_image(tmp_path / "scaled.nii", part="axial=8").pixels.astype(int)
    assert np.abs(scaled - images["plain.nii"].pixels).max() <= 1


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.mgz"])
def test_a_zipped_volume_whose_sum_is_another_is_set_aside(tmp_path, name):
    image = nibabel.MGHImage if name.endswith(".mgz") else nibabel.Nifti1Image
    nibabel.save(image(head().astype(np.float32), np.eye(4)), tmp_path / name)
    assert read_image(tmp_path / name, part="axial=8").width_px == 12
    content = bytearray((tmp_path / name).read_bytes())
    content[-8] ^= 1  # as damage does that is inflated into other values
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableImage, match="truncated or damaged: "):
        read_image(tmp_path / name, part="axial=8")


def test_nan_is_no_value_and_becomes_black(tmp_path):
    volume = head().astype(np.float32)
    plain = read_image(saved(volume, tmp_path / "plain.nii"), part="axial=8").pixels
    volume[:, :2] = np.nan
    pixels = read_image(saved(volume, tmp_path / "holes.nii"), part="axial=8").pixels
    assert not pixels[-2:].any()
    assert pixels.shape == plain.shape


def volumes() -> dict[str, np.ndarray]:
    endless = head().astype(np.float32)
    endless[1, 1, 1] = np.inf
    return {
        "more than one volume: it has 3": np.zeros((4, 5, 6, 3), np.int16),
        "not gray": np.zeros((4, 5, 6), np.complex64),
        "not finite": endless,
    }


@pytest.mark.parametrize("reason", volumes())
def test_what_is_no_single_gray_volume_is_set_aside(tmp_path, reason):
    saved(volumes()[reason], tmp_path / "in/scan.nii")
    (scan,) = listed(tmp_path / "in")
    assert scan.set_aside.startswith(reason)
    (result,) = read_images([scan], ImageSpec(size_px=8, resize="pad", channels=1))
    assert isinstance(result, UnreadableImage)
    assert result.reason == scan.set_aside
    assert result.sha256


def test_a_fourth_dimension_of_one_is_none(tmp_path):
    path = saved(head()[..., np.newaxis], tmp_path / "scan.nii")
    np.testing.assert_array_equal(
        read_image(path, part="axial=8").pixels, read_image(saved(head(), tmp_path / "3d.nii"), part="axial=8").pixels
    )


def test_slices_come_in_order_and_are_one_patients_and_a_csv_may_name_volume_or_slice(tmp_path):
    for name in ("a", "b"):
        saved(head(), tmp_path / f"in/{name}.nii.gz")
    scans = listed(tmp_path / "in")
    numbers = [int(str(scan.part).split("=")[1]) for scan in scans if scan.path.name == "a.nii.gz"]
    assert numbers == sorted(numbers)
    assert len(numbers) > 10
    assert {scan.patient for scan in scans if scan.path.name == "a.nii.gz"} == {"file a.nii.gz"}
    table = tmp_path / "labels.csv"
    table.write_text("path,label,patient\nin/a.nii.gz,glioma,p1\nin/a.nii.gz#axial=9,no_tumor,p1\nin/a.nii.gz#axial=99,x,p1\n")
    labeled = list_scans([Source("in", tmp_path / "in")], ImportOptions(labels=[table]))
    by_path = {scan.relative: scan for scan in labeled}
    assert by_path["a.nii.gz#axial=8"].label == "glioma"
    assert by_path["a.nii.gz#axial=9"].label == "no_tumor"
    assert {scan.patient for scan in labeled if scan.path.name == "a.nii.gz"} == {"p1"}
    assert by_path["b.nii.gz#axial=9"].label is None
    assert by_path["b.nii.gz#axial=9"].patient == "file b.nii.gz"
    assert by_path["a.nii.gz#axial=99"].set_aside.startswith("no such image: ")
    assert [scan.relative for scan in labeled if scan.set_aside is None] == [scan.relative for scan in scans]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_volume_is_read_once_for_all_its_slices(tmp_path, monkeypatch, workers):
    for name in ("a", "b", "c"):
        saved(head(), tmp_path / f"in/{name}.nii")
    asked = []
    monkeypatch.setattr(readers, "guarded", lambda read, task, *how: (asked.append(task.path.name), read(task, *how))[1])
    scans = listed(tmp_path / "in")
    images = list(read_images(scans, ImageSpec(size_px=8, resize="pad", channels=1), workers=workers))
    assert sorted(asked) == ["a.nii", "b.nii", "c.nii"]
    for scan, image in zip(scans, images, strict=True):
        alone = read_image(scan.path, part=scan.part)
        assert image.pixels_sha256 == alone.pixels_sha256


CONTENT = (SHIPPED / "standard.nii.gz").read_bytes()


@pytest.mark.slow
@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_read_or_set_aside_and_never_a_crash(tmp_path, data):
    zipped = data.draw(st.booleans())
    content = bytearray(CONTENT if zipped else gzip.decompress(CONTENT))
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"in/scan.nii{'.gz' if zipped else ''}"
    path.parent.mkdir(exist_ok=True)
    for other in path.parent.iterdir():
        other.unlink()
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    scans = listed(path.parent, slices=data.draw(st.sampled_from(["all", "brain"])))
    for result in read_images(scans, ImageSpec(size_px=8, resize="pad", channels=1), workers=1):
        assert isinstance(result, Image) or ("\n" not in result.reason and result.sha256)


def test_of_several_volumes_the_one_that_is_asked_for_is_read_in_every_type(tmp_path):
    first, second = head(), head() * 3 + 1
    for stored in (np.int16, np.float64, np.int64):
        saved(second, tmp_path / "one/scan.nii.gz")
        volumes = np.stack([first, second], axis=-1).astype(stored)
        nibabel.save(nibabel.Nifti1Image(volumes, np.eye(4), dtype=stored), tmp_path / "scan.nii.gz")
        (alone,) = (scan for scan in listed(tmp_path / "one") if scan.part == "axial=8")
        expected = read_image(alone.path, part="axial=8").pixels
        got = read_image(tmp_path / "scan.nii.gz", part="axial=8", reading=Reading(volume=1)).pixels
        np.testing.assert_array_equal(got, expected)
    aside = {volume: listed(tmp_path, volume=volume)[-1].set_aside for volume in (None, 1, 2)}
    assert aside[1] is None
    assert aside[None] == "more than one volume: it has 2; import --volume INDEX takes one of them, counted from 0"
    assert aside[2] == "no such volume: --volume 2, but it has 0 to 1"


def test_a_file_of_one_volume_is_read_whichever_is_asked_for(tmp_path):
    saved(head()[..., np.newaxis], tmp_path / "in/scan.nii")
    assert listed(tmp_path / "in") == listed(tmp_path / "in", volume=3)


def ct() -> np.ndarray:
    """Hounsfield units: a ball of brain with a bleed, in skull, in air."""
    grid = np.meshgrid(*[np.linspace(-1, 1, size) for size in (24, 24, 10)], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in grid))
    values = np.where(radius < 0.9, np.where(radius < 0.8, 30, 1000), -1000)
    return np.where(radius < 0.3, 70, values).astype(np.int16)


@pytest.mark.parametrize("padding", [None, -3024, -2000])
def test_a_ct_is_named_and_shown_through_the_chosen_window_padded_or_not(tmp_path, padding):
    values = ct()
    if padding is not None:
        values[:2] = padding
    saved(values, tmp_path / "in/scan.nii.gz")
    scans = listed(tmp_path / "in")
    assert all(scan.notes == (CT_WITHOUT_WINDOW,) for scan in scans)
    assert all(scan.notes == () for scan in listed(tmp_path / "in", window="brain"))
    slices = [scan.part for scan in listed(tmp_path / "in", window="brain")]
    assert slices == [scan.part for scan in scans]  # the window of the pixels decides nothing of what holds brain
    pixels = read_image(scans[0].path, part="axial=5", reading=Reading(window="brain")).pixels
    assert (pixels[12, 12], pixels[12, 18], pixels[0, 0]) == (round(70 / 80 * 255), round(30 / 80 * 255), 0)
    if padding is None:
        saved(ct() + 1024, tmp_path / "in/scan.nii.gz")
        assert all(scan.notes == (BLOWN_OUT,) for scan in listed(tmp_path / "in", window="brain"))
    else:
        plain = read_image(scans[0].path, part="axial=5").pixels
        saved(ct(), tmp_path / "in/scan.nii.gz")
        np.testing.assert_array_equal(plain[:, :-2], read_image(scans[0].path, part="axial=5").pixels[:, :-2])


@pytest.mark.parametrize(("slope", "noted"), [(0, False), (np.nan, False), (np.inf, False), (2, False), (-1, True)])
def test_a_slope_that_is_none_counts_as_none_and_a_negative_one_is_noted(tmp_path, slope, noted):
    path = saved(head(), tmp_path / "in/scan.nii")
    expected = read_image(path, part="axial=8").pixels
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, 0], "<f4").tobytes()
    path.write_bytes(content)
    (scan,) = (scan for scan in listed(tmp_path / "in") if scan.part == "axial=8")
    assert [note.split(":")[0] for note in scan.notes] == (["negative slope"] if noted else [])
    pixels = read_image(path, part="axial=8").pixels
    np.testing.assert_array_equal(pixels, 255 - expected if noted else expected)


def test_a_volume_that_does_not_say_how_it_lies_is_noted(tmp_path):
    image = nibabel.Nifti1Image(head(), None)
    image.header["qform_code"] = image.header["sform_code"] = 0
    (tmp_path / "in").mkdir()
    nibabel.save(image, tmp_path / "in/scan.nii")
    assert {note.split(":")[0] for scan in listed(tmp_path / "in") for note in scan.notes} == {"orientation unknown"}


def test_around_a_head_that_is_nan_elsewhere_all_that_is_there_is_brain(tmp_path):
    saved(head().astype(np.float32), tmp_path / "zeros/scan.nii")
    saved(np.where(head() == 0, np.nan, head()).astype(np.float32), tmp_path / "nans/scan.nii")
    assert [scan.part for scan in listed(tmp_path / "nans")] == [scan.part for scan in listed(tmp_path / "zeros")]
