"""Scans that are spread and typical: clusters of features, and of each the scan nearest to its center."""

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from fewscan.choosing.scans import Floats, Int64s

# From so many scans on clusters are found on parts of them, which takes a tenth of the time.
MANY = 20_000


def typical(points: Floats, labeled: Int64s, candidates: Int64s, count: int, seed: int = 0) -> Int64s:
    """Return at most `count` of the `candidates`, by clusters of these and the `labeled` without one, the largest first.

    points: (N, d); labeled, candidates: rows. There are as many clusters as labels and suggestions together, so that each label
    may have one. Source: Hacohen, Dekel, Weinshall 2022, "Active learning on a budget: opposite strategies suit high and low
    budgets" (TypiClust), with the center's nearest scan in the place of the densest.
    """
    rows = np.concatenate([labeled, candidates])
    clusters = min(len(rows), len(labeled) + count)
    if not len(candidates) or count < 1:
        return np.zeros(0, np.int64)
    kind = KMeans if len(rows) < MANY else MiniBatchKMeans
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of scans that are all alike
        found = kind(clusters, n_init=1, random_state=seed).fit(points[rows])
    cluster_of: npt.NDArray[np.int32] = found.labels_
    distance = np.linalg.norm(points[rows] - found.cluster_centers_[cluster_of], axis=1)
    own = np.arange(len(labeled), len(rows))
    # The nearest of each cluster that no label is in.
    own = own[~np.isin(cluster_of[own], cluster_of[: len(labeled)])]
    own = own[np.lexsort((distance[own], cluster_of[own]))]
    first = own[np.unique(cluster_of[own], return_index=True)[1]]
    size = np.bincount(cluster_of, minlength=clusters)
    nearest: Int64s = rows[first[np.argsort(-size[cluster_of[first]], kind="stable")]]
    # Clusters are fewer where scans have the same features.
    return np.concatenate([nearest, np.setdiff1d(candidates, nearest)])[:count]
