"""What a model that learns from the labels given so far says of every scan: logistic regression on features."""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from fewscan.choosing import model
from fewscan.evaluation.intervals import Interval, bootstrap
from fewscan.learning.probe import USUAL_STRENGTH, folds

Floats = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]
FOLDS = 5
RESAMPLES = 400
# Below so many randomly drawn labels no accuracy is said.
LEAST_SCORED = 10


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
    seconds: what it took.
    """

    entry: int
    classes: tuple[str, ...]
    solution: Linear
    probabilities: Floats
    labels: int
    accuracy: Interval | None
    scored: int
    seconds: float

    def of(self, row: int) -> dict[str, float]:
        """Return the probability of each class."""
        return {name: float(share) for name, share in zip(self.classes, self.probabilities[row], strict=True)}

    def best(self, row: int) -> tuple[str, float]:
        """Return the class that the model calls a row, and its probability."""
        at = int(self.probabilities[row].argmax())
        return self.classes[at], float(self.probabilities[row, at])


@dataclass(frozen=True)
class Lesson:
    """What to learn from: features (N, D) of all scans, rows with labels and these, groups (N,), and rows to score by."""

    entry: int
    features: Floats
    rows: Int64s
    labels: Int64s  # of `rows`, indices of `classes`
    classes: tuple[str, ...]
    groups: Int64s
    scored: Int64s  # rows that were drawn at random, all among `rows`


def learned(lesson: Lesson) -> Opinion | None:
    """Return what is learned of a lesson; None where labels are of fewer than two classes."""
    if len(np.unique(lesson.labels)) < 2:
        return None
    began = time.perf_counter()
    solution = solved(lesson, np.arange(len(lesson.rows)))
    accuracy = _accuracy(lesson)
    return Opinion(
        entry=lesson.entry,
        classes=lesson.classes,
        solution=solution,
        probabilities=solution.probabilities(lesson.features),
        labels=len(lesson.rows),
        accuracy=accuracy,
        scored=len(lesson.scored),
        seconds=time.perf_counter() - began,
    )


def solved(lesson: Lesson, at: Int64s) -> Linear:
    """Return the classifier that a probe on positions `at` of a lesson finds.

    Its strength is the usual one: to choose it by the labels takes ten times as long.
    """
    rows, labels = lesson.rows[at], lesson.labels[at]
    features, groups = lesson.features[rows, None], lesson.groups[rows]
    solution = model.solved(features, labels, groups, lesson.classes, deviation=None, strength=USUAL_STRENGTH)
    return Linear(solution.weight, solution.bias)


def _accuracy(lesson: Lesson) -> Interval | None:
    """Return the accuracy on `scored` rows, each held out once with its group."""
    at = np.flatnonzero(np.isin(lesson.rows, lesson.scored))
    groups = lesson.groups[lesson.rows]
    several = min(FOLDS, int(np.bincount(lesson.labels[at], minlength=1).max()))
    if len(np.unique(groups[at])) < LEAST_SCORED or several < 2:
        return None
    right = np.zeros(len(at))
    for _, held_out in folds(lesson.labels[at], groups[at], several, seed=0):
        rest = np.flatnonzero(~np.isin(groups, groups[at[held_out]]))
        if len(np.unique(lesson.labels[rest])) < 2:
            return None
        logits = solved(lesson, rest).logits(lesson.features[lesson.rows[at[held_out]]])
        right[held_out] = logits.argmax(axis=1) == lesson.labels[at[held_out]]
    score = bootstrap(lambda positions: {"accuracy": float(right[positions].mean())}, groups[at], resamples=RESAMPLES)
    return score["accuracy"]
