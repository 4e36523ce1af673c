"""What values of several channels become, at any depth: laid on black, turned upright, one channel where all are equal."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.images.formats.image import Values

# A picture has color where the channels of more than COLOR_SHARE of its pixels lie COLOR_LEVELS or more apart, of 255: JPEG
# makes gray that was stored as color a few levels colored, and a mark of a few pixels leaves a scan gray.
COLOR_LEVELS = 16
COLOR_SHARE = 0.001

# Orientation in EXIF and TIFF -> what turns the stored rows and columns upright.
_TURNS: dict[int, Callable[[Values], Values]] = {
    2: np.fliplr,
    3: lambda values: np.rot90(values, 2),
    4: np.flipud,
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values, 3),
    7: lambda values: np.rot90(values, 2).swapaxes(0, 1),
    8: np.rot90,
}


def turned(values: Values, orientation: int) -> Values:
    """Turn (H, W) or (H, W, C) upright by the orientation that its file names, 1 to 8; another number turns nothing."""
    return np.ascontiguousarray(_TURNS.get(orientation, np.asarray)(values))


def on_black(color: Values, alpha: Values) -> Values:
    """Lay (H, W) or (H, W, 3) on black by `alpha` (H, W), whose greatest value is its type's.

    An alpha that is 0 everywhere hides the whole picture and is ignored: some programs write it so.
    """
    opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1
    if not alpha.any() or (alpha == opaque).all():
        return color
    # float32 has room for 16 bits, and what is deeper is no picture with transparency.
    share = alpha.astype(np.float32) / np.float32(opaque)
    laid = color * (share if color.ndim == 2 else share[..., np.newaxis])
    rounded: Values = np.rint(laid) if color.dtype.kind in "iu" else laid
    return rounded.astype(color.dtype)


def has_color(pixels: npt.NDArray[np.uint8]) -> bool:
    """Return whether (H, W) or (H, W, 3) pixels show color, by COLOR_LEVELS and COLOR_SHARE."""
    if pixels.ndim == 2:
        return False
    red, green, blue = cv2.split(pixels)  # along an axis of three NumPy takes ten times as long
    apart = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    return bool((apart >= COLOR_LEVELS).mean() > COLOR_SHARE)
