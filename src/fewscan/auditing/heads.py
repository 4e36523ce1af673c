"""Slices that are probably of one head, where nobody says whose they are: a second strictness beside copies.

Two slices are joined where their files follow each other by number in one folder, as exported series do, they look alike, and
each is among the other's nearest distinct images: that tells slices of a head from heads that are cut at one place. Likeness
alone does not tell them, whatever it is measured by: slices that lie further apart look less alike than some heads do. Chosen
and measured by eye (docs/audit.md, "One head").

Images are described by histograms of oriented gradients, whitened by principal components of the images themselves.
"""

import re
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.decomposition import PCA

from fewscan.auditing.copies.describe import FEATURES, Projection, histograms
from fewscan.auditing.copies.described import Described, unknown_reach
from fewscan.auditing.copies.images import in_batches, read_gray, showing_something
from fewscan.auditing.copies.placing import UNMOVED, WHOLE
from fewscan.faiss_library import faiss
from fewscan.images.patients import is_known
from fewscan.images.stored import StoredImages

Int64s = npt.NDArray[np.int64]

# Of files in a row, how alike slices of one head are at least (a cosine), and among how many nearest each is of the other.
NEXT_COSINE = 0.44
NEXT_AMONG = 12
DIMENSIONS = 128

_NUMBER = re.compile(r"\d+")


def same_head_pairs(described: Described, manifest: pd.DataFrame, copy_sets: Int64s) -> Int64s:
    """Return (P, 2) pairs of the images described that are probably slices of one head and no copies, `row_a < row_b`.

    Row i of `manifest` is row i of the images; `copy_sets` (N,) says which are copies. Two images of known patients are never a
    pair: whose heads they show is known.
    """
    shown = np.sort(described.rows)
    distinct = _distinct(shown, copy_sets)
    if len(distinct) < 2:
        return np.zeros((0, 2), np.int64)
    pairs = files_in_a_row(manifest, shown)
    vectors = described.views[WHOLE][np.argsort(described.rows)].astype(np.float32)
    pairs = pairs[_near(vectors, np.searchsorted(shown, pairs), np.searchsorted(shown, distinct))]
    known = is_known(manifest["patient"]).to_numpy()
    news = ~known[pairs].all(axis=1) & (copy_sets[pairs[:, 0]] != copy_sets[pairs[:, 1]])
    return np.unique(pairs[news], axis=0)


def describe_slices(pixels: StoredImages, rows: Int64s, copy_sets: Int64s, like: Described | None = None) -> Described:
    """Describe `rows` (ascending) of pixels (N, C, S, S), blank ones left out, by components of what is distinct among them.

    like: images that were described before, whose components are taken.
    """
    shown = showing_something(pixels, rows)
    gradients = [histograms(read_gray(pixels, batch), UNMOVED) for batch in in_batches(shown)]
    described = np.concatenate([np.zeros((0, FEATURES), np.float32), *gradients])
    if like is None:
        distinct = np.searchsorted(shown, _distinct(shown, copy_sets))
        projection, fitted_among = _components(described[distinct]), len(shown)
    else:
        projection, fitted_among = like.projection, like.fitted_among
    return Described(projection, fitted_among, shown, {WHOLE: projection(described).astype(np.float16)}, unknown_reach(shown))


def _distinct(shown: Int64s, copy_sets: Int64s) -> Int64s:
    return shown[np.sort(np.unique(copy_sets[shown], return_index=True)[1])]


def _components(gradients: npt.NDArray[np.float32]) -> Projection:
    if len(gradients) < 2:
        return Projection.onto_nothing()
    # Of fewer images than components, whitening would make all equally unlike.
    components = PCA(min(DIMENSIONS, max(1, len(gradients) // 4)), svd_solver="full").fit(gradients)
    spread = np.sqrt(np.maximum(components.explained_variance_, np.finfo(np.float32).eps))
    return Projection(components.mean_.astype(np.float32), (components.components_.T / spread).astype(np.float32))


def files_in_a_row(manifest: pd.DataFrame, rows: Int64s) -> Int64s:
    """Return (P, 2) pairs of `rows` whose files follow each other: one folder, one name but for its last number, the next one.

    Numbers may be missing in between, and may have zeros before them. `row_a < row_b`.
    """
    places: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    images = manifest.iloc[rows]
    for row, source, path in zip(rows.tolist(), images["source"], images["path"], strict=True):
        folder, _, name = path.rpartition("/")
        numbers = list(_NUMBER.finditer(name))
        if numbers:
            last = numbers[-1]
            around = "".join((name[: last.start()] + "\0" + name[last.end() :]).split())
            places.setdefault((source, folder, around), []).append((int(last.group()), row))
    pairs = [(a, b) for series in map(sorted, places.values()) for (_, a), (_, b) in pairwise(series)]
    return np.sort(np.array(pairs, np.int64).reshape(-1, 2), axis=1)


def _near(described: npt.NDArray[np.float32], pairs: Int64s, distinct: Int64s) -> npt.NDArray[np.bool_]:
    """Return (P,) whether the pairs, numbers of descriptors, are alike and each among the other's nearest of the distinct."""
    index = faiss.IndexFlatIP(described.shape[1])
    index.add(described[distinct])
    # What is nearest is the image itself, or the copy of it that is one of the distinct ones.
    asked, numbers = np.unique(pairs, return_inverse=True)
    cosines, _ = index.search(described[asked], min(NEXT_AMONG + 1, len(distinct)))
    least = np.maximum(cosines[:, -1], NEXT_COSINE)[numbers.reshape(pairs.shape)].max(axis=1)
    first, second = described[pairs.T]
    return np.asarray(np.einsum("pd,pd->p", first, second) >= least, np.bool_)
