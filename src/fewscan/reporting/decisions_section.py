"""What a report says of calibration and decisions, from the predictions of the test set that the evaluation kept."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibration import before_temperature
from fewscan.evaluation.class_decisions import ClassDecisions, class_decisions
from fewscan.evaluation.evaluate import Evaluation
from fewscan.evaluation.metrics import decision_shares, error_by_share, reliability
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import Grounds
from fewscan.reporting.calibration_figure import Accepted, decision_curve, reliability_diagram
from fewscan.reporting.figures import Theme
from fewscan.splits.support import CONFIDENCE, TARGET_ERROR

TARGET_ERRORS = (0.02, TARGET_ERROR, 0.1)


@dataclass(frozen=True)
class Promise:
    """What a target error comes to: from which score on labels are accepted, and how that went on the test set."""

    target_error: float
    reason: str
    threshold: float | None
    share: float | None  # of the test images, how many are accepted
    error: float | None  # among those


@dataclass(frozen=True)
class DecisionsSection:
    """The content of the report's section on calibration and decisions; pictures by theme, as PNG data URIs."""

    promises: tuple[Promise, ...]
    classes: dict[str, ClassDecisions]  # those with test images, where anything is accepted at the usual target error
    confidence: float
    candidates: int  # among how many runs this one is taken to have been chosen
    doubt: str | None  # why nothing is promised; see `Grounds`
    reliability: dict[Theme, str]
    curve: dict[Theme, str]

    @property
    def reasons(self) -> dict[str, list[float]]:
        """Each reason for a threshold, or for none, once, and the errors asked for that it goes for."""
        found: dict[str, list[float]] = {}
        for promise in self.promises:
            found.setdefault(promise.reason, []).append(promise.target_error)
        return found


def describe_decisions(
    grounds: Grounds, dataset: Snapshot, evaluation: Evaluation, predictions: pd.DataFrame
) -> DecisionsSection:
    """Return the section; thresholds come from held-out images, and the test set only shows what they come to.

    predictions: row by row of the test set, as the evaluation wrote them, and whether each is `out_of_distribution`.
    """
    labels = dataset.labels[predictions["row"]]
    probabilities = predictions[[f"probability_{name}" for name in dataset.classes]].to_numpy(dtype=np.float64)
    raw = before_temperature(probabilities, evaluation.temperature)
    scores, right = predictions["score"].to_numpy(), raw.argmax(axis=1) == labels
    shares, errors = error_by_share(scores, right)
    typical = ~predictions["out_of_distribution"].to_numpy(dtype=bool)
    promises: list[Promise] = []
    of_classes: dict[str, ClassDecisions] = {}
    for target_error in TARGET_ERRORS:
        rule = grounds.rule(Asked(target_error))
        accepted = np.zeros(len(scores), dtype=bool) if rule.threshold is None else typical & (scores >= rule.threshold)
        shares_of = decision_shares(~right, accepted, ~typical)
        error = float(shares_of["wrong_accepted"]) if accepted.any() else None
        share = None if rule.threshold is None else float(shares_of["accepted"])
        if target_error == TARGET_ERROR:
            of_classes = class_decisions(accepted, right, labels, dataset.groups[predictions["row"]], dataset.classes)
        promises.append(Promise(target_error, rule.reasons[0], rule.threshold, share, error))
    curves = {"without a temperature": reliability(raw.astype(np.float32), labels)}
    if evaluation.temperature != 1:
        curves[f"with temperature {evaluation.temperature:.2f}"] = reliability(probabilities.astype(np.float32), labels)
    drawn = [Accepted(each.target_error, each.share, each.error) for each in promises if each.share and each.error is not None]
    themes: tuple[Theme, ...] = ("light", "dark")
    return DecisionsSection(
        tuple(promises),
        of_classes,
        CONFIDENCE,
        grounds.candidates,
        grounds.doubt,
        {theme: reliability_diagram(curves, theme) for theme in themes},
        {theme: decision_curve(shares, errors, drawn, theme) for theme in themes},
    )
