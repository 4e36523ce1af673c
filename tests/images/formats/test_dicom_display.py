"""Gray DICOM values as 8 bits: a ramp stays a ramp whatever its header says of it, and of a CT tissues are told apart."""

from pathlib import Path

import numpy as np
import pytest
from dicom_objects import CT, MR, RAMP, RAMP_GRAYS, saved, scan, table
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut, apply_windowing
from pydicom.uid import JPEG2000Lossless

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.formats.dicom_display import FLATTENING_WINDOW, NO_SLOPE, of_ct, shown
from fewscan.images.formats.dicom_pixels import SIGN_UNCLEAR, signed_as_stored
from fewscan.images.formats.gray import BLOWN_OUT, CT_WITHOUT_WINDOW
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.reading import Reading, Window
from fewscan.images.listing import list_scans
from fewscan.images.options import ImportOptions
from fewscan.images.readers import Image, read_image
from fewscan.images.sources import Source
from fewscan.spreadsheet import as_text


def read(dataset: Snapshot, folder: Path, **reading: object) -> Image:
    return read_image(saved(dataset, folder / "scan.dcm"), reading=Reading(**reading))


def notes(dataset: Snapshot, folder: Path, **options: object) -> tuple[str, ...]:
    """What the look into a file notes."""
    saved(dataset, folder / "in/scan.dcm")
    (listed,) = list_scans([Source("in", folder / "in")], ImportOptions(**options))
    return listed.notes


