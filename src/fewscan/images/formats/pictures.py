"""Pictures of one image: PNG, BMP, GIF, WebP, JPEG 2000, PGM and PPM by Pillow, deep color by OpenCV, JPEG strictly."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PpmImagePlugin import PpmImageFile

from fewscan.images.formats import jpeg
from fewscan.images.formats.channels import has_color, on_black, turned
from fewscan.images.formats.codestreams import scans
from fewscan.images.formats.gray import decoded, to_8_bit
from fewscan.images.formats.image import (
    Contents,
    Decoded,
    UnreadableImage,
    Values,
    damage_named,
    decoded_alone,
    gray_if_equal,
    native,
    positions,
    require_size,
)
from fewscan.images.formats.reading import Reading, Window

NAME = "picture"
NEEDS: str | None = None
# Others that Pillow knows are left out on purpose: EPS, for one, would start another program.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "JPEG2000", "PPM")

# A progressive JPEG has ten or so; each goes over the whole picture, and takes few bytes where it changes nothing.
MAX_JPEG_SCANS = 100

# A look for color needs no more pixels a side; JPEG decodes as few in less time.
LOOK_SIDE_PX = 64

_ORIENTATION = 0x0112
_PNG_DEPTH_AT = 24
_JPEG2000_SIZE = b"\xff\x51"
_JPEG2000_DEPTH_AFTER = 40
_HEAD_BYTES = 512
_GRAY = ("1", "L", "I", "F")
_DAMAGED = "truncated or damaged: not a complete picture"


class _Depth(NamedTuple):
    """The greatest value that a channel can have, and what Pillow makes of gray values above 255.

    It adds `below_zero`, which makes the least one 0, and divides by `spread`, which makes the greatest one that of 16 bits.
    """

    greatest: int
    spread: float = 1.0
    below_zero: int = 0

    def as_stored(self, gray: Values) -> Values:
        """Return gray values as they are in the file: a window that was chosen is meant for these."""
        if not 255 < self.greatest <= 65535 or (self.spread, self.below_zero) == (1, 0):
            return gray
        return np.rint(gray * self.spread).astype(np.int32) - self.below_zero


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Say that a picture is one image; raises UnreadableImage where none begins here, such as for text."""
    with opened_picture(file, FORMATS):
        return Contents()


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the picture: 8-bit values are kept as they are, of deeper ones `gray.to_8_bit` says how they become so.

    EXIF orientation is honored, transparency laid on black unless it hides everything, CMYK converted.

    Raises UnreadableImage for anything that is not one whole, finite image of at most MAX_PIXELS pixels.
    """
    with opened_picture(file, FORMATS) as image:
        # Not how many: to count them may take as long as the file likes.
        if getattr(image, "is_animated", False):
            raise UnreadableImage("more than one image: an animation")
        for _ in positions(parts, "image", 1, first=1):
            yield decoded_alone(partial(_decode, file, image, reading.window), _DAMAGED)


def in_color(file: BufferedReader) -> bool:
    """Return whether a picture shows color, by a look at few of its pixels; raises UnreadableImage where it cannot be read."""
    with opened_picture(file, (*FORMATS, "TIFF")) as image:
        if _is_gray(image):
            return False
        require_size(image.width, image.height)
        if image.format == "JPEG":
            _of_few_scans(file)
        image.draft("RGB", (LOOK_SIDE_PX, LOOK_SIDE_PX))
        image.thumbnail((LOOK_SIDE_PX, LOOK_SIDE_PX), PIL.Image.Resampling.BOX)
        return has_color(np.asarray(image.convert("RGB")))


@contextmanager
def opened_picture(file: BufferedReader, formats: tuple[str, ...]) -> Iterator[PIL.Image.Image]:
    """Open a file with Pillow as one of its `formats`; raises UnreadableImage."""
    with damage_named(_DAMAGED):
        try:
            image = PIL.Image.open(file, formats=formats)
        except PIL.UnidentifiedImageError:
            raise UnreadableImage(f"not an image: not a complete {', '.join(FORMATS)} or other known file") from None
        except PIL.Image.DecompressionBombError:
            raise UnreadableImage(f"too large: declares more than {2 * (PIL.Image.MAX_IMAGE_PIXELS or 0)} pixels") from None
        if image.format == "MPO":
            # A telephone's photograph, and behind it in the file what belongs to it, such as a map of depth (CIPA DC-007).
            file.seek(0)
            image = JpegImageFile(file)
        with image:
            yield image


def upright(image: PIL.Image.Image) -> Values:
    """Return the values of a picture as Pillow decodes it, (H, W) or (H, W, 3), turned upright and laid on black."""
    image.load()
    if _orientation(image) != 1:  # or it would be copied for nothing
        image = PIL.ImageOps.exif_transpose(image)
    if image.has_transparency_data and not image.mode.startswith("I"):
        faded = np.asarray(image.convert("RGBA"))
        return gray_if_equal(on_black(faded[..., :3], faded[..., 3]))
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if _is_gray(image):
        return native(np.asarray(image))
    # Converted, it would be copied.
    return gray_if_equal(np.asarray(image if image.mode == "RGB" else image.convert("RGB")))


def _decode(file: BufferedReader, image: PIL.Image.Image, chosen: Window | None) -> Decoded | UnreadableImage:
    require_size(image.width, image.height)
    values = _of_jpeg(file, image) if image.format == "JPEG" else _of_others(file, image)
    return decoded(values, partial(to_8_bit, chosen=chosen))


def _of_others(file: BufferedReader, image: PIL.Image.Image) -> Values:
    """Return the values of a picture that is no JPEG, upright and as they are stored."""
    depth = _depth(file, image)
    if _is_gray(image):
        return depth.as_stored(upright(image))
    if depth.greatest <= 255:
        return upright(image)
    # OpenCV takes half a file for a whole one, Pillow does not.
    image.load()
    return turned(_deep_color(file), _orientation(image))


def _of_jpeg(file: BufferedReader, image: PIL.Image.Image) -> Values:
    """Return the values of a JPEG that Pillow has opened, as `upright` does, and strictly; raises UnreadableImage."""
    stream = _of_few_scans(file)
    if image.mode == "CMYK":
        # What its inks look like Pillow knows.
        jpeg.require_whole(stream)
        return upright(image)
    values = jpeg.decode(stream, "GRAY" if _is_gray(image) else "RGB", image.width, image.height)
    if values is None:
        return upright(image)
    values = turned(values, _orientation(image))
    return values if values.ndim == 2 else gray_if_equal(values)


def _of_few_scans(file: BufferedReader) -> bytes:
    """Return the bytes of a JPEG, and leave `file` where it stood; raises UnreadableImage for one of over MAX_JPEG_SCANS."""
    place = file.tell()
    file.seek(0)
    stream = file.read()
    file.seek(place)
    if scans(stream) > MAX_JPEG_SCANS:
        raise UnreadableImage(f"too large: a JPEG of more than {MAX_JPEG_SCANS} scans, each of which takes as long as an image")
    return stream


def _orientation(image: PIL.Image.Image) -> int:
    said = image.getexif().get(_ORIENTATION, 1)
    return said if isinstance(said, int) else 1


def _is_gray(image: PIL.Image.Image) -> bool:
    return image.mode in _GRAY or image.mode.startswith("I;16")


def _depth(file: BufferedReader, image: PIL.Image.Image) -> _Depth:
    """Return what a picture that is not decoded yet says of its values."""
    if isinstance(image, PpmImageFile):
        arguments = image.tile[0].args
        greatest = int(arguments[1]) if isinstance(arguments, tuple) else 255
        return _Depth(greatest, spread=greatest / 65535)
    place = file.tell()
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(place)
    if image.format == "PNG":
        return _Depth((1 << head[_PNG_DEPTH_AT]) - 1)
    if image.format == "JPEG2000":
        # The size segment of ISO 15444-1, A.5.1: bits less one, and in the highest bit whether the values have a sign.
        said = head[head.index(_JPEG2000_SIZE) + _JPEG2000_DEPTH_AFTER]
        bits = 1 + (said & 127)
        return _Depth((1 << bits) - 1, spread=2.0 ** (bits - 16), below_zero=(1 << bits - 1) * (said >> 7))
    return _Depth(255)


def _deep_color(file: BufferedReader) -> Values:
    file.seek(0)
    values = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise UnreadableImage(_DAMAGED)
    if values.ndim == 2:
        return values
    color = np.ascontiguousarray(values[..., 2::-1])
    return gray_if_equal(color if values.shape[2] == 3 else on_black(color, values[..., 3]))
