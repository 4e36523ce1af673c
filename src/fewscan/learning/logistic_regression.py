"""Logistic regression on features whose scans come in groups: solved, at a strength that its own labels choose."""

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from fewscan.errors import FewscanError
from fewscan.learning.method import LabeledFeatures, Solution
from fewscan.wording import listed

# The strengths among which labels choose, weakest penalty last: scikit-learn's C, of weights that sum to the number of labels.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# The one where labels are too few to choose.
USUAL_STRENGTH = 1e-2
FOLDS = 5
MOST_STEPS = 1000
# Scikit-learn's, and one that is enough to tell strengths apart, in half the steps.
TOLERANCE, ROUGH_TOLERANCE = 1e-4, 1e-3

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


def regression(labeled: LabeledFeatures, strength: float | None, seed: int) -> Solution:
    """Return the classifier; strength: scikit-learn's C, None: chosen by the labels.

    Raises FewscanError where the labels are of one class.
    """
    known = np.unique(labeled.labels)
    if len(known) < 2:
        raise FewscanError(f"all labels are '{labeled.classes[known[0]]}': also label images of another class")
    chosen = _choose(labeled, seed) if strength is None else _Chosen({}, [], strength)
    found = _Regression(labeled, TOLERANCE).classifier(chosen.strength)
    if not found.converged:
        chosen.lines.append(f"logistic regression did not converge in {MOST_STEPS:,} steps: its last state is used")
    return Solution(found.weight, found.bias, {"strength": chosen.strength} | chosen.numbers, tuple(chosen.lines))


class _Chosen(NamedTuple):
    numbers: dict[str, float]
    lines: list[str]
    strength: float = USUAL_STRENGTH


class _Score(NamedTuple):
    """What labeled images, each held out once, were given: sums over those that could be scored."""

    loss: float
    hits: float
    weight: float


def _choose(labeled: LabeledFeatures, seed: int) -> _Chosen:
    """Return the strength under which held-out labeled images are likeliest; groups are held out as a whole.

    For the choice every label counts through its own image as it is, which takes a quarter of the time. An image is scored
    where its class has labels in other groups, too. Strengths are tried until a weaker penalty no longer helps.
    """
    labeled = labeled._replace(features=labeled.features[:, :1], shares=np.ones(len(labeled.labels)))
    labeled = labeled.take(np.flatnonzero(labeled.own))
    groups = {int(label): len(np.unique(labeled.groups[labeled.labels == label])) for label in np.unique(labeled.labels)}
    several = [count for count in groups.values() if count > 1]
    alone = [labeled.classes[label] for label, count in groups.items() if count < 2]
    lines = []
    if alone:
        lines.append(f"all labels of {listed(alone)} are of one patient or set of copies: they do not help choose the strength")
    pairs = _pairs(labeled, min(FOLDS, *several), seed) if len(several) > 1 else []
    if not pairs:
        return _Chosen({}, [*lines, f"too few labels to hold any out: the strength is {USUAL_STRENGTH:g}"])
    best, score = USUAL_STRENGTH, _Score(np.inf, 0.0, 1.0)
    for strength in STRENGTHS:
        parts = [_scored(regression.classifier(strength), held_out) for regression, held_out in pairs]
        tried = _Score(*(sum(part[number] for part in parts) for number in range(3)))
        if tried.loss >= score.loss:
            break
        best, score = strength, tried
    loss, hits = score.loss / score.weight, score.hits / score.weight
    return _Chosen({"cross_validated_loss": loss, "cross_validated_accuracy": hits}, lines, best)


def _pairs(labeled: LabeledFeatures, count: int, seed: int) -> list[tuple["_Regression", LabeledFeatures]]:
    """Return for every fold what learns, and the held-out images that can be scored; folds without either are left out."""
    pairs = []
    for learned, held_out in folds(labeled.labels, labeled.groups, count, seed):
        known = np.unique(labeled.labels[learned])
        scored = held_out[np.isin(labeled.labels[held_out], known)]
        if len(known) > 1 and len(scored):
            pairs.append((_Regression(labeled.take(learned), ROUGH_TOLERANCE), labeled.take(scored)))
    return pairs


def folds(labels: Int64s, groups: Int64s, count: int, seed: int) -> list[tuple[Int64s, Int64s]]:
    """Return positions to learn from and to hold out, so many times; no group is on both sides of one."""
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Of a class with fewer images than folds: such images are scored where they can be.
        warnings.simplefilter("ignore", UserWarning)
        return list(splitter.split(np.zeros(len(labels)), labels, groups))


class _Classifier(NamedTuple):
    """Of features as they are."""

    weight: Floats
    bias: Floats
    converged: bool


def _scored(classifier: _Classifier, held_out: LabeledFeatures) -> _Score:
    logs = log_softmax(held_out.features[:, 0] @ classifier.weight.T + classifier.bias, axis=1)
    own = logs[np.arange(len(logs)), held_out.labels]
    hits = logs.argmax(axis=1) == held_out.labels
    return _Score(-float(own @ held_out.weights), float(hits @ held_out.weights), float(held_out.weights.sum()))


class _Regression:
    """Logistic regression on standardized features; asked for another strength it goes on from where it is."""

    def __init__(self, labeled: LabeledFeatures, tolerance: float) -> None:
        images, views, size = labeled.features.shape
        features = labeled.features.reshape(-1, size)
        self._weights = np.repeat(labeled.weights * labeled.shares / views, views)
        share = self._weights / self._weights.sum()
        self._mean = share @ features
        centered = features - self._mean.astype(np.float32)
        self._deviation = np.sqrt(share @ np.square(centered))
        if labeled.deviation is not None:
            # What hardly varies among few labels would be made large, and decide of the scans in which it does.
            self._deviation = np.maximum(self._deviation, labeled.deviation)
        self._deviation[self._deviation <= 1e-6 * np.abs(self._mean)] = 1.0  # a feature that is always the same
        self._standardized = centered / self._deviation.astype(np.float32)
        self._targets = np.repeat(labeled.labels, views)
        self._classes, self._images = len(labeled.classes), images
        self._solver = LogisticRegression(max_iter=MOST_STEPS, tol=tolerance, warm_start=True)

    def classifier(self, strength: float) -> _Classifier:
        """Return the classifier; what standardizes is a part of its weight and bias."""
        self._solver.set_params(C=strength)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            self._solver.fit(self._standardized, self._targets, sample_weight=self._weights)
        weight, bias = _of_all_classes(self._solver, self._classes, self._images)
        weight /= self._deviation
        converged = not any(issubclass(each.category, ConvergenceWarning) for each in caught)
        return _Classifier(weight.astype(np.float32), (bias - weight @ self._mean).astype(np.float32), converged)


def _of_all_classes(solver: LogisticRegression, classes: int, images: int) -> tuple[Doubles, Doubles]:
    """Return weight (K, D) and bias (K,), the logits of the classes that have labels summing to zero.

    A class without labels is never called: its probability stays below 1 / (images + 1).
    """
    weight, bias = solver.coef_.astype(np.float64), solver.intercept_.astype(np.float64)
    if len(weight) == 1:  # of two classes scikit-learn has one line, for the second
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    whole, constants = np.zeros((classes, weight.shape[1])), np.full(classes, -np.log(images + 1))
    whole[solver.classes_], constants[solver.classes_] = weight - weight.mean(axis=0), bias - bias.mean()
    return whole, constants
