"""Clusters of a map: its hills, where many scans lie close together, and what belongs to each."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fewscan.mapping.coordinates import Floats

# The map as a grid of so many cells a side, smoothed ever more until its hills are few enough to be picked by number.
CELLS = 128
FIRST_BLUR, NEXT_BLUR = 1.5, 1.25
MOST_CLUSTERS = 30
# And so many scans a cluster on average at least.
LEAST_SCANS = 15


def clusters(xy: Floats) -> npt.NDArray[np.uint16]:
    """Return (N,) the cluster of each scan at xy (N, 2), axes in [0, 1]: 0 for the largest, then ever smaller ones.

    A cluster is a hill of the density of scans, and whatever lies on its slopes: from each cell of a grid one climbs to the
    highest cell around it until there is no higher one. Source: Koontz, Narendra, Fukunaga 1976, "A graph-theoretic approach to
    nonparametric cluster analysis".
    """
    cells = np.minimum((xy * CELLS).astype(np.int64), CELLS - 1)
    counts = np.zeros((CELLS, CELLS))
    np.add.at(counts, (cells[:, 0], cells[:, 1]), 1)
    own = np.ravel_multi_index((cells[:, 0], cells[:, 1]), counts.shape)
    blur, most = FIRST_BLUR, max(1, min(MOST_CLUSTERS, len(xy) // LEAST_SCANS))
    while most > 1 and blur < CELLS:
        tops = _tops(ndimage.gaussian_filter(counts, blur, mode="constant"))[own]
        _, found, sizes = np.unique(tops, return_inverse=True, return_counts=True)
        if len(sizes) <= most:
            order = np.argsort(-sizes, kind="stable")
            rank = np.empty(len(order), np.uint16)
            rank[order] = np.arange(len(order))
            return rank[found]
        blur *= NEXT_BLUR
    return np.zeros(len(xy), np.uint16)  # too few scans, or without any hills: one cluster


def _tops(density: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return for each cell, row after row, the cell at the top of its hill."""
    side = len(density)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(density, 1, constant_values=-1.0), (3, 3)).reshape(side, side, 9)
    down, right = np.divmod(around.argmax(axis=2), 3)
    rows, columns = np.indices(density.shape)
    is_top = density >= around.max(axis=2)
    up = np.where(is_top, rows * side + columns, (rows + down - 1) * side + columns + right - 1).ravel()
    while not np.array_equal(up, up[up]):
        up = up[up]
    return np.asarray(up, np.int64)
