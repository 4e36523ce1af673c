"""Find images that show the same slice, or a neighboring slice of the same head, however they were re-processed.

Three steps, each for the few images or pairs that the step before leaves over:

1. Describe: every image becomes a unit vector that stays nearly the same when it is cropped, re-contrasted or sharpened.
   Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) are projected by linear discriminant analysis, in which
   every image is a class of its own and changed versions of it are the examples.
2. Search: nearest vectors, of the image and of its mirror image, by faiss. Memory is linear in the images.
3. Align: the two images of a pair are laid over each other by shift and scale (inverse compositional Gauss-Newton, Baker and
   Matthews, IJCV 2004), from coarse to fine. The similarity is the correlation of what is left after the local brightness and
   contrast have been removed.

A window of an image is (center x, center y, half width, half height) in units in which the frame reaches from -1 to 1.
"""

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from threadpoolctl import threadpool_limits

from fewscan.errors import FewscanError
from fewscan.progress import progress_bar

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

# On 4,575 real scans no pair lies between 0.92 and 0.94: above it are copies of one slice, below it down to 0.85 neighboring
# slices of one head, and further down more and more different heads.
DEFAULT_SIMILARITY = 0.85
# Pairs below this are given up before the last level, so no less can be asked for.
LEAST_SIMILARITY = 0.8

NEIGHBORS = 12
BATCH = 256
SEED = 0

# An image whose gray levels spread less than this shows nothing that could be compared.
BLANK_STD = 2.0

# Descriptors of one slice agree at least this much, unless there are too few images to learn the projection from.
CANDIDATE_COSINE = 0.5
FEW_IMAGES = 256

DESCRIPTOR_PX = 48
CELLS = 8
ORIENTATIONS = 8
DIMENSIONS = 128
FITTING_IMAGES = 800
FITTING_CROP = 0.12
FITTING_LOG_GAMMA = 0.6


@dataclass(frozen=True)
class CopyPairs:
    """Pairs of copies: `row_a < row_b` (P,), `similarity` (P,) in [-1, 1], `mirrored` (P,): b is a's mirror image."""

    row_a: Int64s
    row_b: Int64s
    similarity: Floats
    mirrored: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.row_a)


@dataclass(frozen=True)
class _Level:
    """One resolution of the alignment; `least` is the correlation below which a pair is given up, [-1, 1]."""

    size_px: int
    blur_px: float
    contrast_px: float
    steps: int
    least: float


# Coarse levels bridge shifts of an eighth of the frame; the last one sees the folds that tell one head from another.
# The first ones are prepared once for every image, the others for the pairs that reach them.
COARSE_LEVELS = (
    _Level(size_px=16, blur_px=0.5, contrast_px=3.0, steps=8, least=0.7),
    _Level(size_px=32, blur_px=0.6, contrast_px=3.0, steps=5, least=0.82),
)
FINE_LEVELS = (
    _Level(size_px=48, blur_px=0.6, contrast_px=2.0, steps=4, least=0.80),
    _Level(size_px=96, blur_px=0.8, contrast_px=2.5, steps=3, least=-1.0),
)


