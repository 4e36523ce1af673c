"""Which DICOM objects are scans, and what is read of those whose tags or frames are missing."""

from pathlib import Path

import numpy as np
import pytest
from dicom_objects import CT, MR, RAMP, SECONDARY_CAPTURE, saved, scan
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import RLELossless

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.formats.dicom_pixels import color
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.listing import list_scans
from fewscan.images.options import ImportOptions
from fewscan.images.readers import read_image
from fewscan.images.sources import ScanFile, Source
from fewscan.spreadsheet import as_text

PLAIN = np.stack([RAMP, RAMP // 2, RAMP // 4])


def listed(dataset: Snapshot, folder: Path, **options: object) -> list[ScanFile]:
    saved(dataset, folder / "in/scan.dcm")
    return list_scans([Source("in", folder / "in")], ImportOptions(**options))


def kind(dataset: Snapshot, folder: Path, **options: object) -> str | None:
    """The kind of reason for which an object is set aside, None for a scan."""
    (one,) = listed(dataset, folder, **options)
    if one.set_aside is not None:
        reading = Reading(keep_localizers=options.get("keep_localizers", False))
        with pytest.raises(UnreadableImage) as refused:  # reading agrees with the listing
            read_image(one.path, reading=reading)
        assert refused.value.reason == one.set_aside
    return None if one.set_aside is None else one.set_aside.split(":")[0]


@pytest.mark.parametrize(
    ("expected", "sop_class", "elements"),
    [
        ("localizer", CT, {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}),
        ("localizer", MR, {"ImageType": ["ORIGINAL", "PRIMARY", "OTHER"], "SeriesDescription": "3-plane loc"}),
        ("localizer", MR, {"SeriesDescription": "AAHead_Scout_64ch"}),
        ("screen save", SECONDARY_CAPTURE, {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}),
        ("screen save", CT, {"SeriesDescription": "Screen Save", "ImageType": ["DERIVED", "SECONDARY"]}),
        ("dose report", SECONDARY_CAPTURE, {"Modality": "CT", "SeriesDescription": "Dose Report"}),
        ("dose report", CT, {"ImageType": ["DERIVED", "SECONDARY", "DOSE_INFO"]}),
        ("secondary capture", SECONDARY_CAPTURE, {}),
        ("secondary capture", SECONDARY_CAPTURE, {"Modality": "CR", "ConversionType": "SD"}),
    ],
)
def test_pictures_beside_the_scans_are_set_aside_unless_they_are_kept(tmp_path, expected, sop_class, elements):
    dataset = scan(RAMP, sop_class, **elements)
    assert kind(dataset, tmp_path) == expected
    assert kind(dataset, tmp_path, keep_localizers=True) is None
    (one,) = listed(dataset, tmp_path)
    # The table of `label` holds it word for word, and it says of which verb the option is: `label` has none.
    assert as_text(one.set_aside) == one.set_aside
    assert "--keep-localizers" in one.set_aside


@pytest.mark.parametrize(
    ("sop_class", "elements"),
    [
        (MR, {"ImageType": ["DERIVED", "SECONDARY"]}),
        (CT, {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}),
        (SECONDARY_CAPTURE, {"Modality": "CR", "ConversionType": "WSD"}),  # radiographs that were converted
        (SECONDARY_CAPTURE, {"Modality": ""}),
        (CT, {"SeriesDescription": "LOCAL FLAIR"}),
        ("1.2.840.10008.5.1.4.1.1.6.1", {"Modality": "US", "SeriesDescription": "scout of the liver"}),
    ],
)
def test_what_is_derived_or_converted_is_a_scan(tmp_path, sop_class, elements):
    assert kind(scan(RAMP, sop_class, **elements), tmp_path) is None


@pytest.mark.parametrize("modality", ["SR", "PR", "KO", "SEG", "RTDOSE"])
def test_reports_presentations_and_what_is_drawn_over_scans_are_never_scans(tmp_path, modality):
    dataset = scan(RAMP, Modality=modality)
    assert kind(dataset, tmp_path) == kind(dataset, tmp_path, keep_localizers=True) == "not a scan"


def test_an_object_without_pixels_is_listed_as_one(tmp_path):
    (one,) = listed(scan(RAMP, "1.2.840.10008.5.1.4.1.1.88.67", without="PixelData"), tmp_path)
    assert one.set_aside == "no pixels: DICOM X-Ray Radiation Dose SR Storage"


@pytest.mark.parametrize(
    "absent", ["PixelRepresentation", "BitsStored", "HighBit", "SamplesPerPixel", "PhotometricInterpretation", "SOPClassUID"]
)
def test_an_absent_tag_that_the_others_give_is_what_is_usual_and_noted(tmp_path, absent):
    plain = read_image(saved(scan(RAMP), tmp_path / "plain.dcm")).pixels
    (one,) = listed(scan(RAMP, without=absent), tmp_path)
    np.testing.assert_array_equal(read_image(one.path).pixels, plain)
    needless = absent in ("HighBit", "SOPClassUID")
    assert one.notes == (() if needless else (f"lacks {absent}: usual values were used",))


def test_color_whose_photometric_interpretation_is_absent_is_rgb(tmp_path):
    color = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    dataset = scan(color[..., 0], without="PhotometricInterpretation", SamplesPerPixel=3)
    dataset.PixelData = color.tobytes()
    np.testing.assert_array_equal(read_image(saved(dataset, tmp_path / "scan.dcm"), channels=3).pixels, color)


def test_pixels_that_are_not_subsampled_as_their_header_says_are_set_aside_for_that_reason(tmp_path):
    said = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "YBR_FULL_422"}
    dataset = scan(np.zeros((4, 6), np.uint8), **said)
    dataset.PixelData = bytes(4 * 6 * 3)
    path = saved(dataset, tmp_path / "scan.dcm")
    with pytest.raises(UnreadableImage, match="contradicts itself: PhotometricInterpretation"):
        read_image(path)


@pytest.mark.parametrize("absent", ["Rows", "Columns", "BitsAllocated"])
def test_an_absent_tag_that_nothing_else_gives_is_named(tmp_path, absent):
    assert listed(scan(RAMP, without=absent), tmp_path)[0].set_aside == f"lacks a tag: {absent}"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("declared", [3, 5])
def test_of_more_frames_declared_than_there_are_those_that_are_there_are_read(tmp_path, declared, compressed):
    dataset = scan(PLAIN)
    if compressed:
        dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.NumberOfFrames = declared
    scans = listed(dataset, tmp_path)
    assert [one.part for one in scans] == ["frame=1", "frame=2", "frame=3"]
    assert all(bool(one.notes) == (declared == 5) for one in scans)
    for one in scans:
        assert abs(int(read_image(one.path, part=one.part).pixels[4, 32]) - 130) <= 1


def test_a_file_cut_within_a_frame_gives_the_whole_ones(tmp_path):
    dataset = scan(PLAIN)
    path = saved(dataset, tmp_path / "in/scan.dcm")
    path.write_bytes(path.read_bytes()[: -RAMP.nbytes // 2])
    scans = list_scans([Source("in", tmp_path / "in")])
    assert [one.part for one in scans] == ["frame=1", "frame=2"]


@pytest.mark.parametrize("implicit", [True, False])
def test_a_bare_object_without_prefix_and_suffix_is_recognized(tmp_path, implicit):
    dataset = scan(RAMP)
    expected = read_image(saved(dataset, tmp_path / "whole.dcm")).pixels
    dataset.file_meta = FileMetaDataset()
    (tmp_path / "in").mkdir()
    dcmwrite(tmp_path / "in/IM0001", dataset, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    (one,) = list_scans([Source("in", tmp_path / "in")])
    np.testing.assert_array_equal(read_image(one.path).pixels, expected)


@pytest.mark.parametrize("content", [b"", b"\x08", b"\x08\x00\x08\x00", b"\x02\x00\x00\x00\xff\xff\xff\xff", b"\x08\x00" * 300])
def test_what_only_begins_alike_is_no_dicom(tmp_path, content):
    (tmp_path / "IM0001").write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"not an image|empty|truncated"):
        read_image(tmp_path / "IM0001")


def test_a_frame_of_two_channels_is_neither_gray_nor_color():
    header = Dataset()
    header.PhotometricInterpretation = "RGB"
    with pytest.raises(UnreadableImage, match="channels"):
        color(np.zeros((4, 4, 2), np.uint8), header)
