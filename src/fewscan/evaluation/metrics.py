"""Scores of a classifier's probabilities, with the values of scikit-learn where it has them (the tests compare them).

Written out here because intervals ask for each of them a thousand times on resamples that may lack a class: these take a
fraction of a millisecond and say NaN where a score is not defined.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from fewscan.evaluation.intervals import Interval, Rows, Score, bootstrap

Probabilities = npt.NDArray[np.float32]  # (N, K), rows sum to 1
Labels = npt.NDArray[np.int64]  # (N,)
Scores = npt.NDArray[np.float64]
Each = npt.NDArray[np.float64] | npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]  # (K, K), one row a true class, one column a predicted one

CALIBRATION_BINS = 15


def scores(probabilities: Probabilities, labels: Labels, classes: Labels | None = None) -> dict[str, float]:
    """Return accuracy, balanced accuracy, macro AUROC and expected calibration error, and every class's three rates.

    All in [0, 1]. A class's keys are `sensitivity/k` (of its images, the share called so), `specificity/k` (of the others, the
    share not called so) and `predictive_value/k` (of those called so, the share that is). NaN where a score is not defined.
    classes: (C,) those that the means over classes are of, NaN where one has no images; by default those that have.
    """
    counts = confusion(probabilities, labels).astype(np.float64)
    own, images, called = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    counted = np.flatnonzero(images) if classes is None else classes
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = own / images
        specificity = 1 - (called - own) / (counts.sum() - images)
        predictive_value = own / called
    areas = auroc(probabilities, labels)
    result = {
        "accuracy": own.sum() / counts.sum(),
        "balanced_accuracy": sensitivity[counted].mean(),
        "auroc": areas[counted].mean(),
        "calibration_error": calibration_error(probabilities, labels),
    }
    rates = {"sensitivity": sensitivity, "specificity": specificity, "predictive_value": predictive_value}
    result |= {f"{name}/{k}": value for name, values in rates.items() for k, value in enumerate(values)}
    return {name: float(value) for name, value in result.items()}


def weights(labels: Labels, classes: int) -> dict[str, Scores]:
    """Return how much each image (N,) counts in those of `scores` in which not all count alike, by their labels."""
    own = labels[:, None] == np.arange(classes)
    by_class = 1 / own.sum(axis=0)[labels]
    result = {"balanced_accuracy": by_class, "auroc": by_class}
    result |= {f"sensitivity/{k}": own[:, k].astype(np.float64) for k in range(classes)}
    return result | {f"specificity/{k}": (~own[:, k]).astype(np.float64) for k in range(classes)}


def score_intervals(
    probabilities: Probabilities,
    raw: Probabilities,
    labels: Labels,
    groups: Rows,
    besides: Score = lambda positions: {},
    besides_weights: Mapping[str, Scores] = MappingProxyType({}),
) -> dict[str, Interval]:
    """Return every score of N images with its interval over groups (N,), and so those that `besides` gives of some of them.

    probabilities, raw: (N, K) with and without the temperature. Means over classes are of those that the images have.
    besides_weights: (N,) how much each image counts for a score of `besides`, as for `bootstrap`.
    """
    classes = np.unique(labels)
    called = probabilities.argmax(axis=1)[:, None] == np.arange(probabilities.shape[1])
    by_call = {f"predictive_value/{k}": own.astype(np.float64) for k, own in enumerate(called.T)}

    def score(positions: Rows) -> Mapping[str, float]:
        return scores(probabilities[positions], labels[positions], classes) | {
            "calibration_error_before": calibration_error(raw[positions], labels[positions]),
            **besides(positions),
        }

    return bootstrap(
        score,
        groups,
        weights=weights(labels, probabilities.shape[1]) | by_call | dict(besides_weights),
        raised_by_resampling=("calibration_error", "calibration_error_before"),
    )


def confusion(probabilities: Probabilities, labels: Labels) -> Counts:
    """Return (K, K) counts: row = true class, column = class of the largest probability."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def auroc(probabilities: Probabilities, labels: Labels) -> Scores:
    """Return (K,) the area under each class's ROC curve, one class against the rest; NaN where either side is empty.

    It is the chance that an image of the class has a larger probability for it than another image, ties counting half:
    the Mann-Whitney statistic (Hanley and McNeil 1982).
    """
    own = labels[:, None] == np.arange(probabilities.shape[1])
    positives = own.sum(axis=0)
    ranks = (rankdata(probabilities, axis=0) * own).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Scores = (ranks - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))
    return area


def calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Return the expected calibration error: |accuracy - confidence| in equal bins of confidence, weighted by their images.

    Source: Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning".
    """
    bins = reliability(probabilities, labels)
    return float(np.abs(bins.hits - bins.confidence).sum() / len(labels))


class Reliability(NamedTuple):
    """Sums over the images in each of CALIBRATION_BINS equal bins of confidence, all (B,)."""

    images: Scores
    confidence: Scores
    hits: Scores


def reliability(probabilities: Probabilities, labels: Labels) -> Reliability:
    """Bin images by the largest probability, and count how many were called right: what a reliability diagram shows."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    hits = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    images, *sums = (np.bincount(bins, each, CALIBRATION_BINS) for each in (np.ones(len(bins)), confidence, hits))
    return Reliability(images.astype(np.float64), *(each.astype(np.float64) for each in sums))


def decision_shares(wrong: Each, accepted: Each, out_of_distribution: Each) -> dict[str, Scores]:
    """Return what was decided on images (..., N), each 0 or 1, over the last axis.

    The shares `out_of_distribution` and `accepted`, and of those accepted the share `wrong_accepted`, NaN where none is.
    """
    taken = accepted.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        among = np.asarray((wrong * accepted).sum(axis=-1) / taken)
    return {
        "out_of_distribution": np.asarray(out_of_distribution.mean(axis=-1)),
        "accepted": np.asarray(taken / accepted.shape[-1]),
        "wrong_accepted": among,
    }


def error_by_share(scores: npt.NDArray[np.floating[Any]], correct: npt.NDArray[np.bool_]) -> tuple[Scores, Scores]:
    """Return (N,) shares of images accepted, the highest scores first, and (N,) the error among those: the decision curve.

    Source: El-Yaniv and Wiener 2010, "On the foundations of noise-free selective classification" (risk-coverage curve).
    """
    order = np.argsort(-scores, kind="stable")
    accepted = np.arange(1, len(scores) + 1)
    return accepted / len(scores), np.cumsum(~correct[order]) / accepted
