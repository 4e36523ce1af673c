"""How large a compressed image says that it is: the headers of JPEG, JPEG-LS and JPEG 2000, without decoding."""

from collections.abc import Iterator
from typing import NamedTuple

_JPEG = b"\xff\xd8"
_JPEG_START_OF_SCAN = 0xDA
# SOF0 to SOF15 without the three between them that are others (ISO 10918-1, B.1.1.3), and SOF55 of JPEG-LS.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
# Markers that stand alone, without a length.
_JPEG_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])
_JPEG_2000 = b"\xff\x4f\xff\x51"
_JP2 = b"\x00\x00\x00\x0cjP  "
_BOX_HEADER_BYTES = 8


class Declared(NamedTuple):
    """Width and height in pixels, and channels, as a codestream's header says."""

    width: int
    height: int
    channels: int

    @property
    def values(self) -> int:
        """How many values that is."""
        return self.width * self.height * self.channels


def declared(stream: bytes) -> Declared | None:
    """Return the size of the image that begins here, the largest of several; None where no whole header begins here."""
    if stream.startswith(_JPEG):
        return max(_jpeg_frames(stream), key=lambda one: one.values, default=None)
    if stream.startswith(_JP2):
        begins = _codestream_in(stream)
        return None if begins is None else _jpeg_2000(stream, begins)
    return _jpeg_2000(stream, 0)


def scans(stream: bytes) -> int:
    """Return in how many scans, coarse to fine, a JPEG stores its values; those of a thumbnail in it count, too."""
    # In compressed values 0xFF is always followed by 0.
    return stream.count(bytes([0xFF, _JPEG_START_OF_SCAN]))


def _jpeg_frames(stream: bytes) -> Iterator[Declared]:
    """Yield the size of every frame header before the first scan."""
    place = len(_JPEG)
    while (place := stream.find(b"\xff", place)) >= 0 and place + 1 < len(stream):
        marker = stream[place + 1]
        if marker == _JPEG_START_OF_SCAN:
            return
        if marker in (0x00, 0xFF):  # filled up
            place += 1
            continue
        segment = stream[place + 2 : place + 10]
        if marker in _JPEG_FRAMES and len(segment) == 8:
            yield Declared(_number(segment[5:7]), _number(segment[3:5]), segment[7])
        place += 2 if marker in _JPEG_ALONE else 2 + max(2, _number(segment[:2]))


def _jpeg_2000(stream: bytes, begins: int) -> Declared | None:
    """Return what the size segment says, which is always the first one (ISO 15444-1, A.5.1)."""
    head = stream[begins : begins + 42]
    if not head.startswith(_JPEG_2000) or len(head) < 42:
        return None
    right, bottom, left, top = (_number(head[at : at + 4]) for at in (8, 12, 16, 20))
    return Declared(max(0, right - left), max(0, bottom - top), _number(head[40:42]))


def _codestream_in(stream: bytes) -> int | None:
    """Return where the codestream begins among the boxes of a JP2 file (ISO 15444-1, I.4), or None where they are damaged."""
    place = 0
    while place + _BOX_HEADER_BYTES <= len(stream):
        length, kind = _number(stream[place : place + 4]), stream[place + 4 : place + 8]
        if kind == b"jp2c":
            return place + _BOX_HEADER_BYTES
        # 0 reaches to the end, behind which nothing can be; 1 is for more than 4 GB, and unknown to what decodes.
        if length < _BOX_HEADER_BYTES:
            return None
        place += length
    return None


def _number(stored: bytes) -> int:
    return int.from_bytes(stored, "big")
