"""What compressed images say of their size, before anything decodes them."""

from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from fewscan.images.formats.codestreams import Declared, declared, scans
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.readers import read_image
from tests.images.formats.dicom_objects import saved, scan

VALUES = np.random.default_rng(0).integers(0, 255, (24, 40), np.uint8)
JP2_BEGINS = b"\x00\x00\x00\x0cjP  \r\n\x87\n"


def stored(kind: str, values: np.ndarray = VALUES, **options: object) -> bytes:
    file = BytesIO()
    PIL.Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "options"), [
    ("JPEG", {}), ("JPEG", {"progressive": True, "comment": b"\xff\xc0 no frame"}),
    ("JPEG2000", {}), ("JPEG2000", {"no_jp2": True, "tile_size": (16, 16), "tile_offset": (0, 0), "offset": (8, 8)}),
])  # fmt: skip
def test_a_header_says_how_large_its_image_is(kind, options):
    color = np.stack([VALUES, VALUES.T.reshape(VALUES.shape), VALUES], axis=-1)
    assert declared(stored(kind, **options)) == Declared(40, 24, 1)
    assert declared(stored(kind, color, **options)) == Declared(40, 24, 3)


def test_scans_are_counted():
    assert scans(stored("JPEG")) == 1 < scans(stored("JPEG", progressive=True))


@pytest.mark.parametrize("stream", [
    b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00\x11\x08", b"\xff\xd8\xff\xda" + stored("JPEG")[2:], b"\xff\x4f\xff\x51\x00",
    JP2_BEGINS, JP2_BEGINS + bytes(3000), JP2_BEGINS + b"\x00\x00\x00\x07ftyp" + bytes(9),
    JP2_BEGINS + b"\x00\x00\x00\x01ftyp" + bytes(99), JP2_BEGINS + b"\xff\xff\xff\xffftyp",
])  # fmt: skip
def test_a_damaged_header_says_nothing(stream):
    assert declared(stream) is None


@pytest.mark.parametrize(("syntax", "kind"), [(JPEGBaseline8Bit, "JPEG"), (JPEG2000Lossless, "JPEG2000")])
def test_a_frame_larger_than_its_dicom_header_says_is_not_decoded(tmp_path, syntax, kind):
    whole = scan(VALUES)
    whole.file_meta.TransferSyntaxUID = syntax
    whole.PixelData = encapsulate([stored(kind)])
    assert read_image(saved(whole, tmp_path / "whole.dcm")).width_px == 40
    whole.Rows = 12
    with pytest.raises(UnreadableImage, match="larger than the header says"):
        read_image(saved(whole, tmp_path / "larger.dcm"))
    # In as many pieces as one likes.
    whole.PixelData = encapsulate([stored(kind)], fragments_per_frame=40)
    with pytest.raises(UnreadableImage, match="larger than the header says"):
        read_image(saved(whole, tmp_path / "pieces.dcm"))


def test_a_box_without_a_length_does_not_hold_up_the_reader(tmp_path):
    endless = scan(VALUES)
    endless.file_meta.TransferSyntaxUID = JPEG2000Lossless
    endless.PixelData = encapsulate([JP2_BEGINS + bytes(3000)])
    with pytest.raises(UnreadableImage, match="not decodable"):
        read_image(saved(endless, tmp_path / "endless.dcm"))


def test_bytes_that_fill_up_before_a_marker_are_passed_over():
    stream = stored("JPEG")
    assert declared(stream[:2] + b"\xff\xff\xff" + stream[2:]) == declared(stream) == Declared(40, 24, 1)
