"""The rule by which a run labels scans: accept, review or out of distribution, and which classes a scan may have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from fewscan.evaluation.class_decisions import ClassDecisions
from fewscan.evaluation.metrics import Probabilities
from fewscan.evaluation.predictor import Prediction, Predictor
from fewscan.evaluation.typicality import IN_COLOR, Flags, Gate, Values
from fewscan.images.stored import Chosen, StoredImages
from fewscan.labeling.decisions import Scores, possible_classes
from fewscan.labeling.remedies import Remedies
from fewscan.training.batches import Rows

Decision = Literal["accept", "review", "out_of_distribution"]


class Decided(NamedTuple):
    """What a rule says of N scans."""

    probabilities: Probabilities  # (N, K), calibrated where the run is
    scores: Scores  # (N,) largest probability before the temperature: what is held against the threshold
    possible: npt.NDArray[np.bool_]  # (N, K)
    typicality: Values  # (N,); below the gate's limit a scan is out of distribution
    decisions: tuple[Decision, ...]
    reasons: tuple[str, ...]  # of each decision, in words


@dataclass(frozen=True)
class DecisionRule:
    """How a run decides; `reasons` say what that promises, or why nothing can be promised."""

    predictor: Predictor
    gate: Gate
    threshold: float | None  # lowest score that is accepted; None where the labels support none
    inclusion: Scores  # (K,) least probability, before the temperature, of a possible class; 0 where it always is one
    candidates: int  # among how many runs this one is taken to have been chosen
    reasons: tuple[str, ...]  # of the threshold first: `about_threshold` of them
    helps: Remedies | None = None  # where there is no threshold, and more or other held-out images would give one
    # Why there is no threshold, in short, since tables say it in every row. They are passed on: what helps, a command or a
    # button, is not for whoever reads them.
    refusal: str | None = None
    # What becomes of the held-out images of each class at the threshold; none where there is no threshold.
    held_out: Mapping[str, ClassDecisions] = field(default_factory=dict)
    about_threshold: int = 1

    @property
    def promises(self) -> bool:
        """Whether anything is promised of scans: of labels that are accepted, or of classes that are ruled out."""
        return self.threshold is not None or bool(self.inclusion.any())

    def decide(self, pixels: npt.NDArray[np.uint8], rows: Rows | None = None, in_color: Flags | None = None) -> Decided:
        """Decide on scans (N, C, S, S) uint8; `rows` (N,) are theirs in the run's dataset, -1 for none.

        in_color: (N,) which of them showed color; see `Gate.of_images`.
        """
        return self.decide_predicted(self.predictor.predict(pixels), pixels, rows, in_color)

    def decide_predicted(
        self, predicted: Prediction, pixels: StoredImages | Chosen, rows: Rows | None = None, in_color: Flags | None = None
    ) -> Decided:
        """Decide on scans of which the run's network has said `predicted` already; otherwise as `decide`."""
        raw: Probabilities = softmax(predicted.logits, axis=1)
        scores = raw.max(axis=1)
        typicality = self.gate.of_images(pixels, rows, in_color)
        odd = typicality < self.gate.limit
        accepted = np.zeros(len(scores), dtype=bool) if self.threshold is None else scores >= self.threshold
        decisions = tuple(map(_decision, odd, accepted))
        unlike = np.zeros(len(scores), bool) if in_color is None else self.gate.gray & in_color
        reasons = tuple(map(self._reason, decisions, scores, unlike))
        return Decided(predicted.probabilities, scores, possible_classes(raw, self.inclusion), typicality, decisions, reasons)

    def _reason(self, decision: Decision, score: float, unlike_in_color: np.bool_) -> str:
        if decision == "out_of_distribution":
            how = IN_COLOR if unlike_in_color else "unlike what the run learned from"
            return f"it is out of distribution: {how}, so its label cannot be relied on"
        if self.threshold is None:
            return f"{self.refusal}, so a person should check it"
        if decision == "accept":
            return f"its score {score:.6f} reaches the threshold {self.threshold:.6f}"
        return f"its score {score:.6f} is below the threshold {self.threshold:.6f}, so a person should check it"


def _decision(odd: np.bool_, accepted: np.bool_) -> Decision:
    return "out_of_distribution" if odd else "accept" if accepted else "review"
