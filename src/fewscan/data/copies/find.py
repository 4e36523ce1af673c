"""Find images that show the same slice, or a neighboring slice of the same head, however they were re-processed.

Three steps, each for the few images or pairs that the step before leaves over: describe.py, search.py, align.py.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from threadpoolctl import threadpool_limits

from fewscan.data.copies.align import COARSE_LEVELS, aligned_similarity, at_level
from fewscan.data.copies.describe import DIMENSIONS, fit_description
from fewscan.data.copies.images import BATCH, Floats, Int64s, Pixels, in_batches, read_gray, showing_something
from fewscan.data.copies.search import find_candidates
from fewscan.errors import FewscanError
from fewscan.progress import progress_bar

# On 4,575 real scans no pair lies between 0.92 and 0.94: above it are copies of one slice, below it down to 0.85 neighboring
# slices of one head, and further down more and more different heads.
DEFAULT_SIMILARITY = 0.85
# Pairs below this are given up before the last level, so no less can be asked for.
LEAST_SIMILARITY = 0.8
# Descriptors of one slice agree at least this much, unless there are too few images to learn the projection from.
CANDIDATE_COSINE = 0.5
FEW_IMAGES = 256


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
    rows = showing_something(pixels, np.arange(len(pixels)) if rows is None else rows)
    pairs, scores = np.zeros((0, 3), np.int64), np.zeros(0, np.float32)
    if len(rows) < 2:
        return _sorted_pairs(pairs, scores)
    least_cosine = -1.0 if len(rows) <= FEW_IMAGES else CANDIDATE_COSINE
    tried = np.zeros(0, np.int64)
    asked = np.arange(len(rows))
    with progress_bar() as bar, _workers() as workers:
        describe = fit_description(pixels, rows)
        plain, mirror, coarse = _prepared_images(pixels, rows, describe, workers)
        task = bar.add_task("comparing pairs", total=None, numbers="")
        while True:
            candidates = find_candidates(plain, mirror, asked, least_cosine)
            keys = (candidates[:, 0] * len(rows) + candidates[:, 1]) * 2 + candidates[:, 2]
            fresh = ~np.isin(keys, tried, assume_unique=True)
            tried, candidates = np.concatenate([tried, keys[fresh]]), candidates[fresh]
            bar.update(task, total=len(tried))
            batches = [candidates[start : start + BATCH] for start in range(0, len(candidates), BATCH)]
            found = []
            for score in workers.map(lambda batch: aligned_similarity(pixels, rows, coarse, batch), batches):
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


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Threads that each compute whole batches; numpy lets go of the interpreter meanwhile.

    BLAS is kept to one thread: its own threads wait for each other at every one of the many small products, which on a busy
    machine takes a hundred times as long as the products.
    """
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        yield workers


def _prepared_images(
    pixels: Pixels, rows: Int64s, describe: Callable[[Floats], Floats], workers: ThreadPoolExecutor
) -> tuple[Floats, Floats, tuple[npt.NDArray[np.float16], ...]]:
    """Return descriptors (N, DIMENSIONS) of the images and of their mirror images, and the images at COARSE_LEVELS."""
    plain, mirror = (np.empty((len(rows), DIMENSIONS), np.float32) for _ in range(2))
    coarse = tuple(np.empty((len(rows), level.size_px, level.size_px), np.float16) for level in COARSE_LEVELS)

    def prepare(batch: Int64s) -> None:
        gray = read_gray(pixels, rows[batch])
        plain[batch], mirror[batch] = describe(gray), describe(gray[:, :, ::-1])
        for images, level in zip(coarse, COARSE_LEVELS, strict=True):
            images[batch] = at_level(gray, level)

    for _ in workers.map(prepare, in_batches(np.arange(len(rows)))):
        pass
    return plain, mirror, coarse
