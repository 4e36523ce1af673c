"""A score class by class."""

from collections.abc import Mapping

import numpy as np

from fewscan.config import Settings
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.intervals import Interval, Rows
from fewscan.evaluation.metrics import Labels
from fewscan.wording import counted


class ClassScore(Settings):
    """The scores of one class."""

    name: str
    images: int
    groups: int | None = None  # that its images are of; None in evaluations before 2026-11-30
    sensitivity: Interval
    specificity: Interval
    # Of the images that are predicted as the class, the share that is; None in evaluations before 2026-11-30.
    predictive_value: Interval | None = None

    @property
    def rates(self) -> dict[str, Interval]:
        """The rates by what they are called."""
        rates = {"sensitivity": self.sensitivity, "specificity": self.specificity}
        return rates if self.predictive_value is None else rates | {"predictive value": self.predictive_value}

    @property
    def of_groups(self) -> str:
        """What goes behind the number of its images: ` of 2 groups`, where these are fewer."""
        return "" if self.groups is None or self.groups == self.images else f" of {counted(self.groups, 'group')}"


def class_scores(dataset: Snapshot, rows: Rows, labels: Labels, intervals: Mapping[str, Interval]) -> tuple[ClassScore, ...]:
    """Return the scores of each class; labels: (N,) of the rows (N,); intervals: by the names of `metrics.scores`."""
    return tuple(
        ClassScore(
            name=name,
            images=int((labels == number).sum()),
            groups=len(np.unique(dataset.groups[rows[labels == number]])),
            sensitivity=intervals[f"sensitivity/{number}"],
            specificity=intervals[f"specificity/{number}"],
            predictive_value=intervals[f"predictive_value/{number}"],
        )
        for number, name in enumerate(dataset.classes)
    )
