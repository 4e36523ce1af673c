"""Scans that are spread and typical: clusters of features, and of each the scan nearest to its center."""

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from fewscan.choosing.scans import Floats, Int64s

# From so many scans on clusters are found on parts of them, which takes a tenth of the time.
MANY = 20_000
# More labels than this get no cluster each: their number says how long clusters take.
MOST_LABELED = 500


def typical(
    points: Floats,
    labeled: Int64s,
    candidates: Int64s,
    count: int,
    seed: int = 0,
    weights: npt.NDArray[np.float64] | None = None,
) -> Int64s:
    """Return at most `count` of the `candidates`, one of each cluster: first of those without a label, the heaviest ahead.

    points: (N, d); labeled, candidates: rows. weights: (N,) how much each candidate counts, 0 or more, by default all alike:
    where they are heavy, clusters are smaller, so more of them. There are as many clusters as labels and suggestions
    together, so that each label may have one. Source: Hacohen, Dekel, Weinshall 2022, "Active learning on a budget: opposite
    strategies suit high and low budgets" (TypiClust), with the center's nearest scan in the place of the densest; weighted
    clusters: Prabhu et al. 2021, "Active domain adaptation via clustering uncertainty-weighted embeddings".
    """
    if not len(candidates) or count < 1:
        return np.zeros(0, np.int64)
    rows = np.concatenate([labeled, candidates])
    clusters = min(len(rows), min(len(labeled), MOST_LABELED) + count)
    counts = np.ones(len(rows))
    if weights is not None:
        # None is nothing, so that there are as many clusters as are asked for.
        counts[len(labeled) :] = np.maximum(weights[candidates], 1e-6)
    kind = KMeans if len(rows) < MANY else MiniBatchKMeans
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of scans that are all alike
        found = kind(clusters, n_init=1, random_state=seed).fit(points[rows], sample_weight=counts)
    cluster_of: npt.NDArray[np.int32] = found.labels_
    occupied = np.zeros(clusters, bool)
    occupied[cluster_of[: len(labeled)]] = True
    own = cluster_of[len(labeled) :]
    weight = np.bincount(own, weights=counts[len(labeled) :], minlength=clusters)
    distance = np.linalg.norm(points[candidates] - found.cluster_centers_[own], axis=1)
    # Of every cluster with candidates the nearest, and these in the order of the clusters.
    order = np.lexsort((distance, own))
    nearest = order[np.unique(own[order], return_index=True)[1]]
    nearest = candidates[nearest[np.lexsort((-weight[own[nearest]], occupied[own[nearest]]))]]
    # Clusters are fewer where scans have the same features.
    return np.concatenate([nearest, np.setdiff1d(candidates, nearest)])[:count]
