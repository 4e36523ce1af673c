"""What a run said of the same images under several conditions -> scores with intervals, and by how much each lies below."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.evaluation.intervals import Interval, Rows, bootstrap
from fewscan.evaluation.metrics import CALIBRATION_BINS, Labels, decision_shares, weights
from fewscan.evaluation.typicality import Values

Flags = npt.NDArray[np.bool_]


class Said(NamedTuple):
    """What a run said of N images under M conditions, the first of which leaves them as they are."""

    probabilities: npt.NDArray[np.float32]  # (M, N, K)
    out_of_distribution: Flags  # (M, N)
    accepted: Flags  # (M, N)
    typicality: Values  # (M, N)


def joined(parts: Sequence[Said], positions: Sequence[Rows]) -> Said:
    """Return what was said of images that parts of networks share: of each part the images at these positions, (N,) in all."""
    order = np.argsort(np.concatenate(positions))
    return Said._make(np.concatenate(values, axis=1)[:, order] for values in zip(*parts, strict=True))


def condition_scores(said: Said, labels: Labels, groups: Rows) -> list[dict[str, Interval]]:
    """Return for each of the M conditions, with 95 % intervals over groups:

    `accuracy`, `balanced_accuracy`, `calibration_error`; `accuracy_difference`, to the first condition, image by image; the
    shares `out_of_distribution` and `accepted`; and of those accepted the share `wrong_accepted`, not defined where none is.
    labels, groups: (N,). All conditions are seen through the same resamples.
    """
    conditions, _, classes = said.probabilities.shape
    right = (said.probabilities.argmax(axis=2) == labels).astype(np.float64)
    confidence = said.probabilities.max(axis=2).astype(np.float64)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    bins += CALIBRATION_BINS * np.arange(conditions)[:, np.newaxis]
    tested = np.unique(labels)
    own = (labels[:, np.newaxis] == tested).astype(np.float64)
    accepted = said.accepted.astype(np.float64)

    def score(positions: Rows) -> Mapping[str, float]:
        hits, of_class = right[:, positions], own[positions]
        gaps = np.bincount(bins[:, positions].ravel(), (hits - confidence[:, positions]).ravel(), conditions * CALIBRATION_BINS)
        accuracy = hits.mean(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            balanced_accuracy = (hits @ of_class / of_class.sum(axis=0)).mean(axis=1)
        found = {
            "accuracy": accuracy,
            "balanced_accuracy": balanced_accuracy,
            "calibration_error": np.abs(gaps).reshape(conditions, -1).sum(axis=1) / len(positions),
            "accuracy_difference": accuracy - accuracy[0],
            **decision_shares(1 - hits, accepted[:, positions], said.out_of_distribution[:, positions]),
        }
        return {f"{name}/{number}": value for name, values in found.items() for number, value in enumerate(values.tolist())}

    everyone = range(conditions)
    balanced = weights(labels, classes)["balanced_accuracy"]
    intervals = bootstrap(
        score,
        groups,
        weights={f"balanced_accuracy/{number}": balanced for number in everyone}
        | {f"wrong_accepted/{number}": accepted[number] for number in everyone},
        differences={f"accuracy_difference/{number}" for number in everyone},
        raised_by_resampling={f"calibration_error/{number}" for number in everyone},
    )
    found: list[dict[str, Interval]] = [{} for _ in everyone]
    for key, interval in intervals.items():
        name, _, number = key.partition("/")
        found[int(number)][name] = interval
    return found


def mean_accuracy(said: Said, labels: Labels, groups: Rows, conditions: Rows) -> Interval:
    """Return the mean of the accuracies under these of the conditions, with its 95 % interval over groups."""
    right = (said.probabilities[conditions].argmax(axis=2) == labels).mean(axis=0)
    return bootstrap(lambda positions: {"mean": float(right[positions].mean())}, groups)["mean"]
