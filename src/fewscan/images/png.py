"""A scan as a picture: as files hold it, as a small PNG, and inside a page."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

# Wider than a scan on a page is shown; a larger one only makes the page heavier.
LARGEST_SCAN_PX = 224
# On a page of hundreds of scans.
SMALL_SCAN_PX = 128
# As many gray pictures of 96 px keep a page under 5 MB; of larger or colored ones there are fewer.
_PICTURES, _PICTURE_PX = 340, 96


def pictures_of_a_page(channels: int, size_px: int) -> int:
    """Return how many scans (channels, size_px, size_px), as pictures of SMALL_SCAN_PX at most, keep a page under 5 MB."""
    shown_px = min(size_px, SMALL_SCAN_PX)
    return max(1, int(_PICTURES * min(1.0, (_PICTURE_PX / shown_px) ** 2) / channels))


def as_in_a_file(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a scan (C, H, W) uint8 as pictures hold it: gray (H, W), color (H, W, 3)."""
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def scan_picture(pixels: npt.NDArray[np.uint8], largest_px: int = LARGEST_SCAN_PX) -> str:
    """Return a scan (C, H, W) uint8, C being 1 or 3, as a PNG data URI; larger ones are shrunk to `largest_px`."""
    # A percent or two larger than at the highest level, in less than half the time.
    return png_uri(small_png(as_in_a_file(pixels), largest_px, compress_level=4))


def small_png(picture: npt.NDArray[np.uint8], largest_px: int, *, compress_level: int) -> bytes:
    """Return a picture (H, W) or (H, W, 3) as the content of a PNG file; a larger one is shrunk to `largest_px`."""
    image = Image.fromarray(picture)
    image.thumbnail((largest_px, largest_px))
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=compress_level)
    return file.getvalue()


def png_uri(png: bytes) -> str:
    """Return a PNG file's content as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
