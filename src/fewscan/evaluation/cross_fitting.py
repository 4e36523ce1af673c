"""Every labeled image held out once: as many trainings as folds, each without the labels and groups of its fold."""

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from fewscan.atomic import new_folder
from fewscan.data.dataset import SPLITS, Dataset, split_fingerprint
from fewscan.evaluation.held_out import HeldOut, group_folds, predict_held_out
from fewscan.progress import say
from fewscan.training.batches import Rows
from fewscan.training.run import Run
from fewscan.training.train import train_new, train_on

FOLDS_FOLDER = "folds"


def cross_fit(run: Run, dataset: Dataset, folds: int) -> HeldOut:
    """Train the run's settings once for every fold of its labeled and validation images, and predict each fold held out.

    Takes about as long as `folds` trainings. Called again after a kill it goes on where it stopped. The folds' runs lie in
    the run's folder until all are done, and what they said of their folds is kept.
    Raises FewscanError where the labeled images are too few for two folds.
    Source: Stone 1974, "Cross-validatory choice and assessment of statistical predictions".
    """
    rows = dataset.rows("labeled", "validation")
    parts = [rows[positions] for positions in group_folds(dataset.labels[rows], dataset.groups[rows], folds, run.settings.seed)]
    minutes = math.ceil(len(parts) * run.training_seconds / 60)
    say(f"cross-fitting: {len(parts)} trainings without a part of the labels each, about {minutes} min in all")
    predictions = []
    for number, held_out in enumerate(parts, start=1):
        say(f"fold {number}/{len(parts)}")
        folder = run.folder / FOLDS_FOLDER / f"{number}-of-{len(parts)}"
        predictions.append(_hold_out(run, dataset, held_out, folder))
    shutil.rmtree(run.folder / FOLDS_FOLDER)
    return HeldOut(
        np.concatenate([part.rows for part in predictions]),
        np.concatenate([part.groups for part in predictions]),
        np.concatenate([part.labels for part in predictions]),
        np.concatenate([part.logits for part in predictions]),
    )


def _hold_out(run: Run, dataset: Dataset, rows: Rows, folder: Path) -> HeldOut:
    """Train without the labels of `rows`, or go on with it, and predict them; dataset and run of the fold lie in `folder`."""
    data_folder, run_folder = folder / "dataset", folder / "run"
    if not data_folder.exists():
        with new_folder(data_folder) as temporary:
            _without_labels_of(dataset, rows, temporary)
    without = Dataset.open(data_folder)
    trained = train_on(Run.open(run_folder), without) if run_folder.exists() else train_new(without, run.settings, run_folder)
    return predict_held_out(trained, without, rows)


def _without_labels_of(dataset: Dataset, rows: Rows, folder: Path) -> Dataset:
    """Write the dataset with another split: `rows` are its validation part, all other granted labels its labeled part.

    What else is in the groups of `rows` is left out: unlabeled copies of a held-out image would be learned from.
    """
    parts = dataset.manifest["split"].to_numpy(dtype=object).copy()
    parts[dataset.rows("labeled", "validation")] = "labeled"
    parts[np.isin(dataset.groups, dataset.groups[rows]) & (parts == "unlabeled")] = None
    parts[rows] = "validation"
    manifest = dataset.manifest.assign(split=pd.array(parts, dtype="str"))
    counts: dict[str, int] = {part: int((parts == part).sum()) for part in SPLITS}
    left_out = len(dataset.usable) - sum(counts.values())
    changes = {**counts, "left_out": left_out, "fingerprint": split_fingerprint(manifest)}
    split = dataset.require_split().model_copy(update=changes)
    return dataset.sharing_pixels(folder).updated(manifest, split=split)
