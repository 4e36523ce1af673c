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
    mean, deviation = mean[varies], deviation[varies]
    solver = "full" if min(len(few), len(mean)) < _FEW else "randomized"
    found = PCA(there, svd_solver=solver, random_state=seed).fit((few[:, varies] - mean) / deviation)
    points[:, :there] = found.transform((features[:, varies] - mean) / deviation)
    return points
