"""Which scans are to be decided on: new ones, or the dataset's own unlabeled ones, which a run may have learned from."""

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.held_out import HELD_OUT_FILE, PILE_FILE, HeldOut
from fewscan.learning.registry import method_type
from fewscan.training.batches import Rows
from fewscan.training.moved import called_with
from fewscan.training.run import Run
from fewscan.wording import HOST, advised, command_line, counted

# new: drawn like the held-out images. pile: the dataset's own unlabeled scans.
Population = Literal["new", "pile"]


def held_out_like(run: Run, dataset: Snapshot, population: Population) -> HeldOut | None:
    """Return what was held out as the scans of a population are: new, or learned from without labels, as they were or not.

    None where nothing was. For a pile, of the classifier that is what `calibrate` held out for it, or all where it has learned
    nothing from unlabeled scans; of the encoder what it knows as it does the unlabeled scans: `known_as_pile`.
    """
    if population == "new":
        return HeldOut.load(run, dataset)
    calibration = Calibration.load(run)
    uses_unlabeled = method_type(run.settings.method.name).uses_unlabeled
    if calibration is None or (uses_unlabeled and calibration.pile is None):
        return None
    held_out = HeldOut.load(run, dataset, PILE_FILE if uses_unlabeled else HELD_OUT_FILE)
    if held_out is None:
        return None
    alike = held_out.take(known_as_pile(dataset, held_out.rows))
    return alike if len(alike.rows) else None


def speaks_for_pile(run: Run, dataset: Snapshot) -> bool:
    """Return whether anything was held out that is like the dataset's unlabeled scans."""
    return held_out_like(run, dataset, "pile") is not None


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


def beside_pile(run: Run, dataset: Snapshot, now: Snapshot) -> tuple[str, ...]:
    """Return what is to be said of scans without a label, as the dataset is `now`, that are not of the pile that a run saw."""
    today = now.usable[now.manifest["label"].isna().to_numpy()[now.usable]]
    others = np.setdiff1d(today, dataset.rows("unlabeled"))
    added = int((others >= len(dataset.manifest)).sum())
    said = [
        f"{counted(count, 'scan')} without a label {what}"
        for count, what in (
            (added, "added to the dataset since the run was made"),
            (len(others) - added, "left out of the run's split, such as copies of test or validation scans, or labeled then"),
        )
        if count
    ]
    if not said:
        return ()
    called, *moved = called_with(run.folder, Path(run.record.dataset), dataset.folder)
    how = advised(f"'{command_line('label', called, 'SCANS', *moved)}' labels", f"{HOST} can label")
    return (f"not in the table: {'; '.join(said)}. {how} them as files",)
