"""Step 2, search: nearest vectors, of the image and of its mirror image, by faiss. Memory is linear in the images."""

import faiss
import numpy as np

from fewscan.data.copies.images import Floats, Int64s

NEIGHBORS = 12


def find_candidates(plain: Floats, mirror: Floats, asked: Int64s, least_cosine: float) -> Int64s:
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
