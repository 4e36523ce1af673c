"""Features -> their main directions: fewer numbers that tell scans apart nearly as well."""

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

# Of fewer scans, or fewer features, all directions are found at once.
_FEW = 500


def main_directions(
    features: npt.NDArray[np.floating], count: int, seed: int = 0, found_on: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.float32]:
    """Return (N, count) the main directions (PCA) of features (N, D), each standardized first; those that there are not are 0.

    found_on: rows that mean, deviation and directions are found on; by default all.
    """
    few = features if found_on is None else features[found_on]
    points = np.zeros((len(features), count), np.float32)
    mean, deviation = few.mean(axis=0), few.std(axis=0)
    varies = deviation > 1e-6 * np.abs(mean) + 1e-12
    there = min(count, len(few), int(varies.sum()))
    if there < 1 or len(few) < 2:
        return points
    solver = "full" if min(len(few), int(varies.sum())) < _FEW else "randomized"
    found = PCA(there, svd_solver=solver, random_state=seed).fit(((few - mean) / np.where(varies, deviation, 1))[:, varies])
    # One product for all scans, without a standardized copy of their features.
    weights = np.zeros((features.shape[1], there), np.float64)
    weights[varies] = found.components_.T / deviation[varies, np.newaxis]
    points[:, :there] = features @ weights.astype(features.dtype) - mean @ weights - found.mean_ @ found.components_.T
    return points
