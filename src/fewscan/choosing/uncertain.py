"""Scans of which a model is unsure, spread over what they show."""

import numpy as np
import numpy.typing as npt

from fewscan.choosing.scans import Floats, Int64s
from fewscan.choosing.typical import typical

# Among so many times the scans that are asked for, the most uncertain, are those that are spread.
AMONG = 5


def margin(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return (N,) how little surer the likeliest class is than the next, of probabilities (N, K): 0 sure, 1 undecided."""
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    two = np.sort(probabilities.astype(np.float64), axis=1)[:, -2:]
    return 1 - (two[:, 1] - two[:, 0])


def uncertain(points: Floats, probabilities: npt.NDArray[np.floating], candidates: Int64s, count: int, seed: int = 0) -> Int64s:
    """Return at most `count` of the `candidates` (rows), the nearest to the centers of clusters of the most uncertain ones.

    points: (N, d); probabilities: (N, K).
    """
    most = candidates[np.argsort(-margin(probabilities[candidates]), kind="stable")[: AMONG * count]]
    return typical(points, np.zeros(0, np.int64), most, count, seed)
