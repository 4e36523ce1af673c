"""Pictures that Pillow reads: JPEG, PNG, BMP, GIF and WebP of one image, and each page of a TIFF."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader

import numpy as np
import PIL.Image
import PIL.ImageOps
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

from fewscan.data.formats.image import (
    Contents,
    Decoded,
    UnreadableImage,
    Values,
    damage_named,
    decoded,
    decoded_alone,
    gray_if_equal,
    native,
    numbered,
    positions,
    require_size,
)
from fewscan.data.formats.reading import Reading

NAME = "picture"
NEEDS: str | None = None
# Others that Pillow knows are left out on purpose: EPS, for one, would start another program.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP")

_TIFF_WHITE_IS_ZERO = 0
_DAMAGED = "truncated or damaged: not one whole picture"


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Name the pages of a TIFF; every other picture is one image, or is set aside when it is read."""
    try:
        with _opened(file) as image:
            pages = image.n_frames if isinstance(image, TiffImageFile) else 1
    except UnreadableImage:
        return Contents()  # why it cannot be read is for `read` to say
    return Contents(numbered("page", pages, first=1))


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the images that `parts` names.

    8-bit values are kept as they are. Gray of 16 or 32 bits and floats are mapped linearly, WINDOW_PERCENTILES to 0 and 255;
    of color with 16 bits a channel the upper 8 are kept. EXIF orientation is honored, transparency composited onto black,
    CMYK converted.

    Raises UnreadableImage for anything that is not one whole, finite image of at most MAX_PIXELS pixels; a bad page of a TIFF
    is set aside alone.
    """
    with _opened(file) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and not isinstance(image, TiffImageFile):
            raise UnreadableImage(f"more than one image: {frames} frames")
        for position in positions(parts, "page", frames, first=1):
            yield decoded_alone(partial(_decode, image, position), _DAMAGED)


@contextmanager
def _opened(file: BufferedReader) -> Iterator[PIL.Image.Image]:
    with damage_named(_DAMAGED):
        try:
            image = PIL.Image.open(file, formats=FORMATS)
        except PIL.UnidentifiedImageError:
            raise UnreadableImage(f"not an image: no whole {', '.join(FORMATS)} begins here") from None
        except PIL.Image.DecompressionBombError:
            raise UnreadableImage(f"too large: declares more than {2 * (PIL.Image.MAX_IMAGE_PIXELS or 0)} pixels") from None
        with image:
            yield image


def _decode(image: PIL.Image.Image, position: int) -> Decoded | UnreadableImage:
    image.seek(position)
    require_size(image.width, image.height)
    # Pillow turns these round for 8 bits and fewer, but not for more.
    photometric = image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) if isinstance(image, TiffImageFile) else None
    return decoded(_upright(PIL.ImageOps.exif_transpose(image), photometric == _TIFF_WHITE_IS_ZERO))


def _upright(image: PIL.Image.Image, white_is_zero: bool) -> Values:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        deep = native(np.asarray(image))
        return deep.max() - deep if white_is_zero else deep
    if image.has_transparency_data:
        black = PIL.Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = PIL.Image.alpha_composite(black, image.convert("RGBA"))
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    return gray_if_equal(np.asarray(image.convert("RGB")))
