"""A score class by class."""

from collections.abc import Mapping, Sequence

from fewscan.config import Settings
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.metrics import Counts


class ClassScore(Settings):
    """The scores of one class."""

    name: str
    images: int
    sensitivity: Interval
    specificity: Interval
    # Of the images that are predicted as the class, the share that is; None in evaluations before 2026-11-30.
    predictive_value: Interval | None = None

    @property
    def rates(self) -> dict[str, Interval]:
        """The rates by what they are called."""
        rates = {"sensitivity": self.sensitivity, "specificity": self.specificity}
        return rates if self.predictive_value is None else rates | {"predictive value": self.predictive_value}


def class_scores(counts: Counts, intervals: Mapping[str, Interval], classes: Sequence[str]) -> tuple[ClassScore, ...]:
    """Return the scores of each class; counts: (K, K), as `confusion` counts; intervals: by the names of `metrics.scores`."""
    return tuple(
        ClassScore(
            name=name,
            images=int(counts[number].sum()),
            sensitivity=intervals[f"sensitivity/{number}"],
            specificity=intervals[f"specificity/{number}"],
            predictive_value=intervals[f"predictive_value/{number}"],
        )
        for number, name in enumerate(classes)
    )
