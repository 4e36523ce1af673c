"""Other gray levels: what software that shows, exports or prepares scans does to brightness and contrast.

Scans are (H, W) or (H, W, 3) uint8. Each takes how much, and random numbers; see `corruptions.CORRUPTIONS` for the amounts.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.images.formats.image import Pixels
from fewscan.stressing.corruption import in_levels

# CLAHE looks at so many tiles each way, OpenCV's own default.
TILES = 8
MIDDLE_GRAY = 127.5

_LEVELS = np.arange(256, dtype=np.float64)


def equalized(scan: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Bring the levels on the way, as far as `share`, to where all are equally frequent; 0 changes nothing."""

    def change(gray: Pixels) -> Pixels:
        return in_levels(gray + share * (np.asarray(cv2.equalizeHist(gray)).astype(np.float32) - gray))

    return _of_brightness(scan, change)


def locally_equalized(scan: Pixels, clip: float, random: np.random.Generator) -> Pixels:
    """Equalize tile by tile with contrast limited by `clip` (CLAHE); source: Zuiderveld 1994, Graphics Gems IV, 474."""
    return _of_brightness(scan, lambda gray: np.asarray(cv2.createCLAHE(clip, (TILES, TILES)).apply(gray)))


def gamma(scan: Pixels, exponent: float, random: np.random.Generator) -> Pixels:
    """Raise brightness in [0, 1] to a power: below 1 brighter, above darker, 1 changes nothing."""
    return _level_by_level(scan, 255 * (_LEVELS / 255) ** exponent)


def flattened(scan: Pixels, factor: float, random: np.random.Generator) -> Pixels:
    """Pull all levels towards middle gray, so that black is lifted: `factor` in [0, 1], 1 changes nothing."""
    return _level_by_level(scan, MIDDLE_GRAY + factor * (_LEVELS - MIDDLE_GRAY))


def steepened(scan: Pixels, factor: float, random: np.random.Generator) -> Pixels:
    """Push levels away from the scan's mean, as a narrow window does: `factor` from 1, which changes nothing."""
    mean = float(scan.mean())
    return _level_by_level(scan, mean + factor * (_LEVELS - mean))


def inverted(scan: Pixels, contrast: float, random: np.random.Generator) -> Pixels:
    """Return the negative with a share of the contrast: 1 is the plain negative, which twice is the scan again."""
    return _level_by_level(scan, MIDDLE_GRAY - contrast * (_LEVELS - MIDDLE_GRAY))


def biased(scan: Pixels, ratio: float, random: np.random.Generator) -> Pixels:
    """Multiply by a field that is `ratio` times as bright at one side as at the other, in a random direction.

    So a coil leaves it that is nearer to one side; 1 changes nothing.
    """
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in scan.shape[:2])
    angle = random.uniform(0, 2 * np.pi)
    steepness = math.log(ratio) / 2
    across, down = np.exp(steepness * math.cos(angle) * columns), np.exp(steepness * math.sin(angle) * rows)
    field = down[:, np.newaxis] * across
    return in_levels(scan * (field if scan.ndim == 2 else field[..., np.newaxis]))


def _level_by_level(scan: Pixels, becomes: npt.NDArray[np.float64]) -> Pixels:
    """Give every pixel what its level becomes, (256,)."""
    return in_levels(becomes)[scan]


def _of_brightness(scan: Pixels, change: Callable[[Pixels], Pixels]) -> Pixels:
    """Change the brightness of a scan alone, so that colors stay what they are."""
    if scan.ndim == 2:
        return change(scan)
    parts = cv2.cvtColor(scan, cv2.COLOR_RGB2YCrCb)
    parts[..., 0] = change(np.ascontiguousarray(parts[..., 0]))
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB), np.uint8)
