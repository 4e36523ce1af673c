"""What the second view of an image is of: the image itself, or another one that shows the same scan, patient or head."""

from typing import Literal, Self

import numpy as np

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.learning.method import Method
from fewscan.training.batches import Rows
from fewscan.wording import command_line

# views: the image itself. copies: any of its set of copies. groups: any of its group, slices of its head or patient among them.
Positives = Literal["views", "copies", "groups"]
_COLUMNS = {"copies": "copy_set", "groups": "group"}


class Partners:
    """Which images may give the second view of an image: those of its set that a run learns from, itself among them."""

    def __init__(self, learned: Rows, sets: Rows) -> None:
        """learned: the rows that a run learns from. sets: (N,) the set of every row of the dataset."""
        self._sets = sets
        self._members = learned[np.argsort(sets[learned], kind="stable")]
        self._names, self._starts, self._counts = np.unique(sets[self._members], return_index=True, return_counts=True)

    @classmethod
    def of(cls, dataset: Snapshot, learned: Rows, positives: Positives) -> Self:
        """Take the sets that `positives` names; a row in none is a set by itself."""
        alone = -1 - np.arange(len(dataset.manifest))
        if positives == "views":
            return cls(learned, alone)
        column = dataset.manifest[_COLUMNS[positives]]
        return cls(learned, np.where(column.isna(), alone, column.fillna(0)).astype(np.int64))

    @property
    def accompanied(self) -> int:
        """How many of the rows that are learned from have another one in their set."""
        return int(self._counts[self._counts > 1].sum())

    def drawn(self, random: np.random.Generator, rows: Rows) -> Rows:
        """Return for each of `rows`, which are learned from, one of its set, all equally likely."""
        places = np.searchsorted(self._names, self._sets[rows])
        drawn: Rows = self._members[self._starts[places] + random.integers(self._counts[places])]
        return drawn


def require_positives(dataset: Snapshot, method: type[Method], positives: Positives) -> None:
    """Raise FewscanError where `positives` asks for what no audit has looked for, or of a method that has no second view."""
    if positives == "views":
        return
    if not method.two_views:
        raise FewscanError(f"positives={positives} is for methods with two views, and {method.name} uses one: leave it out")
    if dataset.description.audit is None:
        raise FewscanError(
            f"positives={positives} needs to know which scans are copies: run '{command_line('audit', dataset.folder)}' first"
        )
