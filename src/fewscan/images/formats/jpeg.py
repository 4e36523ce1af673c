"""JPEG, read strictly: what libjpeg only warns of, while it fills in gray or goes on out of step, is refused here."""

from typing import Literal

import numpy as np
import simplejpeg

from fewscan.images.formats.codestreams import declared
from fewscan.images.formats.image import Pixels, UnreadableImage, require_size

Colors = Literal["GRAY", "RGB", "CMYK"]

_CHANNELS: dict[Colors, int] = {"GRAY": 1, "RGB": 3, "CMYK": 4}
# So begins what is said of a header, and nothing of a picture's data: that TurboJPEG, libjpeg's simple interface, does not take
# such a file, as where colors are stored with fewer pixels in an unusual way, and three of libjpeg's warnings (jerror.h). Its
# others are about the data: codes that do not exist, data that ends before the picture or goes on behind it.
_OF_THE_HEADER = ("tj", "Invalid SOS parameters", "Warning: unknown JFIF revision", "Unknown Adobe color transform")
_DAMAGED = "truncated or damaged: not a complete JPEG"


def decode(stream: bytes, colors: Colors, width: int, height: int) -> Pixels | None:
    """Return the picture of a JPEG of 8 bits that is `width` x `height` pixels large, (H, W) for gray, else (H, W, C) uint8.

    Values are those of Pillow, libjpeg's with its defaults. None: its header is unusual, and Pillow must read it. Raises
    UnreadableImage where data are damaged as far as that can be known: JPEG has no checksum, so damage behind which the codes
    fall into step again, with as many of them, is not noticed.
    """
    # Of the size that was declared and is allowed, so that a second header cannot ask for more.
    buffer = np.empty((height, width, _CHANNELS[colors]), np.uint8)
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(stream, colors, buffer=buffer)
    except ValueError as refused:
        if str(refused).startswith(_OF_THE_HEADER):
            return None
        raise UnreadableImage(_DAMAGED) from None
    if pixels.shape != buffer.shape:
        raise UnreadableImage(_DAMAGED)
    return pixels[..., 0] if colors == "GRAY" else pixels


def require_whole(stream: bytes) -> None:
    """Raise UnreadableImage where the data of a JPEG of 8 bits, which another library decodes, are damaged; see `decode`."""
    size = declared(stream)
    if size is None:
        raise UnreadableImage(_DAMAGED)
    require_size(size.width, size.height)
    # Gray, where it can be had, leaves out what only colors need.
    decode(stream, "CMYK" if size.channels == 4 else "GRAY", size.width, size.height)