def find_copies(pixels: Pixels, *, rows: Int64s | None = None, similarity: float = DEFAULT_SIMILARITY) -> CopyPairs:
    """Return the pairs of images whose aligned correlation is at least `similarity`.

    `pixels` is (N, C, S, S) uint8 and may be memory-mapped; color is read as its mean. `rows` (R,) are the images to look
    among, all by default. A pair is looked for through changes of contrast, brightness, gamma, sharpening, size, crop border,
    mirror and JPEG quality. Of a large set of copies not every pair is named, but every member is joined to the set by some
    pair. Blank images are never copies. The same input gives the same pairs. Raises FewscanError for a similarity outside
    LEAST_SIMILARITY to 1.
    """
    if not LEAST_SIMILARITY <= similarity <= 1:
        raise FewscanError(f"a similarity of {similarity} cannot be asked for: choose one from {LEAST_SIMILARITY} to 1")
    rows = _showing_something(pixels, np.arange(len(pixels)) if rows is None else rows)
    pairs, scores = np.zeros((0, 3), np.int64), np.zeros(0, np.float32)
    if len(rows) < 2:
        return _sorted_pairs(pairs, scores)
    least_cosine = -1.0 if len(rows) <= FEW_IMAGES else CANDIDATE_COSINE
    tried = np.zeros(0, np.int64)
    asked = np.arange(len(rows))
    with progress_bar() as bar, _workers() as workers:
        describe = _fit_description(pixels, rows)
        plain, mirror, coarse = _prepared_images(pixels, rows, describe, workers)
        task = bar.add_task("comparing pairs", total=None, numbers="")
        while True:
            candidates = _candidates(plain, mirror, asked, least_cosine)
            keys = (candidates[:, 0] * len(rows) + candidates[:, 1]) * 2 + candidates[:, 2]
            fresh = ~np.isin(keys, tried, assume_unique=True)
            tried, candidates = np.concatenate([tried, keys[fresh]]), candidates[fresh]
            bar.update(task, total=len(tried))
            batches = [candidates[start : start + BATCH] for start in range(0, len(candidates), BATCH)]
            found = []
            for score in workers.map(lambda batch: _aligned_similarity(pixels, rows, coarse, batch), batches):
                found.append(score)
                bar.advance(task, len(score))
            score = np.concatenate([scores[:0], *found])
            copies = score >= similarity
            if not copies.any():
                break
            pairs, scores = np.concatenate([pairs, candidates[copies]]), np.concatenate([scores, score[copies]])
            # The neighbors of a member of a large set are all in the set. One member of each set looks beyond it.
            _, asked = np.unique(components(len(rows), pairs[:, :2]), return_index=True)
    return _sorted_pairs(np.column_stack([rows[pairs[:, 0]], rows[pairs[:, 1]], pairs[:, 2]]), scores)


def components(count: int, pairs: Int64s) -> Int64s:
    """Return (count,) the connected component, from 0, of every row; `pairs` is (P, 2) row numbers."""
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _sorted_pairs(pairs: Int64s, scores: Floats) -> CopyPairs:
    """Sort by row, and keep the better of a pair that was found both plain and mirrored."""
    order = np.lexsort((-scores, pairs[:, 1], pairs[:, 0]))
    pairs, scores = pairs[order], scores[order]
    _, first = np.unique(pairs[:, :2], axis=0, return_index=True)
    return CopyPairs(pairs[first, 0], pairs[first, 1], scores[first], pairs[first, 2].astype(bool))


