"""JPEG that is damaged: set aside wherever it lies, though every library decodes it, torn or with gray in it."""

from io import BytesIO

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate

from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.jpeg import require_whole
from fewscan.images.readers import read_image
from tests.images.formats.dicom_objects import saved, scan


def torn(content):
    """A part of the middle is lost: it still begins and ends as a JPEG."""
    middle = len(content) // 2
    return content[:middle] + content[middle + 512 :]


def overwritten(content):
    """Zeros where a block of the disk was not written."""
    middle = len(content) // 2
    return content[:middle] + bytes(512) + content[middle + 512 :]


# As a scan: something on an even background.
SCAN = np.stack([np.asarray(PIL.Image.radial_gradient("L").resize((240, 320)))] * 3, axis=2) // np.array([1, 2, 3], np.uint8)
SCAN[100:160, 60:120] += np.random.default_rng(1).integers(0, 60, (60, 60, 3), np.uint8)


@pytest.mark.parametrize("damaged", [torn, overwritten])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_damaged_in_its_middle_is_set_aside_though_libraries_decode_it(tmp_path, damaged, mode, progressive):
    file = BytesIO()
    PIL.Image.fromarray(SCAN).convert(mode).save(file, "JPEG", progressive=progressive)
    (tmp_path / "whole.jpg").write_bytes(file.getvalue())
    (tmp_path / "damaged.jpg").write_bytes(damaged(file.getvalue()))
    assert cv2.imread(str(tmp_path / "damaged.jpg")) is not None
    assert read_image(tmp_path / "whole.jpg").width_px == 240
    with pytest.raises(UnreadableImage, match="truncated or damaged: "):
        read_image(tmp_path / "damaged.jpg")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"progressive": True}])
@pytest.mark.parametrize("orientation", [1, 6])
def test_jpeg_has_the_values_that_pillow_gives_and_is_turned_as_it_turns(tmp_path, mode, options, orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(SCAN).convert(mode).save(tmp_path / "scan.jpg", exif=exif, **options)
    with PIL.Image.open(tmp_path / "scan.jpg") as image:
        expected = np.asarray(PIL.ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "scan.jpg", channels=3).pixels, expected)


def header_of_an_unusual_kind(content, kind):
    changed = bytearray(content)
    if kind == "a later revision of JFIF":
        changed[content.index(b"JFIF\0") + 5] = 3
    elif kind == "scan parameters of another process":
        changed[content.index(b"\xff\xda") + 12] = 0
    else:
        changed[content.index(b"\xff\xc0") + 11] = 0x42
    return bytes(changed)


@pytest.mark.parametrize(
    "kind", ["a later revision of JFIF", "scan parameters of another process", "an eighth of the pixels has colors"]
)
def test_a_jpeg_whose_header_is_unusual_is_read_as_pillow_reads_it(tmp_path, kind):
    PIL.Image.fromarray(SCAN).save(tmp_path / "scan.jpg", subsampling=0)
    (tmp_path / "scan.jpg").write_bytes(header_of_an_unusual_kind((tmp_path / "scan.jpg").read_bytes(), kind))
    with PIL.Image.open(tmp_path / "scan.jpg") as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(read_image(tmp_path / "scan.jpg", channels=3).pixels, expected)


@pytest.mark.parametrize("damaged", [torn, overwritten])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_damaged_jpeg_inside_of_a_tiff_is_set_aside(tmp_path, damaged, mode):
    path = tmp_path / "scan.tif"
    PIL.Image.fromarray(SCAN).convert(mode).save(path, compression="jpeg")
    assert read_image(path).width_px == 240
    path.write_bytes(damaged(path.read_bytes()))
    with pytest.raises(UnreadableImage, match="truncated or damaged: "):
        read_image(path)


@pytest.mark.parametrize("damaged", [torn, overwritten])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
def test_a_damaged_jpeg_inside_of_dicom_is_set_aside_alone(tmp_path, damaged, mode, syntax):
    file = BytesIO()
    PIL.Image.fromarray(SCAN).convert(mode).save(file, "JPEG")
    dataset = scan(SCAN[..., 0], NumberOfFrames=2)
    dataset.file_meta.TransferSyntaxUID = syntax
    if mode == "RGB":
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "YBR_FULL_422", 0
    dataset.PixelData = encapsulate([file.getvalue(), damaged(file.getvalue())])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    path = saved(dataset, tmp_path / "scan.dcm")
    assert read_image(path, part="frame=1").width_px == 240
    with pytest.raises(UnreadableImage, match="truncated or damaged: "):
        read_image(path, part="frame=2")


def test_what_declares_no_size_is_no_whole_jpeg():
    for stream in (b"", b"\xff\xd8", b"no JPEG"):
        with pytest.raises(UnreadableImage, match="truncated or damaged: "):
            require_whole(stream)
