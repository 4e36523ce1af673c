"""What the steps share: reading and smoothing of many small gray images at once."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.images.stored import StoredImages

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# All images are compared at this size, whatever they are stored at.
WORK_PX = 96
BATCH = 256
# Up to this size two products of matrices blur an image sooner than a filter does.
SMALL_PX = 48
# An image whose gray levels spread less than this shows nothing that could be compared.
BLANK_STD = 2.0


def read_gray(pixels: StoredImages, rows: Int64s) -> Floats:
    """Read rows of (N, C, S, S) uint8 as (B, WORK_PX, WORK_PX) float32 in [0, 255]; color is read as its mean."""
    gray = np.asarray(pixels[rows].mean(axis=1, dtype=np.float32), np.float32)
    if gray.shape[-1] == WORK_PX:
        return gray
    smoothly = cv2.INTER_AREA if gray.shape[-1] > WORK_PX else cv2.INTER_LINEAR
    resized = [cv2.resize(image, (WORK_PX, WORK_PX), interpolation=smoothly) for image in gray]
    return np.asarray(resized, np.float32).reshape(-1, WORK_PX, WORK_PX)


def in_batches(rows: Int64s, size: int = BATCH) -> Iterator[Int64s]:
    """Cut row numbers into batches, by default such that fit the cache."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def showing_something(pixels: StoredImages, rows: Int64s) -> Int64s:
    """Return the rows whose images are not blank."""
    shown = [batch[read_gray(pixels, batch).std(axis=(1, 2)) >= BLANK_STD] for batch in in_batches(rows)]
    return np.concatenate([rows[:0], *shown])


def smoothing(at: npt.NDArray[Any], sigma: float) -> Floats:
    """Gaussian weights (len(at), n) around the places `at` of n bins, each row with sum 1."""
    weights = np.exp(-(at**2) / (2 * sigma**2))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def blurred(images: Floats, sigma_px: float) -> Floats:
    """Gaussian blur of (B, n, n) images, beyond whose edges they are mirrored."""
    if images.shape[-1] <= SMALL_PX:
        blur = _blur(images.shape[-1], sigma_px)
        return np.asarray(blur @ images @ blur.T, np.float32)
    out = np.empty_like(images)
    for number, image in enumerate(images):
        cv2.GaussianBlur(image, (0, 0), sigma_px, dst=out[number], borderType=cv2.BORDER_REFLECT)
    return out


@cache
def _blur(size_px: int, sigma_px: float) -> Floats:
    """Return (n, n) what each column of an image is multiplied with to blur it."""
    unit = np.eye(size_px, dtype=np.float32)
    return np.asarray(cv2.GaussianBlur(unit, (1, 0), sigma_px, sigmaY=sigma_px, borderType=cv2.BORDER_REFLECT), np.float32)


def without_contrast(images: Floats, sigma_px: float, floor: float = 0.16) -> Floats:
    """Remove the local mean and the local contrast, (B, n, n) -> (B, n, n); flat parts become 0, not amplified noise.

    `floor` is the local contrast, as a share of the image's, below which a part counts as flat.
    """
    least = floor * images.std(axis=(1, 2), keepdims=True) + 1e-3
    centered = images - blurred(images, sigma_px)
    return np.asarray(centered / np.sqrt(blurred(centered * centered, sigma_px) + least**2), np.float32)


def reduced(images: Floats, to_px: int) -> Floats:
    """(B, WORK_PX, WORK_PX) -> (B, to_px, to_px), a divisor of it: every pixel is the mean of those it stands for."""
    small = [cv2.resize(image, (to_px, to_px), interpolation=cv2.INTER_AREA) for image in images]
    return np.asarray(small, np.float32).reshape(-1, to_px, to_px)


def slopes_of(images: Floats) -> tuple[Floats, Floats]:
    """Return the central differences across and down, per pixel; 0 at the border."""
    across, down = np.zeros_like(images), np.zeros_like(images)
    across[:, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    down[:, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    return across, down


def to_unit(vectors: Floats) -> Floats:
    """Scale vectors (B, D) to length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)
