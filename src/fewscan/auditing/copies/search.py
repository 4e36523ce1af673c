"""Step 2, search: the nearest vectors of every view of an image, put onto itself in all eight ways, by faiss.

Memory is linear in the images: views are described batch by batch and only the nearest images are kept.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.describe import DIMENSIONS, Describe, histograms, put_onto_itself
from fewscan.auditing.copies.images import Floats, Int64s, Pixels, in_batches, read_gray
from fewscan.auditing.copies.placing import SYMMETRIES, VIEWS

# How many images are looked at more closely for every image, the best of all its views.
NEIGHBORS = 8

# Vectors of one slice agree at least this much, unless there are too few images to learn the projection from.
CANDIDATE_COSINE = 0.5
FEW_IMAGES = 256

# Up to so many images every vector is compared with every other; beyond, with those of the nearest cells.
EXACT_IMAGES = 4096
CELLS_LOOKED_AT = 16


@dataclass(frozen=True)
class Candidates:
    """Pairs that may be copies: a view of `first` (P,) looks like `second` (P,); `view` and `symmetry` (P,) say which one."""

    first: Int64s
    second: Int64s
    view: Int64s
    symmetry: Int64s

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.first)

    def at(self, chosen: npt.NDArray[np.generic] | slice) -> "Candidates":
        """Return some of the pairs."""
        return Candidates(self.first[chosen], self.second[chosen], self.view[chosen], self.symmetry[chosen])


def find_candidates(
    pixels: Pixels, rows: Int64s, describe: Describe, plain: Floats, asked: Int64s, among: Int64s, workers: ThreadPoolExecutor
) -> Candidates:
    """Return, for each number in `asked`, the NEIGHBORS numbers in `among` that its views are nearest to.

    Numbers are places in `rows`; `plain` (R, DIMENSIONS) describes the whole images.
    """
    index = _index_of(plain[among])
    least_cosine = -1.0 if len(rows) <= FEW_IMAGES else CANDIDATE_COSINE

    def nearest(batch: Int64s) -> npt.NDArray[np.int64]:
        gray = read_gray(pixels, rows[batch])
        found = []
        for view, placing in enumerate(VIEWS):
            described = histograms(gray, placing)
            for symmetry in range(len(SYMMETRIES)):
                cosines, places = index.search(describe(put_onto_itself(described, symmetry)), min(NEIGHBORS + 1, len(among)))
                found.append((cosines, np.where(places >= 0, among[places], -1), view, symmetry))
        return _best_of_all(batch, found, least_cosine)

    columns = np.concatenate([np.zeros((0, 4), np.int64), *workers.map(nearest, in_batches(asked))])
    return Candidates(*columns.T)


def _index_of(vectors: Floats) -> faiss.Index:
    flat = faiss.IndexFlatIP(DIMENSIONS)
    if len(vectors) <= EXACT_IMAGES:
        flat.add(vectors)
        return flat
    # faiss wants 39 vectors for each cell to learn its center from.
    cells = min(int(4 * len(vectors) ** 0.5), len(vectors) // 39)
    index = faiss.IndexIVFFlat(flat, DIMENSIONS, cells, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = CELLS_LOOKED_AT
    index.train(vectors)
    index.add(vectors)
    return index


def _best_of_all(batch: Int64s, found: list[tuple[Floats, Int64s, int, int]], least_cosine: float) -> npt.NDArray[np.int64]:
    """Return (P, 4) first, second, view, symmetry: the NEIGHBORS best partners of every image, each in its best view."""
    cosine = np.concatenate([cosines.ravel() for cosines, _, _, _ in found])
    second = np.concatenate([partners.ravel() for _, partners, _, _ in found])
    first = np.concatenate([np.repeat(batch, partners.shape[1]) for _, partners, _, _ in found])
    view = np.concatenate([np.full(partners.size, view) for _, partners, view, _ in found])
    symmetry = np.concatenate([np.full(partners.size, symmetry) for _, partners, _, symmetry in found])
    table = np.column_stack([first, second, view, symmetry])
    kept = (first != second) & (second >= 0) & (cosine >= least_cosine)
    table, cosine = table[kept], cosine[kept]
    order = np.lexsort((-cosine, table[:, 1], table[:, 0]))
    table, cosine = table[order], cosine[order]
    _, best = np.unique(table[:, :2], axis=0, return_index=True)
    table, cosine = table[best], cosine[best]
    order = np.lexsort((-cosine, table[:, 0]))
    table = table[order]
    _, start, count = np.unique(table[:, 0], return_index=True, return_counts=True)
    rank = np.arange(len(table)) - np.repeat(start, count)
    return np.asarray(table[rank < NEIGHBORS], np.int64)