def is_ramp(image: Image, tolerance: int = 4) -> bool:
    row = image.pixels[image.height_px // 2]
    return all(abs(int(row[16 * (number + 1)]) - gray) <= tolerance for number, gray in enumerate(RAMP_GRAYS))


LUT = np.arange(4096)


@pytest.mark.parametrize(
    ("values", "elements"),
    [
        (RAMP, {}),
        (RAMP, {"WindowCenter": 2000, "WindowWidth": 4000}),
        (RAMP, {"WindowCenter": [2000, 40], "WindowWidth": [4000, 80]}),
        (RAMP, {"WindowCenter": [40, 2000], "WindowWidth": [80, 4000]}),
        (RAMP, {"WindowCenter": 0, "WindowWidth": 0}),
        (RAMP, {"WindowCenter": 0, "WindowWidth": 1}),
        (RAMP, {"WindowCenter": -600, "WindowWidth": 1500}),
        (RAMP // 14, {"WindowCenter": 2048, "WindowWidth": 4096}),
        (RAMP, {"RescaleSlope": 0, "RescaleIntercept": 0}),
        (RAMP, {"RescaleSlope": None, "RescaleIntercept": None}),
        (4000 - RAMP, {"PhotometricInterpretation": "MONOCHROME1"}),
        (4000 - RAMP, {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}),
        (4000 - RAMP, {"PresentationLUTShape": "INVERSE"}),
        (RAMP, {"VOILUTSequence": table(0, 16, LUT)}),
        (RAMP, {"VOILUTSequence": table(0, 12, LUT)}),
        (RAMP, {"VOILUTSequence": table(0, 8, LUT)}),
        (RAMP, {"ModalityLUTSequence": table(0, 12, LUT)}),
        ((RAMP >> 4).astype(np.uint8), {}),
        ((RAMP >> 4).astype(np.uint8), {"RescaleSlope": 1, "RescaleIntercept": -100}),
        (RAMP.astype(np.int16) - 1024, {"WindowCenter": 976, "WindowWidth": 4000}),
        (RAMP.astype(np.int16) - 2048, {}),
    ],
)  # fmt: skip
def test_a_ramp_stays_a_ramp(tmp_path, values, elements):
    assert is_ramp(read(scan(values, **elements), tmp_path))


@pytest.mark.parametrize(
    ("center", "width", "ignored"), [(0, 1, True), (-600, 1500, True), (2000, 40_000, False), (2000, 400_000, True)]
)
def test_a_window_that_flattens_the_picture_is_ignored_with_a_note(tmp_path, center, width, ignored):
    image = read(scan(RAMP, WindowCenter=center, WindowWidth=width), tmp_path)
    assert (image.notes == (FLATTENING_WINDOW,)) == ignored == is_ramp(image)


def test_a_picture_that_is_flat_itself_goes_through_the_files_window(tmp_path):
    flat = np.full((8, 8), 1000, np.uint16)
    flat[0, 0] = 1010
    image = read(scan(flat, WindowCenter=1000, WindowWidth=2000), tmp_path)
    assert image.notes == ()
    assert abs(int(image.pixels[4, 4]) - 128) <= 1


def test_a_slope_of_0_is_noted(tmp_path):
    assert read(scan(RAMP, RescaleSlope=0, RescaleIntercept=5), tmp_path).notes == (NO_SLOPE,)


def test_pixels_that_are_no_squares_become_squares(tmp_path):
    assert read(scan(RAMP, PixelSpacing=[2, 1]), tmp_path).pixels.shape == (16, 64)
    assert read(scan(RAMP, PixelAspectRatio=[1, 2]), tmp_path).pixels.shape == (8, 128)
    for unusable in ([0, 1], [-1, 1], None):
        assert read(scan(RAMP, PixelSpacing=unusable), tmp_path).pixels.shape == (8, 64)


def head_ct() -> np.ndarray:
    """Hounsfield units of air, skull and four tissues, in columns of 8: fluid, infarct, brain, bleed."""
    row = np.repeat([-1000, -1000, 1000, 8, 24, 30, 70, -1000], 8)
    return np.tile(row, (32, 1)).astype(np.int16)


def tissues(image: Image) -> list[int]:
    return [int(gray) for gray in image.pixels[16, 28:60:8]]


EXPECTED = [26, 77, 96, 223]  # 8, 24, 30 and 70 of 80 in 255


def ct(values: np.ndarray, **elements: object) -> Snapshot:
    return scan(values, CT, RescaleSlope=1, RescaleIntercept=0, **elements)


@pytest.mark.parametrize("windows", [{}, {"WindowCenter": [500, 40], "WindowWidth": [2000, 80]},
                                     {"VOILUTSequence": table(0, 16, LUT)}])  # fmt: skip
def test_the_chosen_window_shows_a_cts_tissues_whatever_the_file_says(tmp_path, windows):
    image = read(ct(head_ct(), **windows), tmp_path, window="brain")
    np.testing.assert_allclose(tissues(image), EXPECTED, atol=1)
    assert notes(ct(head_ct(), **windows), tmp_path, window="brain") == image.notes == ()


def test_of_a_cts_windows_the_narrowest_that_shows_soft_tissue_is_taken_for_every_slice_and_named(tmp_path):
    two = {"WindowCenter": [500, 40], "WindowWidth": [2000, 80]}
    np.testing.assert_allclose(tissues(read(ct(head_ct(), **two), tmp_path)), EXPECTED, atol=3)
    (note,) = notes(ct(head_ct(), **two), tmp_path)
    assert note.startswith("several windows: 40,80 is used, of 500,2000 and 40,80; ")
    assert "--window" in note
    assert as_text(note) == note  # a table holds it word for word
    # A slice of air is black through it and set aside, and not noise in all grays.
    air = np.random.default_rng(0).integers(-1010, -990, (8, 8)).astype(np.int16)
    with pytest.raises(UnreadableImage, match="blank: "):
        read(ct(air, **two), tmp_path)


def test_where_no_window_shows_soft_tissue_the_first_is_taken():
    lung, bone = Window(center=-900, width=200), Window(center=500, width=200)
    assert of_ct([bone, lung]) == bone


def test_a_ct_without_a_window_is_named_by_modality_class_or_values(tmp_path):
    assert notes(ct(head_ct()), tmp_path) == (CT_WITHOUT_WINDOW,)
    assert read(ct(head_ct()), tmp_path).notes == ()  # once is enough
    assert notes(ct(head_ct(), Modality="MR"), tmp_path) == (CT_WITHOUT_WINDOW,)
    assert notes(ct(head_ct(), WindowCenter=40, WindowWidth=80), tmp_path) == ()
    assert notes(scan(RAMP), tmp_path) == ()
    unknown = scan(head_ct(), "1.2.840.10008.5.1.4.1.1.7.3", Modality="")
    assert notes(unknown, tmp_path) == ()
    assert read(unknown, tmp_path).notes == (CT_WITHOUT_WINDOW,)
    assert read(scan(head_ct(), MR), tmp_path).notes == ()


def test_a_chosen_window_that_is_not_meant_for_the_values_is_noted(tmp_path):
    offset = scan((head_ct() + 1024).astype(np.uint16), BitsStored=16, HighBit=15)
    assert read(offset, tmp_path, window="brain").notes == (BLOWN_OUT,)
    np.testing.assert_allclose(tissues(read(offset, tmp_path, window="1064,80")), EXPECTED, atol=1)


@pytest.mark.parametrize("padding", [-3024, -2000])
@pytest.mark.parametrize("tagged", [True, False])
def test_padding_of_a_ct_gives_no_window_tagged_or_not(tmp_path, padding, tagged):
    values = head_ct()
    plain = read(ct(values), tmp_path).pixels
    values[:, :8] = padding
    values[0, 20] = -1400
    dataset = ct(values)
    if tagged:
        dataset.add_new("PixelPaddingValue", "SS", padding)
    np.testing.assert_array_equal(read(dataset, tmp_path).pixels[1:, 8:], plain[1:, 8:])


def test_a_chosen_window_leaves_8_bits_that_mean_nothing_else(tmp_path):
    values = (RAMP >> 4).astype(np.uint8)
    np.testing.assert_array_equal(read(scan(values), tmp_path, window="brain").pixels, values)
    units = read(scan(values, RescaleSlope=8, RescaleIntercept=-1000), tmp_path, window="0,2000").pixels
    np.testing.assert_allclose(units, np.clip((values * 8.0 - 1000 + 1000) / 2000, 0, 1) * 255, atol=1)


def by_pydicom(values: np.ndarray, dataset: Snapshot) -> np.ndarray:
    """What pydicom's functions make of values, as a share of what they can make of any."""
    with np.errstate(over="ignore"):
        shares = apply_windowing(np.append(apply_modality_lut(values, dataset).ravel(), [-1e9, 1e9]), dataset)
    return ((shares[:-2] - shares[-2]) / (shares[-1] - shares[-2])).reshape(values.shape) * 255


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    signed=st.booleans(),
    slope=st.sampled_from([1, 0.5, 2, -1, 0.05]),
    intercept=st.sampled_from([0, -1024, 7.5]),
    center=st.floats(0.3, 0.7),
    width=st.floats(0.3, 1.5),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID", None]),
    seed=st.integers(0, 99),
)
def test_windows_are_pydicoms_of_every_function_slope_and_sign(signed, slope, intercept, center, width, function, seed):
    stored = (
        np.random.default_rng(seed).integers(-2000 if signed else 0, 2000, (16, 16)).astype(np.int16 if signed else np.uint16)
    )
    values = stored.astype(float) * slope + intercept
    least, span = values.min(), np.ptp(values)
    dataset = scan(stored, RescaleSlope=slope, RescaleIntercept=intercept)
    dataset.WindowCenter, dataset.WindowWidth = round(least + center * span, 6), round(max(width * span, 1.0), 6)
    dataset.VOILUTFunction = function or "LINEAR"
    if function is None:
        del dataset.VOILUTFunction
    dataset.set_original_encoding(False, True)
    pixels, said = shown(stored, dataset, 0, None)
    assert said == ()
    np.testing.assert_allclose(pixels, by_pydicom(stored, dataset), atol=0.51)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32])
