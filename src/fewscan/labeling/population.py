"""Which scans are to be decided on: new ones, or the dataset's own unlabeled ones, which a run may have learned from."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.held_out import HELD_OUT_FILE, PILE_FILE, HeldOut
from fewscan.learning.registry import method_type
from fewscan.training.batches import Rows
from fewscan.training.run import Run

# new: drawn like the held-out images. pile: the dataset's own unlabeled scans.
Population = Literal["new", "pile"]


def speaks_for_pile(run: Run, dataset: Snapshot) -> bool:
    """Return whether what was held out is like the dataset's unlabeled scans: learned from without labels, or not, as they are.

    Of the classifier those are that `calibrate` held out for them, or all where it has learned nothing from unlabeled scans; of
    the encoder those that it knows as it does the unlabeled scans: `known_as_pile`.
    """
    calibration = Calibration.load(run)
    uses_unlabeled = method_type(run.settings.method.name).uses_unlabeled
    if calibration is None or (uses_unlabeled and calibration.pile is None):
        return False
    held_out = HeldOut.load(run, dataset, PILE_FILE if uses_unlabeled else HELD_OUT_FILE)
    return held_out is not None and bool(known_as_pile(dataset, held_out.rows).any())


def known_as_pile(dataset: Snapshot, rows: Rows) -> npt.NDArray[np.bool_]:
    """Return (N,) which rows the weights that a run began with know as they know the unlabeled scans.

    None where they know some of these otherwise than others, or were taught labels of some.
    """
    pile = dataset.rows("unlabeled")
    seen, taught = (dataset.manifest[name].to_numpy(bool) for name in ("seen_before", "taught_before"))
    if taught[pile].any() or (seen[pile].any() and not seen[pile].all()):
        return np.zeros(len(rows), bool)
    known: npt.NDArray[np.bool_] = (seen[rows] == seen[pile].any()) & ~taught[rows]
    return known
