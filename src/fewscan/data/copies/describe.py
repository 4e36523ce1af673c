"""Step 1, describe: every image becomes a unit vector that hardly changes when it is cropped, re-contrasted or sharpened.

Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) are projected by linear discriminant analysis, in which every
image is a class of its own and changed versions of it are the examples.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from fewscan.data.copies.images import (
    Floats,
    Int64s,
    Pixels,
    in_batches,
    read_gray,
    read_windows,
    resized,
    slopes_of,
    smoothing,
    to_unit,
    without_contrast,
)

SEED = 0
DESCRIPTOR_PX = 48
CELLS = 8
ORIENTATIONS = 8
DIMENSIONS = 128
FITTING_IMAGES = 800
FITTING_CROP = 0.12
FITTING_LOG_GAMMA = 0.6


def fit_description(pixels: Pixels, rows: Int64s) -> Callable[[Floats], Floats]:
    """Learn the projection from the images themselves: keep what tells images apart, drop what crops and gamma change."""
    random = np.random.default_rng(SEED)
    chosen = np.sort(random.choice(rows, min(len(rows), FITTING_IMAGES), replace=False))
    versions = max(6, math.ceil(2 * DIMENSIONS / len(chosen)))
    parts = []
    for batch in in_batches(chosen):
        gray = read_gray(pixels, batch)
        changed = []
        for _ in range(versions):
            left, right, top, bottom = random.uniform(0, FITTING_CROP, (4, len(gray)))
            window = np.stack([left - right, top - bottom, 1 - left - right, 1 - top - bottom], axis=1)
            gamma = np.exp(random.uniform(-FITTING_LOG_GAMMA, FITTING_LOG_GAMMA, (len(gray), 1, 1)))
            view = read_windows(gray, window.astype(np.float32), gray.shape[-1]) / 255
            changed.append(oriented_gradients((view**gamma * 255).astype(np.float32)))
        parts.append(np.stack(changed, axis=1))
    samples = np.concatenate(parts).astype(np.float64)
    mean = samples.mean(axis=(0, 1))
    within = _covariance(samples - samples.mean(axis=1, keepdims=True))
    # Shrunk towards a multiple of the identity, so that few images give a usable projection too.
    within += (0.05 * within.diagonal().mean() + 1e-9) * np.eye(len(within))
    whitening = np.linalg.inv(np.linalg.cholesky(within))
    _, directions = np.linalg.eigh(whitening @ _covariance(samples - mean) @ whitening.T)
    projection = (whitening.T @ directions[:, -DIMENSIONS:]).astype(np.float32)
    offset = mean.astype(np.float32)
    return lambda gray: to_unit((oriented_gradients(gray) - offset) @ projection)


def _covariance(centered: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    flat = centered.reshape(-1, centered.shape[-1])
    return np.asarray(flat.T @ flat / len(flat), np.float64)


def oriented_gradients(gray: Floats) -> Floats:
    """(B, S, S) -> (B, ORIENTATIONS * CELLS * CELLS) histograms of edge orientation, unit length."""
    across, down = slopes_of(without_contrast(resized(gray, DESCRIPTOR_PX), 5.0))
    strength_squared = across**2 + down**2 + 1e-12
    # Twice the angle, so that an edge and its negative count as one orientation.
    cosine = (across**2 - down**2) / strength_squared
    sine = 2 * across * down / strength_squared
    root = strength_squared**0.25
    cells = _cell_weights()
    histograms = []
    for angle in 2 * math.pi / ORIENTATIONS * np.arange(ORIENTATIONS):
        near = np.maximum(cosine * np.float32(math.cos(angle)) + sine * np.float32(math.sin(angle)), 0)
        histograms.append(cells @ (near * near * near * root) @ cells.T)
    return to_unit(np.stack(histograms, axis=1).reshape(len(gray), -1))


@cache
def _cell_weights() -> Floats:
    step = DESCRIPTOR_PX / CELLS
    middle = (np.arange(CELLS, dtype=np.float32) + 0.5) * step
    return smoothing(np.arange(DESCRIPTOR_PX, dtype=np.float32) + 0.5 - middle[:, None], 0.6 * step)
