"""What labels teach in a moment: logistic regression on features, as `--method probe` solves it."""

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from fewscan.choosing.scans import Floats, Int64s
from fewscan.evaluation.intervals import RESAMPLES, Interval, bootstrap
from fewscan.learning.logistic_regression import FOLDS, USUAL_STRENGTH, folds, regression
from fewscan.learning.method import LabeledFeatures, Solution
from fewscan.training.solve import telling

# With fewer groups an accuracy says nothing.
LEAST_SCORED = 10


def solved(
    features: Floats,
    labels: Int64s,
    groups: Int64s,
    classes: tuple[str, ...],
    deviation: Floats | None,
    strength: float | None,
) -> Solution:
    """Return the classifier of features (M, V, D) of labeled scans, V views of each; classes weigh alike.

    deviation: (D,) that of each feature over all scans that may be labeled, which tells more of its unit than few labels do;
    None: by the labels alone.
    strength: scikit-learn's C; None: chosen by the labels. Raises FewscanError where labels are of one class.
    """
    return regression(alike(features, labels, groups, classes, deviation), strength, seed=0)


def alike(
    features: Floats, labels: Int64s, groups: Int64s, classes: tuple[str, ...], deviation: Floats | None
) -> LabeledFeatures:
    """Return labeled scans, as `solved` has them, whose classes weigh alike."""
    weights = 1.0 / np.bincount(labels, minlength=len(classes))[labels]
    weights *= len(labels) / weights.sum()
    ones = np.ones(len(labels))
    return LabeledFeatures(features, labels, groups, weights, ones, ones > 0, classes, deviation)


def probed(
    features: Floats, labels: Int64s, groups: Int64s, classes: tuple[str, ...], deviation: Floats
) -> npt.NDArray[np.float32] | None:
    """Return (N, K) what logistic regression on labeled features (N, D) says of each; None where labels are of one class.

    labels: (N,) -1 for none. deviation: (D,) as in `solved`.
    """
    rows = np.flatnonzero(labels >= 0)
    if len(np.unique(labels[rows])) < 2:
        return None
    found = solved(features[rows][:, np.newaxis], labels[rows], groups[rows], classes, deviation, USUAL_STRENGTH)
    return np.asarray(softmax(found.logits(features), axis=1), np.float32)


def deviation_over(features: Floats, rows: Int64s) -> Floats:
    """Return (D,) the deviation of features (N, D) over rows that may be learned from, as `solved` takes it."""
    return np.asarray(features[telling(rows)].std(axis=0))


def held_out_accuracy(
    features: Floats,
    labels: Int64s,
    groups: Int64s,
    classes: tuple[str, ...],
    deviation: Floats,
    rows: Int64s,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Return how often such a model is right on `rows`, each held out with its group; None where they are too few to say.

    features: (N, D); labels: (N,) -1 for none; deviation: (D,) as in `solved`. Where nobody chose `rows` (`honest_rows`), this
    is how good the model is on the pile, a little less so, since it learns from a fifth fewer of them. resamples: for the
    interval.
    """
    known = np.flatnonzero(labels >= 0)
    # No more folds than the commonest class has rows: of many classes with few each.
    several = min(FOLDS, int(np.bincount(labels[rows], minlength=1).max()))
    if len(np.unique(groups[rows])) < LEAST_SCORED or several < 2:
        return None
    right = np.zeros(len(rows))
    for _, held_out in folds(labels[rows], groups[rows], several, seed=0):
        rest = known[~np.isin(groups[known], groups[rows[held_out]])]
        if len(np.unique(labels[rest])) < 2:
            return None
        found = solved(features[rest][:, np.newaxis], labels[rest], groups[rest], classes, deviation, USUAL_STRENGTH)
        called = found.logits(features[rows[held_out]]).argmax(axis=1)
        right[held_out] = called == labels[rows[held_out]]
    return bootstrap(lambda drawn: {"accuracy": float(right[drawn].mean())}, groups[rows], resamples=resamples)["accuracy"]
