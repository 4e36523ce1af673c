"""What a run says of labeled images that it has not learned from: what calibration and decisions rest on."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax
from sklearn.model_selection import StratifiedGroupKFold

from fewscan.datasets.asked_labels import TEACHING
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibration import Labels, Logits
from fewscan.evaluation.metrics import Probabilities
from fewscan.evaluation.predictor import Predictor
from fewscan.seeds import stream
from fewscan.splits.class_gaps import leaving_out
from fewscan.spreadsheet import read_csv, write_csv
from fewscan.training.batches import Rows
from fewscan.training.moved import called_with
from fewscan.training.run import Run
from fewscan.wording import command_line, listed

HELD_OUT_FILE = "held_out.csv"
# Of images that were learned from without their labels, as unlabeled scans are: see `cross_fitting.cross_fit`.
PILE_FILE = "held_out_pile.csv"
_LOGIT = "logit_"


@dataclass(frozen=True)
class HeldOut:
    """Labeled images of a dataset and the logits of a network that was taught none of their labels, nor their groups'."""

    rows: Rows  # (N,)
    groups: Rows  # (N,)
    labels: Labels  # (N,)
    logits: Logits  # (N, K)

    @cached_property
    def probabilities(self) -> Probabilities:
        """(N, K) probabilities as the network gives them, without a temperature."""
        probabilities: Probabilities = softmax(self.logits, axis=1)
        return probabilities

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """(N,) how sure the network is of its label, without a temperature."""
        scores: npt.NDArray[np.float32] = self.probabilities.max(axis=1)
        return scores

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """(N,) whether that label is right."""
        correct: npt.NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.labels
        return correct

    def take(self, positions: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "HeldOut":
        """Return the images at these positions."""
        return HeldOut(self.rows[positions], self.groups[positions], self.labels[positions], self.logits[positions])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the images of several parts."""
        return cls(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(cls)))

    def one_a_group(self, seed: int = 0) -> "HeldOut":
        """Return one image of every group, drawn by `seed`: images of one patient or set of copies are not independent."""
        return self._first_of(self.groups[:, None], seed)

    def one_a_group_and_class(self, seed: int = 0) -> "HeldOut":
        """Return one image of every group and class: what is asked of a class rests on its own images alone."""
        return self._first_of(np.column_stack([self.groups, self.labels]), seed)

    def _first_of(self, keys: Rows, seed: int) -> "HeldOut":
        """Return one image of each key, of (N, M) keys, drawn by `seed`."""
        order = stream(seed, "one a group").numpy().permutation(len(self.rows))
        _, first = np.unique(keys[order], axis=0, return_index=True)
        return self.take(np.sort(order[first]))

    @classmethod
    def load(cls, run: Run, dataset: Snapshot, file: str = HELD_OUT_FILE) -> Self | None:
        """Return what the run was calibrated on, or None where it was not calibrated so; file: its name, PILE_FILE say.

        Groups are those that `dataset`, the run's, has today: another audit may have numbered them anew.
        """
        path = run.folder / file
        if not path.is_file():
            return None
        classes = run.record.classes
        columns = [f"{_LOGIT}{name}" for name in classes]
        called = called_with(run.folder, Path(run.record.dataset), dataset.folder)
        anew = f"run '{command_line('calibrate', *called, '--overwrite')}'"
        table = read_csv(path, {"row": "int64", "label": "str"} | dict.fromkeys(columns, "float32"), anew)
        rows = table["row"].to_numpy()
        if not (table["label"].isin(classes).all() and ((rows >= 0) & (rows < len(dataset.groups))).all()):
            raise FewscanError(f"{path} contains classes or images that the run does not have: {anew}")
        labels = pd.Index(classes).get_indexer(table["label"]).astype(np.int64)
        return cls(rows, dataset.groups[rows], labels, table[columns].to_numpy())

    def save(self, folder: Path, classes: tuple[str, ...], file: str = HELD_OUT_FILE) -> None:
        """Write them into a file of that name in the run's folder."""
        table = pd.DataFrame({"row": self.rows, "label": [classes[label] for label in self.labels]})
        for number, name in enumerate(classes):
            table[f"{_LOGIT}{name}"] = self.logits[:, number]
        write_csv(table, folder / file)


def predict_held_out(predictor: Predictor, dataset: Snapshot, rows: Rows) -> HeldOut:
    """Return what a run says of labeled rows that it has not learned from."""
    logits = predictor.of_rows(dataset, rows).logits
    return HeldOut(rows, dataset.groups[rows], dataset.labels[rows], logits)


def group_folds(labels: Labels, groups: Rows, folds: int, seed: int = 0) -> list[Rows]:
    """Return the positions of at most `folds` parts that no group crosses, every part with the classes in proportion.

    How many there are, and where none can be, `most_folds` says.
    """
    splitter = StratifiedGroupKFold(most_folds(labels, groups, folds), shuffle=True, random_state=seed)
    return [np.sort(held_out) for _, held_out in splitter.split(np.zeros(len(labels)), labels, groups)]


def most_folds(labels: Labels, groups: Rows, folds: int, classes: Sequence[str] = ()) -> int:
    """Return how many folds of those asked for there can be: no more than the smallest class has groups.

    classes: the names of all classes, for a refusal. Raises FewscanError where some class has one group: none can be held out.
    """
    if not len(labels):
        raise FewscanError(f"no label can be held out: {TEACHING}. Label randomly drawn scans, or in another order")
    independent = {int(label): len(np.unique(groups[labels == label])) for label in np.unique(labels)}
    single = [classes[label] if classes else f"class {label}" for label, number in independent.items() if number < 2]
    if single:
        has, them = ("has", "it") if len(single) == 1 else ("have", "each of them")
        raise FewscanError(
            f"{listed(single)} {has} labels for measuring from only one patient or set of copies, so none of them can be held "
            f"out: label scans of another patient for {them}, or {leaving_out(single)}"
        )
    return min(folds, *independent.values())