# --- images ---


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Threads that each compute whole batches; numpy lets go of the interpreter meanwhile.

    BLAS is kept to one thread: its own threads wait for each other at every one of the many small products, which on a busy
    machine takes a hundred times as long as the products.
    """
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        yield workers


def _gray(pixels: Pixels, rows: Int64s) -> Floats:
    """Read rows of (N, C, S, S) uint8 as (B, S, S) float32 in [0, 255]."""
    return np.asarray(pixels[rows].mean(axis=1, dtype=np.float32), np.float32)


def _batches(rows: Int64s) -> Iterator[Int64s]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _showing_something(pixels: Pixels, rows: Int64s) -> Int64s:
    shown = [batch[_gray(pixels, batch).std(axis=(1, 2)) >= BLANK_STD] for batch in _batches(rows)]
    return np.concatenate([rows[:0], *shown])


def _smoothing(at: npt.NDArray[Any], sigma: float) -> Floats:
    """Gaussian weights (len(at), n) around the places `at` of n bins, each row with sum 1."""
    weights = np.exp(-(at**2) / (2 * sigma**2))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


@cache
def _blur_weights(size_px: int, sigma_px: float) -> Floats:
    at = np.arange(size_px, dtype=np.float32)
    return _smoothing(at[:, None] - at, sigma_px)


def _blur(images: Floats, sigma_px: float) -> Floats:
    weights = _blur_weights(images.shape[-1], sigma_px)
    return np.asarray(weights @ images @ weights.T, np.float32)


def _without_contrast(images: Floats, sigma_px: float) -> Floats:
    """Remove the local mean and the local contrast, (B, n, n) -> (B, n, n); flat parts become 0, not amplified noise."""
    floor = 0.16 * images.std(axis=(1, 2), keepdims=True) + 1e-3
    centerd = images - _blur(images, sigma_px)
    return np.asarray(centerd / np.sqrt(_blur(centerd * centerd, sigma_px) + floor**2), np.float32)


@cache
def _places(size_px: int) -> Floats:
    """Return the centers of `size_px` bins over [-1, 1]."""
    return np.asarray((np.arange(size_px, dtype=np.float32) + 0.5) / size_px * 2 - 1, np.float32)


def _resampling(center: Floats, half: Floats, from_px: int, to_px: int) -> Floats:
    """(B, to_px, from_px) linear weights that read center +- half of the frame; wide enough not to alias."""
    at = np.clip((center[:, None] + half[:, None] * _places(to_px) + 1) * (from_px / 2) - 0.5, 0, from_px - 1)
    reach = np.maximum(half * (from_px / to_px), 1)[:, None, None]
    weights = 1 - np.abs(at[:, :, None] - np.arange(from_px, dtype=np.float32)) / reach
    np.maximum(weights, 0, out=weights)
    weights /= weights.sum(axis=2, keepdims=True)
    return np.asarray(weights, np.float32)


def _windows(images: Floats, window: Floats, to_px: int) -> Floats:
    """Read `window` (B, 4) of every image (B, S, S) -> (B, to_px, to_px); beyond the frame its border is repeated."""
    across = _resampling(window[:, 0], window[:, 2], images.shape[-1], to_px)
    down = _resampling(window[:, 1], window[:, 3], images.shape[-1], to_px)
    return np.asarray(down @ images @ across.transpose(0, 2, 1), np.float32)


def _whole(count: int) -> Floats:
    return np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1))


def _resized(images: Floats, to_px: int) -> Floats:
    return images if images.shape[-1] == to_px else _windows(images, _whole(1), to_px)


def _slopes(images: Floats) -> tuple[Floats, Floats]:
    """Return the central differences across and down, per pixel; 0 at the border."""
    across, down = np.zeros_like(images), np.zeros_like(images)
    across[:, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    down[:, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    return across, down


# --- step 1: describe ---


def _oriented_gradients(gray: Floats) -> Floats:
    """(B, S, S) -> (B, ORIENTATIONS * CELLS * CELLS) histograms of edge orientation, unit length."""
    across, down = _slopes(_without_contrast(_resized(gray, DESCRIPTOR_PX), 5.0))
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
    return _unit(np.stack(histograms, axis=1).reshape(len(gray), -1))


@cache
def _cell_weights() -> Floats:
    step = DESCRIPTOR_PX / CELLS
    middle = (np.arange(CELLS, dtype=np.float32) + 0.5) * step
    return _smoothing(np.arange(DESCRIPTOR_PX, dtype=np.float32) + 0.5 - middle[:, None], 0.6 * step)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


def _fit_description(pixels: Pixels, rows: Int64s) -> Callable[[Floats], Floats]:
    """Learn the projection from the images themselves: keep what tells images apart, drop what crops and gamma change."""
    random = np.random.default_rng(SEED)
    chosen = np.sort(random.choice(rows, min(len(rows), FITTING_IMAGES), replace=False))
    versions = max(6, math.ceil(2 * DIMENSIONS / len(chosen)))
    parts = []
    for batch in _batches(chosen):
        gray = _gray(pixels, batch)
        changed = []
        for _ in range(versions):
            left, right, top, bottom = random.uniform(0, FITTING_CROP, (4, len(gray)))
            window = np.stack([left - right, top - bottom, 1 - left - right, 1 - top - bottom], axis=1)
            gamma = np.exp(random.uniform(-FITTING_LOG_GAMMA, FITTING_LOG_GAMMA, (len(gray), 1, 1)))
            view = _windows(gray, window.astype(np.float32), gray.shape[-1]) / 255
            changed.append(_oriented_gradients((view**gamma * 255).astype(np.float32)))
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
    return lambda gray: _unit((_oriented_gradients(gray) - offset) @ projection)


def _covariance(centerd: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    flat = centerd.reshape(-1, centerd.shape[-1])
    return np.asarray(flat.T @ flat / len(flat), np.float64)


def _prepared_images(
    pixels: Pixels, rows: Int64s, describe: Callable[[Floats], Floats], workers: ThreadPoolExecutor
) -> tuple[Floats, Floats, tuple[npt.NDArray[np.float16], ...]]:
    """Return descriptors (N, DIMENSIONS) of the images and of their mirror images, and the images at COARSE_LEVELS."""
    plain, mirror = (np.empty((len(rows), DIMENSIONS), np.float32) for _ in range(2))
    coarse = tuple(np.empty((len(rows), level.size_px, level.size_px), np.float16) for level in COARSE_LEVELS)

    def prepare(batch: Int64s) -> None:
        gray = _gray(pixels, rows[batch])
        plain[batch], mirror[batch] = describe(gray), describe(gray[:, :, ::-1])
        for images, level in zip(coarse, COARSE_LEVELS, strict=True):
            images[batch] = _at_level(gray, level)

    for _ in workers.map(prepare, _batches(np.arange(len(rows)))):
        pass
    return plain, mirror, coarse


# --- step 2: search ---


def _candidates(plain: Floats, mirror: Floats, asked: Int64s, least_cosine: float) -> Int64s:
    """Return (P, 3) unique candidates among `asked`: lower number, higher number, 1 where the second one is mirrored."""
    index = faiss.IndexFlatIP(plain.shape[1])
    index.add(plain[asked])
    neighbors = min(NEIGHBORS + 1, len(asked))
    parts = []
    for flip, queries in enumerate((plain, mirror)):
        cosines, found = index.search(queries[asked], neighbors)
        first, second = np.repeat(asked, neighbors), asked[found.ravel()]
        kept = (first != second) & (cosines.ravel() >= least_cosine)
        first, second = first[kept], second[kept]
        parts.append(np.column_stack([np.minimum(first, second), np.maximum(first, second), np.full(len(first), flip)]))
    return np.unique(np.concatenate(parts), axis=0)


# --- step 3: align ---


def _at_level(gray: Floats, level: _Level) -> Floats:
    return _without_contrast(_blur(_resized(gray, level.size_px), level.blur_px), level.contrast_px)


def _aligned_similarity(pixels: Pixels, rows: Int64s, coarse: tuple[npt.NDArray[np.float16], ...], pairs: Int64s) -> Floats:
    """Return (P,) the correlation of every pair after alignment, -1 where it was given up at an earlier level."""
    similarity = np.full(len(pairs), -1, np.float32)
    left = np.arange(len(pairs))
    window = _whole(len(pairs))
    score = similarity
    for number, level in enumerate(COARSE_LEVELS + FINE_LEVELS):
        first, second, flip = pairs[left].T
        if number < len(COARSE_LEVELS):
            a, b = coarse[number][first].astype(np.float32), coarse[number][second].astype(np.float32)
        else:
            a, b = _at_level(_gray(pixels, rows[first]), level), _at_level(_gray(pixels, rows[second]), level)
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
    place = _places(size_px)
    across, down = (slope * np.float32(size_px / 2) for slope in _slopes(a))
    slopes = np.stack([across, down, across * place, down * place[:, None]], axis=1).reshape(len(a), 4, -1)
    best, best_score = window, np.full(len(a), -2, np.float32)
    for step in range(steps + 1):
        seen = _windows(b, window, size_px)
        inside_x = (np.abs(window[:, 0:1] + window[:, 2:3] * place) <= 1).astype(np.float32)
        inside_y = (np.abs(window[:, 1:2] + window[:, 3:4] * place) <= 1).astype(np.float32)
        inside = inside_y[:, :, None] * inside_x[:, None, :]
        overlap = np.maximum(inside.sum(axis=(1, 2)), 1)
        centerd_a, centerd_b = _centerd(a, inside, overlap), _centerd(seen, inside, overlap)
        product, energy_a, energy_b = _dot(centerd_a, centerd_b), _dot(centerd_a, centerd_a), _dot(centerd_b, centerd_b)
        score = product / np.sqrt(energy_a * energy_b + 1e-6)
        better = score > best_score
        best, best_score = np.where(better[:, None], window, best), np.where(better, score, best_score)
        if step == steps:
            break
        gain = np.clip(product / (energy_b + 1e-6), 0.3, 3)
        residual = (gain[:, None, None] * centerd_b - centerd_a).reshape(len(a), -1, 1)
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


def _centerd(images: Floats, inside: Floats, overlap: Floats) -> Floats:
    mean = _dot(images, inside) / overlap
    return (images - mean[:, None, None]) * inside


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("pij,pij->p", a, b), np.float32)
