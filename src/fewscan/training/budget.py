"""What a run may learn from: the rows of the split, and the labels that the budget grants."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fewscan.datasets.snapshot import Snapshot
from fewscan.training.batches import Rows


class LabelBearers:
    """Which rows bear the label of a labeled row: the row itself, and copies of it."""

    def __init__(self, labeled: Rows, copies: Rows, originals: Rows) -> None:
        """Take `copies` and, at the same places of `originals`, the row of `labeled` that each is a copy of."""
        self.copies = np.unique(copies)
        bearers, label_rows = np.concatenate([labeled, copies]), np.concatenate([labeled, originals])
        self._bearers = bearers[np.argsort(label_rows, kind="stable")]
        self._labeled, self._starts, self._counts = np.unique(np.sort(label_rows), return_index=True, return_counts=True)

    @classmethod
    def of(cls, dataset: Snapshot) -> Self:
        """Let the unlabeled copies of an image that the split labels bear its label, where all labels of the set agree.

        Looks at no label but those of the labeled part.
        """
        labeled, unlabeled = dataset.rows("labeled"), dataset.rows("unlabeled")
        sets = dataset.copy_sets
        named = np.unique(np.column_stack([sets[labeled], dataset.labels[labeled]]), axis=0)
        numbers, labels = np.unique(named[named[:, 0] >= 0, 0], return_counts=True)
        originals = labeled[np.isin(sets[labeled], numbers[labels == 1])]
        by_set = unlabeled[np.argsort(sets[unlabeled], kind="stable")]
        starts, ends = (np.searchsorted(sets[by_set], sets[originals], side) for side in ("left", "right"))
        copies = [by_set[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return cls(labeled, np.concatenate([labeled[:0], *copies]), np.repeat(originals, ends - starts))

    @classmethod
    def alone(cls, labeled: Rows) -> Self:
        """Let every labeled row bear its own label and nothing else bear any."""
        none = np.empty(0, dtype=np.int64)
        return cls(labeled, none, none)

    @property
    def shares(self) -> tuple[Rows, Rows, npt.NDArray[np.float64]]:
        """Every row that bears a label, the labeled row whose label that is, and its share of the label."""
        return self._bearers, np.repeat(self._labeled, self._counts), np.repeat(1 / self._counts, self._counts)

    def drawn(self, random: np.random.Generator, rows: Rows) -> Rows:
        """Return for each of `rows`, which are labeled, one of the rows that bear its label, all equally likely."""
        places = np.searchsorted(self._labeled, rows)
        drawn: Rows = self._bearers[self._starts[places] + random.integers(self._counts[places])]
        return drawn


@dataclass(frozen=True)
class BudgetRows:
    """The rows that a run may learn from, and the labels that the budget grants it: no others reach the loop."""

    labeled: Rows
    unlabeled: Rows
    validation: Rows
    bearers: LabelBearers
    labels: Tensor  # (N,) int64, -1 for every row outside `labeled` and `validation`
    groups: Tensor  # (N,) int64

    @property
    def looked_at(self) -> Rows:
        """The rows that an epoch's numbers are of: labeled ones, or unlabeled ones where none is labeled."""
        return self.labeled if len(self.labeled) else self.unlabeled

    @property
    def shown(self) -> Rows:
        """Every row that a step may show, ascending."""
        return np.unique(np.concatenate([self.labeled, self.unlabeled, self.bearers.copies]))

    @property
    def often(self) -> Rows:
        """Every row that a training looks at, those first that it looks at the most often."""
        labeled = np.unique(np.concatenate([self.labeled, self.bearers.copies]))
        others = np.setdiff1d(self.unlabeled, labeled)
        return np.concatenate([labeled, np.setdiff1d(self.validation, labeled), others])

    @classmethod
    def of(cls, dataset: Snapshot, *, uses_unlabeled: bool, copies_share_labels: bool) -> Self:
        """Return the rows of `dataset`'s split."""
        labeled, validation = dataset.rows("labeled"), dataset.rows("validation")
        granted = np.full(len(dataset.labels), -1, dtype=np.int64)
        for rows in (labeled, validation):
            granted[rows] = dataset.labels[rows]
        unlabeled = dataset.rows("unlabeled") if uses_unlabeled else np.empty(0, dtype=np.int64)
        bearers = LabelBearers.of(dataset) if copies_share_labels else LabelBearers.alone(labeled)
        return cls(labeled, unlabeled, validation, bearers, torch.from_numpy(granted), torch.from_numpy(dataset.groups))
