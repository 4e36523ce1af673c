"""What the steps share: reading, smoothing and resampling of many small gray images at once.

A window of an image is (center x, center y, half width, half height) in units in which the frame reaches from -1 to 1.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
BATCH = 256
# An image whose gray levels spread less than this shows nothing that could be compared.
BLANK_STD = 2.0


def read_gray(pixels: Pixels, rows: Int64s) -> Floats:
    """Read rows of (N, C, S, S) uint8 as (B, S, S) float32 in [0, 255]."""
    return np.asarray(pixels[rows].mean(axis=1, dtype=np.float32), np.float32)


def in_batches(rows: Int64s) -> Iterator[Int64s]:
    """Cut row numbers into batches that fit the cache."""
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def showing_something(pixels: Pixels, rows: Int64s) -> Int64s:
    """Return the rows whose images are not blank."""
    shown = [batch[read_gray(pixels, batch).std(axis=(1, 2)) >= BLANK_STD] for batch in in_batches(rows)]
    return np.concatenate([rows[:0], *shown])


def smoothing(at: npt.NDArray[Any], sigma: float) -> Floats:
    """Gaussian weights (len(at), n) around the places `at` of n bins, each row with sum 1."""
    weights = np.exp(-(at**2) / (2 * sigma**2))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


@cache
def _blur_weights(size_px: int, sigma_px: float) -> Floats:
    at = np.arange(size_px, dtype=np.float32)
    return smoothing(at[:, None] - at, sigma_px)


def blurred(images: Floats, sigma_px: float) -> Floats:
    """Gaussian blur of (B, n, n) images."""
    weights = _blur_weights(images.shape[-1], sigma_px)
    return np.asarray(weights @ images @ weights.T, np.float32)


def without_contrast(images: Floats, sigma_px: float) -> Floats:
    """Remove the local mean and the local contrast, (B, n, n) -> (B, n, n); flat parts become 0, not amplified noise."""
    floor = 0.16 * images.std(axis=(1, 2), keepdims=True) + 1e-3
    centered = images - blurred(images, sigma_px)
    return np.asarray(centered / np.sqrt(blurred(centered * centered, sigma_px) + floor**2), np.float32)


@cache
def bin_centers(size_px: int) -> Floats:
    """Return the centers of `size_px` bins over [-1, 1]."""
    return np.asarray((np.arange(size_px, dtype=np.float32) + 0.5) / size_px * 2 - 1, np.float32)


def _resampling(center: Floats, half: Floats, from_px: int, to_px: int) -> Floats:
    """(B, to_px, from_px) linear weights that read center +- half of the frame; wide enough not to alias."""
    at = np.clip((center[:, None] + half[:, None] * bin_centers(to_px) + 1) * (from_px / 2) - 0.5, 0, from_px - 1)
    reach = np.maximum(half * (from_px / to_px), 1)[:, None, None]
    weights = 1 - np.abs(at[:, :, None] - np.arange(from_px, dtype=np.float32)) / reach
    np.maximum(weights, 0, out=weights)
    weights /= weights.sum(axis=2, keepdims=True)
    return np.asarray(weights, np.float32)


def read_windows(images: Floats, window: Floats, to_px: int) -> Floats:
    """Read `window` (B, 4) of every image (B, S, S) -> (B, to_px, to_px); beyond the frame its border is repeated."""
    across = _resampling(window[:, 0], window[:, 2], images.shape[-1], to_px)
    down = _resampling(window[:, 1], window[:, 3], images.shape[-1], to_px)
    return np.asarray(down @ images @ across.transpose(0, 2, 1), np.float32)


def whole_frames(count: int) -> Floats:
    """(count, 4) windows that show the whole frame."""
    return np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1))


def resized(images: Floats, to_px: int) -> Floats:
    """(B, S, S) -> (B, to_px, to_px)."""
    return images if images.shape[-1] == to_px else read_windows(images, whole_frames(1), to_px)


def slopes_of(images: Floats) -> tuple[Floats, Floats]:
    """Return the central differences across and down, per pixel; 0 at the border."""
    across, down = np.zeros_like(images), np.zeros_like(images)
    across[:, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    down[:, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    return across, down


def to_unit(vectors: Floats) -> Floats:
    """Scale vectors (B, D) to length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)
