"""What finds the nearest of many vectors: all are compared while that is soon done, then those of the nearest cells only.

Cells are what k-means makes of the vectors. Among many images the nearest cells are found by comparing with all cells; among
very many, where that and learning the cells would take the longest, by a graph of cells (HNSW, Malkov and Yashunin 2018).
"""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.images import Floats
from fewscan.faiss_library import faiss
from fewscan.seeds import stream

# How vectors are searched: each compared with all; with those of the nearest cells; with those of cells that a graph leads to.
Way = Literal["all", "cells", "graph"]
WAYS: tuple[Way, ...] = get_args(Way)
SAID: dict[Way, str] = {
    "all": "To find near-duplicates, the descriptions of all images were compared with each other.",
    "cells": (
        "Near-duplicates were searched for only in the nearest cells of descriptions, because there are too many images to "
        "compare each with all others: a few may be missed."
    ),
    "graph": (
        "Near-duplicates were searched for only in the cells of descriptions to which a graph leads, because there are too "
        "many images to compare each with all others: a few may be missed."
    ),
}

# Up to so many comparisons every vector is compared with every other (64 views of 4,096 images), unless learning where cells
# lie would take longer.
EXACT_COMPARISONS = 64 * 4096**2
CELLS_LOOKED_AT = 24
# So many times the nearest that are asked for.
COMPARED_EXACTLY = 4
# faiss learns cells in so many rounds, from at least and at most so many vectors for each. More rounds find no more.
LEARNING_ROUNDS = 8
LEAST_FOR_A_CELL = 39
MOST_FOR_A_CELL = 256

# From so many vectors on a graph leads to cells: so many vectors make a cell then, cells are learned in so many rounds, and
# each has so many links in the graph. That is walked until so many cells are known, and the nearest of them are looked at. To
# learn and to add a vector takes as long as so many comparisons.
VERY_MANY = 1_000_000
OF_A_CELL = 100
GRAPH_ROUNDS = 4
GRAPH_LINKS = 32
CELLS_WALKED = 64
GRAPH_CELLS_LOOKED_AT = 32
GRAPH_COMPARISONS = 7_000
ADDED_AT_ONCE = 1 << 16


def way_among(vectors: int, queries: int) -> Way:
    """Return how so many vectors are searched for the nearest of so many queries."""
    if vectors >= VERY_MANY:
        learning = GRAPH_COMPARISONS * vectors
    else:
        learning = LEARNING_ROUNDS * min(vectors, MOST_FOR_A_CELL * _cells(vectors)) * _cells(vectors)
    if queries * vectors <= max(EXACT_COMPARISONS, learning):
        return "all"
    return "graph" if vectors >= VERY_MANY else "cells"


def least_exact(*ways: Way | None) -> Way | None:
    """Return the way that may miss most; None where one of them is not known."""
    known = [way for way in ways if way is not None]
    return max(known, key=WAYS.index) if len(known) == len(ways) else None


def index_of(vectors: npt.NDArray[np.floating], queries: int) -> faiss.Index:
    """Return what finds the nearest of vectors (N, D), their cosines being exact, for so many queries, as `way_among` says."""
    count, dimensions = vectors.shape
    way = way_among(count, queries)
    if way == "graph":
        return _by_graph(vectors)
    if way == "all" and count >= VERY_MANY:
        return _filled(_halves(dimensions), vectors)
    vectors = vectors.astype(np.float32)
    flat = faiss.IndexFlatIP(dimensions)
    if way == "all":
        flat.add(vectors)
        return flat
    # Within cells vectors are compared as rounded, each two numbers to 4 bits, and the nearest few of them then exactly.
    rounded = faiss.IndexIVFPQFastScan(flat, dimensions, _cells(count), dimensions // 2, 4, faiss.METRIC_INNER_PRODUCT)
    rounded.cp.niter = LEARNING_ROUNDS
    rounded.nprobe = CELLS_LOOKED_AT
    index = faiss.IndexRefineFlat(rounded)
    index.k_factor = COMPARED_EXACTLY
    index.train(vectors)
    index.add(vectors)
    return index


def _cells(count: int) -> int:
    return min(int(4 * count**0.5), count // LEAST_FOR_A_CELL)


def _by_graph(vectors: npt.NDArray[np.floating]) -> faiss.Index:
    """Return what compares with the vectors of the nearest cells, to which a graph leads; it holds them in half precision."""
    count, dimensions = vectors.shape
    cells = count // OF_A_CELL
    graph, while_learned = (faiss.IndexHNSWFlat(dimensions, GRAPH_LINKS, faiss.METRIC_INNER_PRODUCT) for _ in range(2))
    graph.hnsw.efSearch = CELLS_WALKED
    rounded = faiss.IndexIVFPQFastScan(graph, dimensions, cells, dimensions // 2, 4, faiss.METRIC_INNER_PRODUCT)
    rounded.nprobe = GRAPH_CELLS_LOOKED_AT
    rounded.cp.niter = GRAPH_ROUNDS
    rounded.clustering_index = while_learned
    index = faiss.IndexRefine(rounded, _halves(dimensions))
    index.k_factor = COMPARED_EXACTLY
    learned_from = stream(0, "cells").numpy().choice(count, LEAST_FOR_A_CELL * cells, replace=False)
    index.train(vectors[np.sort(learned_from)].astype(np.float32))
    rounded.clustering_index = None  # type: ignore[assignment]  # it is gone when this returns
    return _filled(index, vectors)


def _halves(dimensions: int) -> faiss.Index:
    """Return what holds vectors in half precision, as descriptions have them anyway, and compares with all."""
    return faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _filled(index: faiss.Index, vectors: npt.NDArray[np.floating]) -> faiss.Index:
    for start in range(0, len(vectors), ADDED_AT_ONCE):
        added: Floats = vectors[start : start + ADDED_AT_ONCE].astype(np.float32)
        index.add(added)
    return index