def test_a_voi_lut_is_pydicoms_where_pydicom_applies_it(tmp_path, dtype):
    entries = (np.linspace(0, 1, 2000) ** 2 * 65535).astype(np.uint16)
    stored = np.random.default_rng(0).integers(0, 2500, (16, 16))
    dataset = scan(RAMP, VOILUTSequence=table(100, 16, entries))
    dataset.set_original_encoding(False, True)
    expected = apply_voi_lut(stored.astype(np.int32), dataset) / 65535 * 255
    np.testing.assert_allclose(shown(stored.astype(dtype), dataset, 0, None).pixels, expected, atol=0.51)


def test_values_beyond_16_bits_are_looked_up_as_the_last_entry():
    dataset = scan(RAMP, VOILUTSequence=table(0, 16, np.arange(1000) * 65))
    dataset.set_original_encoding(False, True)
    stored = np.array([[0, 500, 70_000, 2**31 - 1, -70_000]], np.int32)
    np.testing.assert_allclose(shown(stored, dataset, 0, None).pixels, [[0, 126, 253, 253, 0]], atol=1)


def test_a_table_cut_short_is_set_aside(tmp_path):
    cut = table(0, 16, np.arange(1000))
    cut[0].LUTDescriptor = [2000, 0, 16]
    with pytest.raises(UnreadableImage, match="fewer entries than it declares"):
        read(scan(RAMP, VOILUTSequence=cut), tmp_path)


@pytest.mark.parametrize("header_signed", [0, 1])
def test_where_header_and_jpeg_2000_disagree_on_the_sign_the_smoother_picture_is_right(tmp_path, header_signed):
    stored = RAMP if header_signed else (RAMP.astype("<i2") - 2048)
    dataset = scan(np.tile(stored, (8, 1)), BitsStored=12, HighBit=11)
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    dataset.PixelRepresentation = header_signed
    image = read(dataset, tmp_path)
    assert is_ramp(image)
    assert image.notes == (SIGN_UNCLEAR,)
    # A file of the other kind, from a hospital: its header is right.
    right = dcmread(str(get_testdata_file("J2K_pixelrep_mismatch.dcm")))
    values, notes = signed_as_stored(right.pixel_array, right, 0)
    assert (values == right.pixel_array).all()
    assert notes == (SIGN_UNCLEAR,)
