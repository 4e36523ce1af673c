"""What a model that learns from the labels given so far says of every scan: logistic regression on features."""

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from fewscan.choosing import model
from fewscan.evaluation.intervals import Interval
from fewscan.learning.logistic_regression import USUAL_STRENGTH
from fewscan.reviewing.apart import Call, here

if TYPE_CHECKING:
    from fewscan.reviewing.seeing import Seen

Floats = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]
# For an interval after every label.
RESAMPLES = 400


class Linear(NamedTuple):
    """A linear classifier of features (M, D): weight (K, D), bias (K,)."""

    weight: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """Return (M, K)."""
        return np.asarray(features @ self.weight.T + self.bias, np.float32)

    def probabilities(self, features: Floats) -> Floats:
        """Return (M, K), summing to 1."""
        return np.asarray(softmax(self.logits(features), axis=1), np.float32)


@dataclass(frozen=True)
class Opinion:
    """The model after the log's entry `entry`. `probabilities` (N, K) of `classes`, summing to 1.

    accuracy: of scans that were drawn at random, each called by a model that has not learned from its group; None for too few.
    seconds: what it took. seen: what it goes by, whose encoder its solution is for; the page may see scans otherwise by now.
    """

    entry: int
    classes: tuple[str, ...]
    solution: Linear
    probabilities: Floats
    labels: int
    accuracy: Interval | None
    scored: int
    seconds: float
    seen: "Seen | None" = None

    def of(self, row: int) -> dict[str, float]:
        """Return the probability of each class."""
        return {name: float(share) for name, share in zip(self.classes, self.probabilities[row], strict=True)}

    def best(self, row: int) -> tuple[str, float]:
        """Return the class that the model calls a row, and its probability."""
        at = int(self.probabilities[row].argmax())
        return self.classes[at], float(self.probabilities[row, at])


@dataclass(frozen=True)
class Lesson:
    """What to learn from: features (N, D) of all scans, labels (N,) indices of `classes` or -1, groups (N,).

    scored: rows to score by, all labeled. deviation: (D,) of each feature over all scans that may be learned from.
    """

    entry: int
    features: Floats
    labels: Int64s
    classes: tuple[str, ...]
    groups: Int64s
    scored: Int64s  # rows that were drawn at random
    deviation: Floats


class Taught(NamedTuple):
    """What labeled scans alone teach: the classifier, and its accuracy as `Opinion` has it."""

    solution: Linear
    accuracy: Interval | None


def learned(lesson: Lesson, call: Call = here) -> Opinion | None:
    """Return what is learned of a lesson; None where labels are of fewer than two classes.

    call: in which process the classifier is sought; it gets the labeled scans alone.
    """
    rows = np.flatnonzero(lesson.labels >= 0)
    if len(np.unique(lesson.labels[rows])) < 2:
        return None
    began = time.perf_counter()
    of_labeled = replace(
        lesson,
        features=lesson.features[rows],
        labels=lesson.labels[rows],
        groups=lesson.groups[rows],
        scored=np.searchsorted(rows, lesson.scored),
    )
    solution, accuracy = call(taught, of_labeled)
    return Opinion(
        entry=lesson.entry,
        classes=lesson.classes,
        solution=solution,
        probabilities=solution.probabilities(lesson.features),
        labels=len(rows),
        accuracy=accuracy,
        scored=len(lesson.scored),
        seconds=time.perf_counter() - began,
    )


def taught(lesson: Lesson) -> Taught:
    """Return what a lesson teaches whose labels are of two classes or more."""
    accuracy = model.held_out_accuracy(
        lesson.features, lesson.labels, lesson.groups, lesson.classes, lesson.deviation, lesson.scored, RESAMPLES
    )
    return Taught(solved(lesson), accuracy)


def solved(lesson: Lesson) -> Linear:
    """Return the classifier that a probe finds.

    Its strength is the usual one: to choose it by the labels takes ten times as long.
    """
    rows = np.flatnonzero(lesson.labels >= 0)
    features, labels, groups = lesson.features[rows, None], lesson.labels[rows], lesson.groups[rows]
    solution = model.solved(features, labels, groups, lesson.classes, lesson.deviation, USUAL_STRENGTH)
    return Linear(solution.weight, solution.bias)
