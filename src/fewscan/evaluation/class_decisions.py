"""What becomes of images of each class where labels are accepted: an error over all classes hides what a rare one loses."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from fewscan.config import Settings
from fewscan.evaluation.intervals import Interval, Rows, bootstrap
from fewscan.evaluation.metrics import Labels

Flags = npt.NDArray[np.bool_]


class ClassDecisions(Settings):
    """What becomes of images of a class where labels are accepted from a threshold on."""

    images: int
    accepted: int  # as this class
    missed: int  # accepted as another class
    missed_share: Interval  # of the images

    @classmethod
    def of(cls, accepted: Flags, right: Flags, missed_share: Interval) -> Self:
        """Count images of a class: accepted, right (N,) whether the label of each is."""
        missed = int((accepted & ~right).sum())
        accepted_rightly = int(accepted.sum()) - missed
        return cls(images=len(accepted), accepted=accepted_rightly, missed=missed, missed_share=missed_share)

    @property
    def review(self) -> int:
        """How many are not accepted."""
        return self.images - self.accepted - self.missed


def class_decisions(
    accepted: Flags, right: Flags, labels: Labels, groups: Rows, classes: Sequence[str]
) -> dict[str, ClassDecisions]:
    """Return what becomes of N images of each class that has any, with intervals over groups; nothing where none is accepted.

    accepted, right, labels, groups: (N,) whether its label is accepted, and right, its class and its group.
    """
    if not accepted.any():
        return {}
    missed = accepted & ~right
    numbers = np.unique(labels)

    def score(positions: Rows) -> dict[str, float]:
        of, among = (np.bincount(labels[some], minlength=len(classes)) for some in (positions, positions[missed[positions]]))
        return {f"{k}": float(among[k] / of[k]) if of[k] else np.nan for k in numbers}

    shares = bootstrap(score, groups, weights={f"{k}": (labels == k).astype(np.float64) for k in numbers})
    of_class = {k: labels == k for k in numbers}
    return {classes[k]: ClassDecisions.of(accepted[own], right[own], shares[f"{k}"]) for k, own in of_class.items()}
