"""DICOM: what pydicom's own files show, frame by frame, whose they are, and a reason for what is no image."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.formats import dicom
from fewscan.images.formats.gray import square
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import silenced
from fewscan.images.listing import list_scans
from fewscan.images.listing.contents import look_into
from fewscan.images.options import ImageSpec, ImportOptions, PatientTag
from fewscan.images.patient_keys import PatientKeys
from fewscan.images.plan import plan_of
from fewscan.images.readers import Image, read_image, read_images
from fewscan.images.sources import ScanFile, Source

# Several of pydicom's own files are localizers or secondary captures.
KEPT = Reading(keep_localizers=True)
SHIPPED = Path(pydicom.data.__file__).parent / "test_files"
FILES = sorted(path for path in SHIPPED.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


def shipped(name: str) -> Snapshot:
    return pydicom.dcmread(SHIPPED / name)


def saved(dataset: Snapshot, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def gray(values: np.ndarray, **elements: object) -> Snapshot:
    """A secondary capture of 16 bits with these values, (H, W) or (N, H, W), and whatever else is given."""
    dataset = shipped("MR_small.dcm")
    for keyword in ("WindowCenter", "WindowWidth", "SmallestImagePixelValue", "LargestImagePixelValue"):
        if keyword in dataset:
            del dataset[keyword]
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.Rows, dataset.Columns = values.shape[-2:]
    if values.ndim == 3:
        dataset.NumberOfFrames = len(values)
    dataset.PixelData = values.astype(values.dtype.newbyteorder("<")).tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def windowed(values: np.ndarray, black: float, white: float) -> np.ndarray:
    return np.rint(np.clip((values.astype(float) - black) / (white - black), 0, 1) * 255)


def close(pixels: np.ndarray, expected: np.ndarray) -> bool:
    return pixels.shape == expected.shape and bool(np.abs(pixels.astype(float) - expected).max() <= 1)


RAMP = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)


@pytest.mark.slow
def test_every_file_that_pydicom_ships_is_read_or_set_aside_with_a_reason():
    scans = list_scans([Source("shipped", SHIPPED, labeled=False)], ImportOptions(keep_localizers=True))
    results = list(read_images(scans, ImageSpec(size_px=8, resize="pad", channels=1, keep_localizers=True)))
    assert len(FILES) > 150
    assert {scan.path for scan in scans} >= set(FILES)
    read = {scan.path for scan, result in zip(scans, results, strict=True) if isinstance(result, Image)}
    read |= {scan.path for scan, result in zip(scans, results, strict=True) if getattr(result, "reason", "")[:7] == "blank: "}
    no_scans = {scan.path for scan in scans if scan.set_aside and scan.set_aside.startswith("not a scan: ")}
    drawn_over_scans = {path for path in FILES if path.name.startswith(("rtdose", "liver", "badVR"))}
    assert no_scans == drawn_over_scans
    with silenced():
        for path in FILES:
            try:
                pydicom.dcmread(path).pixel_array  # noqa: B018 - whether pydicom can
            except Exception:
                continue
            assert path in read | drawn_over_scans, f"pydicom reads {path.name}"
    reasons = {result.reason for result in results if isinstance(result, UnreadableImage)}
    assert {"not a scan: DICOM RT Dose Storage", "not a scan: DICOM Segmentation Storage"} <= reasons
    assert "no pixels: DICOM Media Storage Directory Storage" in reasons
    assert "no pixels: DICOM Comprehensive SR Storage" in reasons
    assert "truncated or damaged: its pixels cannot be decoded (Explicit VR Little Endian)" in reasons
    assert "lacks a tag: Rows" in reasons


def with_window(path: Path) -> bool:
    header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    return "WindowWidth" in header and header.get("PhotometricInterpretation", "").startswith("MONOCHROME")


WINDOWED = [path for path in FILES if path.suffix in ("", ".dcm") and path.name != "badVR.dcm" and with_window(path)]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("path", [path for path in WINDOWED if path.name != "MR_truncated.dcm"], ids=lambda path: path.name)
def test_a_window_is_applied_as_pydicom_applies_it(path):
    dataset = pydicom.dcmread(path)
    values = apply_modality_lut(dataset.pixel_array, dataset)
    shown = apply_voi_lut(np.append(values.ravel(), [-1e9, 1e9]), dataset, prefer_lut=False)
    expected = windowed(shown[:-2], shown[-2], shown[-1]).reshape(values.shape)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        expected = 255 - expected
    padding = dataset.get("PixelPaddingValue")
    expected = np.where(dataset.pixel_array == padding, 0, expected) if padding is not None else expected
    if path.name in ("6293", "6924"):  # pixels that are no squares
        expected = square(expected.astype(np.uint8), 0.596847, 0.545455)
    if np.ptp(expected) > 0:
        assert close(read_image(path, reading=KEPT).pixels, expected)
    else:  # nothing of the slice lies in its window
        with pytest.raises(UnreadableImage, match="blank: "):
            read_image(path, reading=KEPT)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_each_function_of_a_window_is_the_standards(tmp_path, function):
    dataset = gray(RAMP, WindowCenter=900, WindowWidth=701, VOILUTFunction=function, RescaleSlope=0.5, RescaleIntercept=-30)
    values = apply_modality_lut(RAMP, dataset)
    shown = apply_voi_lut(np.append(values.ravel(), [-1e5, 1e5]), dataset)
    expected = windowed(shown[:-2], shown[-2], shown[-1]).reshape(RAMP.shape)
    assert close(read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, expected)


def test_the_first_of_several_windows_counts_and_one_without_width_does_not(tmp_path):
    one = read_image(saved(gray(RAMP, WindowCenter=900, WindowWidth=300), tmp_path / "one.dcm"))
    two = read_image(saved(gray(RAMP, WindowCenter=[900, 50], WindowWidth=[300, 9]), tmp_path / "two.dcm"))
    none = read_image(saved(gray(RAMP), tmp_path / "none.dcm"))
    empty = read_image(saved(gray(RAMP, WindowCenter=900, WindowWidth=0), tmp_path / "empty.dcm"))
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(none.pixels, empty.pixels)
    assert (one.pixels != none.pixels).any()
    assert one.pixels_sha256 == none.pixels_sha256


@pytest.mark.parametrize(("center", "width"), [("900", "nan"), ("inf", "300"), ("900", "1e400")])
def test_a_window_that_is_not_finite_counts_as_none(tmp_path, center, width):
    dataset = gray(RAMP)
    with pydicom.config.disable_value_validation():
        dataset.add_new("WindowCenter", "DS", center)
        dataset.add_new("WindowWidth", "DS", width)
        path = saved(dataset, tmp_path / "scan.dcm")
    np.testing.assert_array_equal(read_image(path).pixels, read_image(saved(gray(RAMP), tmp_path / "none.dcm")).pixels)


def test_a_window_narrower_than_1_is_exact_as_for_maps_of_small_values(tmp_path):
    dataset = gray(RAMP, RescaleSlope=1e-6, RescaleIntercept=0, WindowCenter=1e-3, WindowWidth=1e-3)
    assert close(read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, windowed(RAMP * 1e-6, 0.0005, 0.0015))


def test_values_that_are_not_finite_once_rescaled_are_set_aside(tmp_path):
    dataset = gray(RAMP, RescaleIntercept=0)
    with pydicom.config.disable_value_validation():
        dataset.add_new("RescaleSlope", "DS", "nan")
        path = saved(dataset, tmp_path / "scan.dcm")
    with pytest.raises(UnreadableImage, match="not finite: "):
        read_image(path)


def test_an_empty_rescale_slope_counts_as_absent(tmp_path):
    dataset = gray(RAMP, RescaleSlope=None, RescaleIntercept=None)
    plain = read_image(saved(gray(RAMP), tmp_path / "plain.dcm"))
    np.testing.assert_array_equal(read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, plain.pixels)


def lut(descriptor: list[int], vr: str, data: object) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", vr, data)
    return Sequence([item])


@pytest.mark.parametrize(("vr", "data"), [("OW", bytes(range(255, -1, -1))),
                                          ("US", np.arange(255, -1, -1, np.uint8).view("<u2").tolist()),
                                          ("US", list(range(255, -1, -1)))])  # fmt: skip
def test_entries_of_8_bits_are_read_packed_two_a_word_or_one(tmp_path, vr, data):
    values = RAMP % 256
    dataset = gray(values, VOILUTSequence=lut([256, 0, 8], vr, data))
    np.testing.assert_array_equal(read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, 255 - values)


def test_a_table_with_fewer_entries_than_it_declares_is_set_aside(tmp_path):
    dataset = gray(RAMP, VOILUTSequence=lut([2000, 0, 16], "US", list(range(1000))))
    with pytest.raises(UnreadableImage, match="a look-up table has fewer entries than it declares"):
        read_image(saved(dataset, tmp_path / "scan.dcm"))


def test_a_table_that_begins_at_a_negative_value_written_as_unsigned_is_applied(tmp_path):
    values = RAMP.astype(np.int16) - 1000
    dataset = gray(values, VOILUTSequence=lut([2000, 2**16 - 1000, 16], "US", [20 * number for number in range(2000)]))
    assert close(read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, windowed(RAMP * 20.0, 0, 2**16 - 1))


def test_a_table_that_is_not_described_hides_no_window(tmp_path):
    plain = read_image(saved(gray(RAMP, WindowCenter=900, WindowWidth=300), tmp_path / "plain.dcm"))
    tables = lut([2000, 0, 16], "US", list(range(2000)))
    del tables[0].LUTDescriptor
    dataset = gray(RAMP, WindowCenter=900, WindowWidth=300, VOILUTSequence=tables)
    np.testing.assert_array_equal(read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, plain.pixels)


def test_a_voi_lut_goes_before_a_window_and_is_applied_as_pydicom_applies_it(tmp_path):
    item = Dataset()
    item.LUTDescriptor = [1000, 200, 12]
    item.add_new("LUTData", "US", [int(value) for value in np.linspace(4095, 0, 1000) ** 2 / 4095])
    dataset = gray(RAMP, VOILUTSequence=Sequence([item]), WindowCenter=5, WindowWidth=5)
    expected = windowed(apply_voi_lut(RAMP.astype(np.int64), dataset), 0, 4095)
    assert close(read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, expected)


def test_a_modality_lut_is_applied(tmp_path):
    item = Dataset()
    item.LUTDescriptor = [2000, 0, 16]
    item.add_new("LUTData", "US", [int(value) for value in (np.arange(2000) * 7919) % 2000])
    dataset = gray(RAMP, ModalityLUTSequence=Sequence([item]))
    values = apply_modality_lut(RAMP, dataset)
    expected = windowed(values, *np.percentile(values, (0.1, 99.9)))
    assert close(read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, expected)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_without_a_window_percentiles_are_black_and_white_signed_or_not(tmp_path, dtype):
    values = RAMP.astype(dtype) - dtype(0 if dtype == np.uint16 else 700)
    dataset = gray(values, BitsStored=12, HighBit=11)
    assert close(
        read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, windowed(values, *np.percentile(values, (0.1, 99.9)))
    )


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
@pytest.mark.parametrize("compressed", [False, True])
def test_values_in_the_upper_bits_of_their_words_show_what_they_show_in_the_lower_ones(tmp_path, dtype, compressed):
    values = (RAMP % 2000).astype(dtype) - dtype(0 if dtype == np.uint16 else 700)
    shows = {"WindowCenter": 300, "WindowWidth": 900, "BitsStored": 12}

    def pixels(stored: np.ndarray, high_bit: int) -> np.ndarray:
        dataset = gray(stored, HighBit=high_bit, **shows)
        if compressed:
            dataset.compress(RLELossless, generate_instance_uid=False)
        return read_image(saved(dataset, tmp_path / "scan.dcm")).pixels

    plain = pixels(values, 11)
    assert len(np.unique(plain)) > 100
    np.testing.assert_array_equal(pixels(values << 4, 15), plain)
    # A slip of a program that filled in the usual 15.
    np.testing.assert_array_equal(pixels(values, 15), plain)


def test_8_bits_without_a_window_are_kept():
    with pydicom.dcmread(SHIPPED / "image_dfl.dcm") as dataset:
        np.testing.assert_array_equal(read_image(SHIPPED / "image_dfl.dcm", reading=KEPT).pixels, dataset.pixel_array)


def test_8_bits_are_kept_where_rescaling_changes_nothing(tmp_path):
    values = (RAMP % 200).astype(np.uint8)
    dataset = gray(values, BitsAllocated=8, BitsStored=8, HighBit=7, RescaleSlope=1, RescaleIntercept=0)
    np.testing.assert_array_equal(read_image(saved(dataset, tmp_path / "scan.dcm")).pixels, values)


def test_monochrome1_is_turned_round(tmp_path):
    plain = read_image(saved(gray(RAMP), tmp_path / "plain.dcm"))
    turned = read_image(saved(gray(RAMP, PhotometricInterpretation="MONOCHROME1"), tmp_path / "turned.dcm"))
    np.testing.assert_array_equal(turned.pixels, 255 - plain.pixels)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_counts_for_no_window_and_is_black(tmp_path, photometric):
    values = RAMP.astype(np.int16)
    values[:, :20] = -3000
    dataset = gray(values, PhotometricInterpretation=photometric)
    dataset.add_new("PixelPaddingValue", "SS", -3000)
    pixels = read_image(saved(dataset, tmp_path / "scan.dcm")).pixels
    expected = windowed(values[:, 20:], *np.percentile(values[:, 20:], (0.1, 99.9)))
    assert not pixels[:, :20].any()
    assert close(pixels[:, 20:], expected if photometric == "MONOCHROME2" else 255 - expected)


def test_a_range_of_padding_is_padding_and_nothing_else_is_black(tmp_path):
    values = RAMP + np.uint16(100)
    values[:5] = 7
    values[5:10] = 9
    dataset = gray(values)
    dataset.add_new("PixelPaddingValue", "US", 9)
    dataset.add_new("PixelPaddingRangeLimit", "US", 7)
    pixels = read_image(saved(dataset, tmp_path / "scan.dcm")).pixels
    assert close(pixels[10:], windowed(values[10:], *np.percentile(values[10:], (0.1, 99.9))))
    assert not pixels[:10].any()
    all_padding = gray(np.full((9, 9), 5, np.uint16))
    all_padding.add_new("PixelPaddingValue", "US", 5)
    with pytest.raises(UnreadableImage, match="blank: "):
        read_image(saved(all_padding, tmp_path / "all.dcm"))


@pytest.mark.parametrize("limit", [-2000, -1900])
def test_negative_padding_that_is_written_as_unsigned_is_padding(tmp_path, limit):
    values = RAMP.astype(np.int16)
    values[:, :20] = -2000
    dataset = gray(values)
    dataset.add_new("PixelPaddingValue", "US", 2**16 - 2000)
    dataset.add_new("PixelPaddingRangeLimit", "US", 2**16 + limit)
    pixels = read_image(saved(dataset, tmp_path / "scan.dcm")).pixels
    assert not pixels[:, :20].any()
    assert close(pixels[:, 20:], windowed(values[:, 20:], *np.percentile(values[:, 20:], (0.1, 99.9))))


@pytest.mark.parametrize(
    "name", ["bigendian", "expb", "implicit", "RLE", "jp2klossless", "jpeg_ls_lossless", "padded"]
)  # fmt: skip
def test_one_scan_stored_without_loss_in_another_way_is_the_same(name):
    one, other = read_image(SHIPPED / "MR_small.dcm"), read_image(SHIPPED / f"MR_small_{name}.dcm")
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert one.pixels_sha256 == other.pixels_sha256
    assert one.sha256 != other.sha256


@pytest.mark.parametrize("name", ["SC_rgb_rle.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_ybr_full_422_uncompressed.dcm",
                                  "examples_jpeg2k.dcm", "examples_rgb_color.dcm"])  # fmt: skip
def test_color_is_what_pydicom_makes_of_it(name):
    expected = pydicom.pixels.pixel_array(SHIPPED / name)
    np.testing.assert_array_equal(read_image(SHIPPED / name, channels=3, reading=KEPT).pixels, expected)


@pytest.mark.parametrize("kind", ["<u2", "u1"])
@pytest.mark.parametrize("shift", [0, 8])
def test_a_palette_is_shown_by_the_bits_that_its_entries_have(tmp_path, kind, shift):
    colors = np.random.default_rng(0).integers(0, 256, (3, 256))
    shown = (RAMP % 256).astype(np.uint8)
    dataset = gray(shown, BitsAllocated=8, BitsStored=8, HighBit=7, PhotometricInterpretation="PALETTE COLOR")
    for name, entries in zip(("Red", "Green", "Blue"), colors << (shift if kind == "<u2" else 0), strict=True):
        dataset.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [256, 0, 8 if kind == "u1" or not shift else 16])
        dataset.add_new(f"{name}PaletteColorLookupTableData", "OW", entries.astype(kind).tobytes())
    pixels = read_image(saved(dataset, tmp_path / "scan.dcm"), channels=3).pixels
    np.testing.assert_array_equal(pixels, colors[:, shown].transpose(1, 2, 0))


def test_palettes_and_deep_color_become_8_bits():
    palette = shipped("examples_palette.dcm")
    expected = apply_color_lut(palette.pixel_array, palette) >> 8
    np.testing.assert_array_equal(read_image(SHIPPED / "examples_palette.dcm", channels=3).pixels, expected)
    deep = shipped("SC_rgb_rle_16bit.dcm").pixel_array >> 8
    np.testing.assert_array_equal(read_image(SHIPPED / "SC_rgb_rle_16bit.dcm", channels=3, reading=KEPT).pixels, deep)


def test_each_frame_is_an_image_of_its_own(tmp_path):
    frames = np.random.default_rng(0).integers(0, 4000, (12, 9, 11)).astype(np.uint16)
    saved(gray(frames), tmp_path / "in/film.dcm")
    scans = list_scans([Source("in", tmp_path / "in")])
    assert [scan.relative for scan in scans] == [f"film.dcm#frame={number}" for number in range(1, 13)]
    for scan, frame in zip(scans, frames, strict=True):
        pixels = read_image(scan.path, part=scan.part).pixels
        assert close(pixels, windowed(frame, *np.percentile(frame, (0.1, 99.9))))
    with pytest.raises(UnreadableImage, match=r"more than one image: it has 12; .*FILE#frame=1"):
        read_image(tmp_path / "in/film.dcm")
    with pytest.raises(UnreadableImage, match="no such image"):
        read_image(tmp_path / "in/film.dcm", part="frame=13")


def test_compressed_frames_are_those_of_pydicom():
    expected = pydicom.pixels.pixel_array(SHIPPED / "examples_ybr_color.dcm")
    path = SHIPPED / "examples_ybr_color.dcm"
    scans = [ScanFile("in", f"{number}", path, part=f"frame={number}") for number in (30, 2, 3)]
    for scan, frame in zip(scans, expected[[29, 1, 2]], strict=True):
        np.testing.assert_array_equal(read_image(path, channels=3, part=scan.part).pixels, frame)


def test_one_bad_frame_leaves_the_others(tmp_path):
    dataset = shipped("examples_ybr_color.dcm")
    frames = list(generate_frames(dataset.PixelData, number_of_frames=30))
    frames[1] = bytes(len(frames[1]))
    dataset.PixelData = encapsulate(frames)
    saved(dataset, tmp_path / "in/film.dcm")
    scans = list_scans([Source("in", tmp_path / "in")])
    results = list(read_images(scans, ImageSpec(size_px=16, resize="pad", channels=1)))
    assert [number for number, result in enumerate(results) if isinstance(result, UnreadableImage)] == [1]
    assert results[1].reason.startswith("not decodable: ")


def test_a_deflated_object_is_inflated_up_to_a_bound_only(tmp_path, monkeypatch):
    (tmp_path / "scan.dcm").write_bytes((SHIPPED / "image_dfl.dcm").read_bytes())
    assert list_scans([Source("in", tmp_path)], ImportOptions(keep_localizers=True))[0].set_aside is None
    monkeypatch.setattr(dicom, "MAX_INFLATED_BYTES", 10_000)
    reason = "too large: more than 10000 bytes once it is inflated"
    with (tmp_path / "scan.dcm").open("rb") as file, pytest.raises(UnreadableImage, match=reason):
        dicom.contents(file, KEPT)
    with (tmp_path / "scan.dcm").open("rb") as file, pytest.raises(UnreadableImage, match=reason):
        list(dicom.read(file, [None], KEPT))


def test_an_enhanced_objects_frames_have_functional_groups_of_their_own(tmp_path):
    def group(**items: object) -> Snapshot:
        holder = Dataset()
        for keyword, elements in items.items():
            item = Dataset()
            for name, value in elements.items():
                setattr(item, name, value)
            setattr(holder, keyword, Sequence([item]))
        return holder

    frames = np.stack([RAMP, RAMP])
    dataset = gray(
        frames,
        SharedFunctionalGroupsSequence=Sequence(
            [group(PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -100, "RescaleType": "US"})]
        ),
        PerFrameFunctionalGroupsSequence=Sequence(
            [
                group(FrameVOILUTSequence={"WindowCenter": 1000, "WindowWidth": 500}),
                group(FrameVOILUTSequence={"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"}),
            ]
        ),
    )
    path = saved(dataset, tmp_path / "scan.dcm")
    values = RAMP * 2.0 - 100
    assert close(read_image(path, part="frame=1").pixels, windowed(values, 1000 - 250, 1000 + 249))
    assert close(read_image(path, part="frame=2").pixels, windowed(values, 1500, 2500))


def patient_of(path: Path, tag: PatientTag = "patient") -> str | None:
    (scan,) = look_into([ScanFile("in", path.name, path)], (), Reading(), tag, workers=1)
    return scan.patient


def test_the_patient_is_the_number_or_else_the_study_or_else_the_series(tmp_path):
    assert patient_of(saved(gray(RAMP, PatientID=" 77 "), tmp_path / "1.dcm")) == "77"
    assert patient_of(saved(gray(RAMP, PatientID="77", IssuerOfPatientID="north"), tmp_path / "2.dcm")) == "77"
    study = gray(RAMP, PatientID="^", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3")
    assert patient_of(saved(study, tmp_path / "3.dcm")) == "1.2"
    series = gray(RAMP, PatientID="", StudyInstanceUID="", SeriesInstanceUID="1.2.3")
    assert patient_of(saved(series, tmp_path / "4.dcm")) == "1.2.3"
    nobody = gray(RAMP, PatientID="", StudyInstanceUID="", SeriesInstanceUID="")
    assert patient_of(saved(nobody, tmp_path / "5.dcm")) is None


def test_a_header_is_asked_for_the_tag_that_is_wanted_and_else_for_the_next_that_it_has(tmp_path):
    whole = saved(gray(RAMP, PatientID="ANON", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3"), tmp_path / "1.dcm")
    assert [patient_of(whole, tag) for tag in ("patient", "study", "series", "none")] == ["ANON", "1.2", "1.2.3", None]
    bare = saved(gray(RAMP, PatientID="ANON", StudyInstanceUID="", SeriesInstanceUID="1.2.3"), tmp_path / "2.dcm")
    assert [patient_of(bare, tag) for tag in ("study", "series")] == ["1.2.3", "1.2.3"]


def patients_of(folder: Path, **options: Any) -> list[str | None]:
    return list(PatientKeys().hashed(list_scans([Source("in", folder)], ImportOptions(**options))))


def test_a_study_in_which_some_files_have_the_number_is_one_patients(tmp_path):
    for number, patient in enumerate(("77", "", "77", "")):
        dataset = gray(RAMP, PatientID=patient, StudyInstanceUID="1.2", SeriesInstanceUID=f"1.2.{number}")
        saved(dataset, tmp_path / "in" / f"{number}.dcm")
    saved(gray(RAMP, PatientID="", StudyInstanceUID="", SeriesInstanceUID="1.2.0"), tmp_path / "in" / "4.dcm")
    saved(gray(RAMP, PatientID="", StudyInstanceUID="1.3", SeriesInstanceUID="1.3.1"), tmp_path / "in" / "5.dcm")
    *one, other = patients_of(tmp_path / "in")
    assert len(set(one)) == 1
    assert other not in one
    source = Source("in", tmp_path / "in")
    assert plan_of(list_scans([source]), [source]).sources[0].patients == 2
    (tmp_path / "table.csv").write_text("path,patient\nin/0.dcm,77\n")
    assert len(set(patients_of(tmp_path / "in", labels=tmp_path / "table.csv"))) == 2
    # Whoever tells series apart, or files by their names, is not contradicted by the study.
    assert len(set(patients_of(tmp_path / "in", patient_tag="series"))) == 5
    assert len(set(patients_of(tmp_path / "in", patient_from=r"(\d)\.dcm"))) == 6


def test_a_study_of_several_numbers_says_nothing(tmp_path):
    for number in range(3):
        saved(gray(RAMP, PatientID=f"{number}", StudyInstanceUID="1", SeriesInstanceUID="1"), tmp_path / "in" / f"{number}.dcm")
    assert len(set(patients_of(tmp_path / "in"))) == 3


def test_the_frames_of_a_file_without_a_patient_are_one_patients(tmp_path):
    frames = np.stack([RAMP, RAMP])
    for name in ("a.dcm", "b.dcm"):
        saved(gray(frames, PatientID="", StudyInstanceUID="", SeriesInstanceUID=""), tmp_path / "in" / name)
    patients = [scan.patient for scan in list_scans([Source("in", tmp_path / "in")])]
    assert patients[0] == patients[1] != patients[2] == patients[3]
    assert None not in patients


def test_dicom_is_told_by_its_content_with_or_without_a_prefix_and_else_by_its_name(tmp_path):
    content = (SHIPPED / "CT_small.dcm").read_bytes()
    expected = read_image(SHIPPED / "CT_small.dcm").pixels
    for name in ("IM0001", "scan.txt", "scan.dcm"):
        (tmp_path / name).write_bytes(content)
        np.testing.assert_array_equal(read_image(tmp_path / name).pixels, expected)
    for name in ("old.dcm", "old.IMA", "old"):
        (tmp_path / name).write_bytes(content[132:])
        np.testing.assert_array_equal(read_image(tmp_path / name).pixels, expected)
    (tmp_path / "text.dcm").write_text("this is no scan, whatever its name says")
    with pytest.raises(UnreadableImage):
        read_image(tmp_path / "text.dcm")


def test_what_pydicom_warns_of_reaches_nobody(tmp_path, logged, capfd):
    dataset = gray(RAMP)
    path = saved(dataset, tmp_path / "in/scan.dcm")
    # Too long for its kind of element, which pydicom warns of, quoting it; and more bytes of pixels than there should be.
    content = path.read_bytes()
    at = content.index(b"\x10\x00\x20\x00LO")
    length = int.from_bytes(content[at + 6 : at + 8], "little")
    name = b"WATERMELON " * 10
    path.write_bytes(content[: at + 6] + len(name).to_bytes(2, "little") + name + content[at + 8 + length :] + b"\0" * 50)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scans = list_scans([Source("in", tmp_path / "in")])
        (image,) = read_images(scans, ImageSpec(size_px=8, resize="pad", channels=1))
    assert isinstance(image, Image)
    assert "WATERMELON" in scans[0].patient
    assert "WATERMELON" not in repr(scans)
    assert [str(one.message) for one in caught] == []
    assert logged == []
    assert "WATERMELON" not in "".join(capfd.readouterr())


SMALL = (SHIPPED / "SC_rgb_small_odd.dcm").read_bytes()
SMALL_JPEG = (SHIPPED / "SC_rgb_small_odd_jpeg.dcm").read_bytes()


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_read_or_set_aside_with_a_reason_and_never_a_crash(tmp_path, data):
    content = bytearray(data.draw(st.sampled_from([SMALL, SMALL_JPEG])))
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(128, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "in/scan.dcm").write_bytes(content[: data.draw(st.integers(140, len(content)))])
    scans = list_scans([Source("in", tmp_path / "in")], ImportOptions(keep_localizers=True))
    for result in read_images(scans, ImageSpec(size_px=8, resize="pad", channels=1, keep_localizers=True), workers=1):
        assert isinstance(result, Image) or ("\n" not in result.reason and result.sha256)
