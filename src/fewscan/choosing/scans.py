"""What is known of scans when some of them are to be labeled next."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.evaluation.main_directions import main_directions
from fewscan.seeds import stream

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

# Directions of features that clusters are sought in, and how many scans these are found on.
DIRECTIONS = 64
LOOKED_AT = 5000


class Scans(NamedTuple):
    """N scans, row by row. What is neither `open` nor labeled takes no part: test sets, what was set aside."""

    points: Floats  # (N, d), as `reduced` makes them of features
    groups: Int64s  # (N,) scans of one patient, and copies; of these one at most is suggested at a time
    labels: Int64s  # (N,) index of the class, -1 for none
    open: Bools  # (N,) to be labeled
    disputed: Bools  # (N,) open, since people, or copies of the scan, say different things of it
    random_order: Int64s  # rows of the random sample in their order, as `random_order` makes them

    @property
    def labeled(self) -> Int64s:
        """Rows with a label, ascending."""
        return np.flatnonzero(self.labels >= 0)


def reduced(features: Floats, rows: Int64s | None = None) -> Floats:
    """Return (N, d) what clusters are sought in: features (N, D) in their main directions, each of length 1.

    rows: scans that the directions are found on, by default all; of many a sample. Every feature counts alike, whatever its
    unit; how large all features of a scan are together says little of what it shows.
    """
    among = np.arange(len(features)) if rows is None else rows
    few = among if len(among) <= LOOKED_AT else np.sort(stream(0, "main directions").numpy().permutation(among)[:LOOKED_AT])
    points = main_directions(features, min(DIRECTIONS, features.shape[1]), found_on=few)
    return np.asarray(points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9), np.float32)
