"""Another frame around the head: how scans are turned, cut out, padded, scaled and made small.

Scans are (H, W) or (H, W, 3) uint8. Each takes how much, and random numbers; see `corruptions.CORRUPTIONS` for the amounts.
"""

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.images.formats.image import Pixels

Affine = npt.NDArray[np.float64]  # (2, 3), from pixels of the scan to pixels of its copy


def rotated(scan: Pixels, degrees: float, random: np.random.Generator) -> Pixels:
    """Turn around the middle, to one side or the other, within the same frame; corners become black."""
    return moved(scan, turning(scan.shape, degrees * random.choice([-1, 1])))


def turning(shape: tuple[int, ...], degrees: float) -> Affine:
    """Return how pixels of a scan of this shape move when it is turned around its middle."""
    height, width = shape[:2]
    return cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1).astype(np.float64)


def moved(scan: Pixels, affine: Affine) -> Pixels:
    """Return the scan with its pixels moved, within the same frame; what comes in is black."""
    height, width = scan.shape[:2]
    return cv2.warpAffine(scan, affine, (width, height)).astype(np.uint8)


def cut(scan: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Cut a share of height and width, below a half, away at either end."""
    rows, columns = (round(share * side) for side in scan.shape[:2])
    return np.ascontiguousarray(scan[rows : scan.shape[0] - rows, columns : scan.shape[1] - columns])


def padded(scan: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Add black margins, a share of height and width at either end."""
    return with_margins(scan, share, 0)


def with_margins(scan: Pixels, share: float, level: int) -> Pixels:
    """Add margins of a gray level, a share of height and width at either end."""
    rows, columns = (round(share * side) for side in scan.shape[:2])
    return np.pad(scan, [(rows, rows), (columns, columns), (0, 0)][: scan.ndim], constant_values=level)


def narrowed(scan: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Scale one axis, down or across, to a share of itself within the same frame; the rest becomes black."""
    axis = int(random.integers(2))
    sides = list(scan.shape[:2])
    sides[axis] = max(1, round(share * sides[axis]))
    height, width = sides
    top, left = (scan.shape[0] - height) // 2, (scan.shape[1] - width) // 2
    frame = np.zeros_like(scan)
    frame[top : top + height, left : left + width] = cv2.resize(scan, (width, height), interpolation=cv2.INTER_AREA)
    return frame


def of_fewer_pixels(scan: Pixels, pixels: float, random: np.random.Generator) -> Pixels:
    """Make the longer side `pixels` long, and as long as it was again; a scan that is no larger stays as it is."""
    height, width = scan.shape[:2]
    scale = pixels / max(height, width)
    if scale >= 1:
        return scan
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    reduced = cv2.resize(scan, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
