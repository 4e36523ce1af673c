"""One image file -> one array of grey or colour pixels, with the hashes that tell copies; and the resizing that all share."""

import hashlib
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

from fewscan.data.dataset import Resize

# Others that Pillow knows are left out on purpose: EPS, for one, would start another program.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP")
MAX_PIXELS = 64_000_000

# Percentiles of an image's own values that become black and white where they have more than 8 bits. Not its least and
# greatest: one hot pixel or bright vessel would push all tissue into a few dark greys. Not the range of the type: 12 bits
# kept in 16 would be nearly black.
WINDOW_PERCENTILES = (0.1, 99.9)

_BLOCK_FILES = 1024
_TIFF_WHITE_IS_ZERO = 0
# What Pillow's decoders are known to raise on damaged files, beside OSError.
_DAMAGE = (
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Image:
    """What was read from one file.

    `pixels` is uint8, (H, W) or (H, W, 3). `sha256` is over the file's bytes. `pixels_sha256` is over type, shape and values as
    decoded: upright, alpha composited, colour with three equal channels as one, before any change of depth or size. `width_px`
    and `height_px` are the upright image's.
    """

    pixels: Pixels
    sha256: str
    pixels_sha256: str
    width_px: int
    height_px: int


class UnreadableImage(Exception):  # noqa: N818 - it describes a file among many, not a fault of the program
    """A file that cannot be used; `reason` is one line, its kind before the first colon.

    `sha256` is over the file's bytes, or None where these could not be read.
    """

    def __init__(self, reason: str, sha256: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sha256 = sha256


def read_image(path: Path, channels: Literal[1, 3] = 1) -> Image:
    """Read a JPEG, PNG, TIFF, BMP, GIF or WebP file of one image.

    8-bit values are kept as they are, and colour becomes grey by ITU-R 601 luminance. Grey of 16 or 32 bits and floats are
    mapped linearly, WINDOW_PERCENTILES to 0 and 255; of colour with 16 bits a channel the upper 8 are kept. EXIF orientation
    is honoured, transparency composited onto black, CMYK converted.

    Raises UnreadableImage for anything that is not one whole, finite image of at most MAX_PIXELS pixels.
    """
    try:
        # A pipe among the files would block for ever when opened.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableImage("not a regular file")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if file.tell() == 0:
                raise UnreadableImage("empty file", sha256)
            file.seek(0)
            try:
                decoded = _decode(file)
            except UnreadableImage as unreadable:
                raise UnreadableImage(unreadable.reason, sha256) from None
    except FileNotFoundError:
        raise UnreadableImage("no such file") from None
    except PermissionError:
        raise UnreadableImage("no permission to read it") from None
    except OSError as error:
        raise UnreadableImage(f"cannot be read: {error.strerror or error}") from None

    height, width = decoded.shape[:2]
    return Image(_to_channels(_to_8_bit(decoded), channels), sha256, _pixels_digest(decoded), width, height)


def read_images(
    paths: Sequence[Path], *, size_px: int, resize: Resize, channels: Literal[1, 3], workers: int | None = None
) -> Generator[Image | UnreadableImage, None, None]:
    """Read many files on all cores and yield, in their order, images whose `pixels` are fitted to (C, S, S).

    A file that cannot be used yields its UnreadableImage. The result does not depend on `workers` (default: one per core).
    Close the generator to stop early.
    """
    read = partial(_read_fitted, size_px=size_px, resize=resize, channels=channels)
    # Threads, because Pillow, numpy and hashlib let go of the interpreter while they work: no start-up, no pixels copied
    # between processes. In blocks, so that a million files are not a million waiting tasks.
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as executor, warnings.catch_warnings():
        # Pillow warns of odd tags in files that it reads well; what matters here is raised, not warned of.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for start in range(0, len(paths), _BLOCK_FILES):
            yield from executor.map(read, paths[start : start + _BLOCK_FILES])


def fit(pixels: Pixels, size_px: int, resize: Resize) -> Pixels:
    """Resize (H, W) or (H, W, 3) uint8 to (C, S, S) uint8, antialiased.

    `stretch` ignores the proportions; `pad` keeps them and centres the image on black.
    """
    height, width = pixels.shape[:2]
    scale = size_px / max(height, width)
    fitted = (size_px, size_px) if resize == "stretch" else (max(1, round(width * scale)), max(1, round(height * scale)))
    # Bilinear, as it is the one antialiased filter of Pillow's that neither rings at the skull's edge nor leaves blocks.
    resized = np.asarray(PIL.Image.fromarray(pixels).resize(fitted, PIL.Image.Resampling.BILINEAR))
    canvas = np.zeros((size_px, size_px, *pixels.shape[2:]), dtype=np.uint8)
    left, top = (size_px - fitted[0]) // 2, (size_px - fitted[1]) // 2
    canvas[top : top + fitted[1], left : left + fitted[0]] = resized
    return canvas[np.newaxis] if canvas.ndim == 2 else np.ascontiguousarray(canvas.transpose(2, 0, 1))


def _read_fitted(path: Path, size_px: int, resize: Resize, channels: Literal[1, 3]) -> Image | UnreadableImage:
    try:
        image = read_image(path, channels)
    except UnreadableImage as unreadable:
        return unreadable
    return replace(image, pixels=fit(image.pixels, size_px, resize))


def _decode(file: BinaryIO) -> npt.NDArray[Any]:
    try:
        with PIL.Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableImage(f"too large: declares {image.width} x {image.height} pixels")
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                raise UnreadableImage(f"more than one image: {frames} frames")
            # Pillow turns these round for 8 bits and fewer, but not for more.
            photometric = image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) if isinstance(image, TiffImageFile) else None
            decoded = _decode_upright(PIL.ImageOps.exif_transpose(image), photometric == _TIFF_WHITE_IS_ZERO)
    except PIL.UnidentifiedImageError:
        raise UnreadableImage(f"not an image: no whole {', '.join(FORMATS)} begins here") from None
    except PIL.Image.DecompressionBombError:
        raise UnreadableImage(f"too large: declares more than {2 * (PIL.Image.MAX_IMAGE_PIXELS or 0)} pixels") from None
    except (OSError, *_DAMAGE) as error:
        raise UnreadableImage(f"truncated or damaged: {' '.join(str(error).split()) or type(error).__name__}") from None
    if decoded.size == 0:
        raise UnreadableImage("truncated or damaged: it has no pixels")
    if not np.isfinite(decoded).all():
        raise UnreadableImage("not finite: it holds NaN or infinite values")
    return decoded


def _decode_upright(image: PIL.Image.Image, white_is_zero: bool) -> npt.NDArray[Any]:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        deep = np.asarray(image)
        deep = deep.astype(deep.dtype.newbyteorder("="))
        return deep.max() - deep if white_is_zero else deep
    if image.has_transparency_data:
        black = PIL.Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = PIL.Image.alpha_composite(black, image.convert("RGBA"))
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    colour = np.asarray(image.convert("RGB"))
    if (colour[..., 0] == colour[..., 1]).all() and (colour[..., 0] == colour[..., 2]).all():
        return np.ascontiguousarray(colour[..., 0])
    return colour


def _to_8_bit(decoded: npt.NDArray[Any]) -> Pixels:
    if decoded.dtype == np.uint8:
        return decoded
    black, white = np.percentile(decoded, WINDOW_PERCENTILES)
    if black == white:
        # Nearly all of it has one value: what little there is to see lies outside the window.
        black, white = float(decoded.min()), float(decoded.max())
    if black == white:
        return np.zeros(decoded.shape, dtype=np.uint8)
    # In place, since these may be 64 million values.
    scaled = decoded.astype(np.float64)
    scaled -= black
    scaled *= 255 / (white - black)
    scaled.clip(0, 255, out=scaled)
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _to_channels(pixels: Pixels, channels: Literal[1, 3]) -> Pixels:
    if channels == 1 and pixels.ndim == 3:
        return np.asarray(PIL.Image.fromarray(pixels).convert("L"))
    if channels == 3 and pixels.ndim == 2:
        return np.repeat(pixels[..., np.newaxis], 3, axis=2)
    return pixels


def _pixels_digest(decoded: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{decoded.dtype.name} {decoded.shape}".encode())
    digest.update(np.ascontiguousarray(decoded).data)
    return digest.hexdigest()
