"""Step 3, align: one image of a pair is laid over the other by an affine map, from coarse to fine.

Enhanced correlation coefficient maximization (Evangelidis and Psarakis, PAMI 2008), by OpenCV, on images whose local brightness
and contrast have been removed. A pair whose maximum cannot be reached is no copy.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.data.copies.images import WORK_PX, Floats, Int64s, Pixels, blurred, read_gray, reduced, without_contrast
from fewscan.data.copies.placing import UNMOVED, Placing, combined, from_pixels, in_pixels, overlap, placed

# An affine map that shrinks or stretches more than this has run away.
LARGEST_STRETCH = 2.5


@dataclass(frozen=True)
class Level:
    """One resolution of the alignment; `least` is the correlation below which a pair is given up, [-1, 1]."""

    size_px: int
    blur_px: float
    contrast_px: float
    steps: int
    least: float


# At 16 px turns of some degrees and shifts of an eighth of the frame are bridged; at 96 px folds are laid over folds.
LEVELS = (
    Level(size_px=16, blur_px=0.5, contrast_px=3.0, steps=15, least=0.4),
    Level(size_px=32, blur_px=0.6, contrast_px=3.0, steps=15, least=0.66),
    Level(size_px=48, blur_px=0.6, contrast_px=2.0, steps=10, least=0.62),
    Level(size_px=96, blur_px=0.8, contrast_px=2.5, steps=6, least=0.4),
)


@dataclass(frozen=True)
class Aligned:
    """Pairs in the frame of their second image: `which` of those asked for, both images there (P, WORK_PX, WORK_PX).

    `inside` is 1 where the first image shows something, else 0. `placings` (P, 2, 3) map the frame of the second image to that
    of the first. `signs` (P,): -1 where one image is the other's negative, else 1.
    """

    which: Int64s
    first: Floats
    second: Floats
    inside: Floats
    placings: npt.NDArray[np.float64]
    signs: npt.NDArray[np.float32]


def align(
    pixels: Pixels,
    rows: Int64s,
    first: Int64s,
    second: Int64s,
    placings: npt.NDArray[np.float64],
    levels: tuple[Level, ...] = LEVELS,
) -> Aligned:
    """Lay image `first` (P,) over image `second` (P,), numbers of `rows`, from a rough placing (P, 2, 3) of each pair on."""
    numbers, places = np.unique(np.stack([first, second]), return_inverse=True)
    gray = read_gray(pixels, rows[numbers])
    a, b = places.reshape(2, -1)
    which, signs = np.arange(len(first)), np.ones(len(first), np.float32)
    for level in levels:
        shown, inside = _shown(gray[a[which]], placings, level.size_px)
        needed, places = np.unique(b[which], return_inverse=True)
        moved, templates = _at_level(shown, level), _at_level(gray[needed], level)[places]
        correlation = _correlation(moved, templates, inside)
        signs = np.where(correlation < 0, -1, 1).astype(np.float32)
        moved *= signs[:, None, None]
        steps = [_step(*pair, level.steps) for pair in zip(templates, moved, inside, strict=True)]
        kept = np.array([step is not None for step in steps], bool)
        better = [combined(placing, step) for placing, step in zip(placings, steps, strict=True) if step is not None]
        which, signs, placings = which[kept], signs[kept], np.array(better, np.float64).reshape(-1, 2, 3)
        agreeing = _correlation(
            _moved(moved[kept], [step for step in steps if step is not None]), templates[kept], inside[kept]
        )
        kept = agreeing >= level.least
        which, signs, placings = which[kept], signs[kept], placings[kept]
    shown, inside = _shown(gray[a[which]], placings, WORK_PX)
    return Aligned(which, shown, gray[b[which]], inside, placings, signs)


def _shown(gray: Floats, placings: npt.NDArray[np.float64], size_px: int) -> tuple[Floats, Floats]:
    """Return images (P, WORK_PX, WORK_PX) in other frames, and (P, size_px, size_px) where they show something there."""
    shown = [placed(image, placing, WORK_PX) for image, placing in zip(gray, placings, strict=True)]
    inside = [overlap(placing, size_px) for placing in placings]
    return _stacked(shown, WORK_PX), _stacked(inside, size_px)


def _moved(images: Floats, steps: list[Placing]) -> Floats:
    size_px = images.shape[-1]
    return _stacked([placed(image, step, size_px) for image, step in zip(images, steps, strict=True)], size_px)


def _stacked(images: list[Floats], size_px: int) -> Floats:
    return np.array(images, np.float32).reshape(-1, size_px, size_px)


def _at_level(gray: Floats, level: Level) -> Floats:
    return without_contrast(blurred(reduced(gray, level.size_px), level.blur_px), level.contrast_px)


def _correlation(a: Floats, b: Floats, inside: Floats) -> Floats:
    """Return (P,) the correlation of images (P, n, n) where `inside` is 1."""
    counted = np.maximum(inside.sum(axis=(1, 2)), 1)
    a, b = ((image - (_dot(image, inside) / counted)[:, None, None]) * inside for image in (a, b))
    return np.asarray(_dot(a, b) / np.sqrt(_dot(a, a) * _dot(b, b) + 1e-6), np.float32)


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("pij,pij->p", a, b), np.float32)


def _step(template: Floats, image: Floats, inside: Floats, steps: int) -> Placing | None:
    """Return the placing of the template's points in the image that agrees best, None where none is near."""
    size_px = len(template)
    start: Any = in_pixels(UNMOVED, size_px, size_px)
    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, steps, 1e-4)
    try:
        _, matrix = cv2.findTransformECC(template, image, start, cv2.MOTION_AFFINE, until, inside.astype(np.uint8), 3)
    except cv2.error:
        # This is how OpenCV says that the images do not overlap or do not correlate.
        return None
    best = from_pixels(np.asarray(matrix, np.float32), size_px)
    stretch = np.linalg.svd(best[:, :2], compute_uv=False)
    return best if stretch[0] <= LARGEST_STRETCH and stretch[1] >= 1 / LARGEST_STRETCH else None
