"""Step 3, align: the two images of a pair are laid over each other by shift and scale, from coarse to fine.

Inverse compositional Gauss-Newton (Baker and Matthews, IJCV 2004). The similarity is the correlation of what is left after the
local brightness and contrast have been removed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewscan.data.copies.images import (
    Floats,
    Int64s,
    Pixels,
    bin_centers,
    blurred,
    read_gray,
    read_windows,
    resized,
    slopes_of,
    whole_frames,
    without_contrast,
)


@dataclass(frozen=True)
class Level:
    """One resolution of the alignment; `least` is the correlation below which a pair is given up, [-1, 1]."""

    size_px: int
    blur_px: float
    contrast_px: float
    steps: int
    least: float


# Coarse levels bridge shifts of an eighth of the frame; the last one sees the folds that tell one head from another.
# The first ones are prepared once for every image, the others for the pairs that reach them.
COARSE_LEVELS = (
    Level(size_px=16, blur_px=0.5, contrast_px=3.0, steps=8, least=0.7),
    Level(size_px=32, blur_px=0.6, contrast_px=3.0, steps=5, least=0.82),
)
FINE_LEVELS = (
    Level(size_px=48, blur_px=0.6, contrast_px=2.0, steps=4, least=0.80),
    Level(size_px=96, blur_px=0.8, contrast_px=2.5, steps=3, least=-1.0),
)


def at_level(gray: Floats, level: Level) -> Floats:
    """Return (B, S, S) gray images as a level of the alignment sees them."""
    return without_contrast(blurred(resized(gray, level.size_px), level.blur_px), level.contrast_px)


def aligned_similarity(pixels: Pixels, rows: Int64s, coarse: tuple[npt.NDArray[np.float16], ...], pairs: Int64s) -> Floats:
    """Return (P,) the correlation of every pair after alignment, -1 where it was given up at an earlier level."""
    similarity = np.full(len(pairs), -1, np.float32)
    left = np.arange(len(pairs))
    window = whole_frames(len(pairs))
    score = similarity
    for number, level in enumerate(COARSE_LEVELS + FINE_LEVELS):
        first, second, flip = pairs[left].T
        if number < len(COARSE_LEVELS):
            a, b = coarse[number][first].astype(np.float32), coarse[number][second].astype(np.float32)
        else:
            a, b = at_level(read_gray(pixels, rows[first]), level), at_level(read_gray(pixels, rows[second]), level)
        b = np.where(flip[:, None, None] == 1, b[:, :, ::-1], b)
        window, score = _align(a, b, window, level.steps)
        kept = score >= level.least
        left, window, score = left[kept], window[kept], score[kept]
        if not len(left):
            break
    similarity[left] = score
    return similarity


def _align(a: Floats, b: Floats, window: Floats, steps: int) -> tuple[Floats, Floats]:
    """Improve the windows (P, 4) of b (P, n, n) that show what a (P, n, n) shows; return the best and their correlation."""
    size_px = a.shape[-1]
    place = bin_centers(size_px)
    across, down = (slope * np.float32(size_px / 2) for slope in slopes_of(a))
    slopes = np.stack([across, down, across * place, down * place[:, None]], axis=1).reshape(len(a), 4, -1)
    best, best_score = window, np.full(len(a), -2, np.float32)
    for step in range(steps + 1):
        seen = read_windows(b, window, size_px)
        inside_x = (np.abs(window[:, 0:1] + window[:, 2:3] * place) <= 1).astype(np.float32)
        inside_y = (np.abs(window[:, 1:2] + window[:, 3:4] * place) <= 1).astype(np.float32)
        inside = inside_y[:, :, None] * inside_x[:, None, :]
        overlap = np.maximum(inside.sum(axis=(1, 2)), 1)
        centered_a, centered_b = _centered(a, inside, overlap), _centered(seen, inside, overlap)
        product, energy_a, energy_b = _dot(centered_a, centered_b), _dot(centered_a, centered_a), _dot(centered_b, centered_b)
        score = product / np.sqrt(energy_a * energy_b + 1e-6)
        better = score > best_score
        best, best_score = np.where(better[:, None], window, best), np.where(better, score, best_score)
        if step == steps:
            break
        gain = np.clip(product / (energy_b + 1e-6), 0.3, 3)
        residual = (gain[:, None, None] * centered_b - centered_a).reshape(len(a), -1, 1)
        slopes_inside = slopes * inside.reshape(len(a), 1, -1)
        curvature = slopes_inside @ slopes_inside.transpose(0, 2, 1)
        damping = 1e-3 * np.trace(curvature, axis1=1, axis2=2) / 4 + 1e-6
        curvature += damping[:, None, None] * np.eye(4, dtype=np.float32)
        change = np.clip(np.linalg.solve(curvature, slopes_inside @ residual)[:, :, 0], -0.15, 0.15)
        # The step was found in a's frame: undo it there, then go through the window.
        half = window[:, 2:] / (1 + change[:, 2:])
        center = window[:, :2] - half * change[:, :2]
        window = np.concatenate([np.clip(center, -0.5, 0.5), np.clip(half, 0.66, 1.5)], axis=1)
    return best, best_score


def _centered(images: Floats, inside: Floats, overlap: Floats) -> Floats:
    mean = _dot(images, inside) / overlap
    return (images - mean[:, None, None]) * inside


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("pij,pij->p", a, b), np.float32)
