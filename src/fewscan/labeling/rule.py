"""The rule by which a run labels scans: accept, review or out of distribution, and which classes a scan may have."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from fewscan.data.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.held_out import HeldOut
from fewscan.evaluation.metrics import Probabilities
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Gate
from fewscan.labeling.decisions import (
    CONFIDENCE,
    Scores,
    acceptance_threshold,
    images_needed,
    inclusion_threshold,
    possible_classes,
)
from fewscan.training.batches import Rows
from fewscan.training.leakage import doubt
from fewscan.training.run import Run

Decision = Literal["accept", "review", "out_of_distribution"]


class Decided(NamedTuple):
    """What a rule says of N scans."""

    probabilities: Probabilities  # (N, K), calibrated where the run is
    scores: Scores  # (N,) largest probability before the temperature: what is held against the threshold
    possible: npt.NDArray[np.bool_]  # (N, K)
    decisions: tuple[Decision, ...]
    reasons: tuple[str, ...]  # of each decision, in words


@dataclass(frozen=True)
class Grounds:
    """What the decisions of a run rest on."""

    predictor: Predictor
    gate: Gate
    held_out: HeldOut | None  # one image of a group, none of it out of distribution; None where not calibrated
    doubt: str | None  # why copies of held-out images may have been learned from, so that they support nothing
    source: str | None  # of the held-out images; None where the run is not calibrated

    @property
    def trustworthy(self) -> bool:
        """Whether the held-out images may support a promise."""
        return self.doubt is None

    @classmethod
    def of(cls, run: Run, dataset: Dataset) -> Self:
        """Describe what the run learned from, and read its held-out images; the test part has no share in either.

        Raises FewscanError where the run is unfinished or damaged.
        """
        predictor = Predictor.of(run)
        gate = Gate.of(dataset)
        held_out = HeldOut.load(run, dataset)
        if held_out is not None:
            # New scans out of distribution are not accepted, so such images do not speak for those that are.
            odd = gate.out_of_distribution(dataset.pixels[held_out.rows], held_out.rows)
            held_out = held_out.take(~odd).one_a_group()
        calibration = Calibration.load(run)
        source = None if calibration is None else calibration.source
        return cls(predictor, gate, held_out, doubt(run, dataset), source)

    def rule(self, *, target_error: float, coverage: float) -> "DecisionRule":
        """Return the rule for a target error and a coverage, both in (0, 1).

        Scores are taken before the temperature, which was fitted on the same images. Raises FewscanError for other shares.
        """
        for name, share in (("--target-error", target_error), ("--coverage", coverage)):
            if not 0 < share < 1:
                raise FewscanError(f"{name} is a share in (0, 1), for example 0.05, not {share:g}")
        unsupported = self.doubt
        if self.held_out is None:
            unsupported = "the run is not calibrated; run 'fewscan calibrate RUN'"
        if self.held_out is None or unsupported:
            reason = f"nothing is accepted, and no class is ruled out: {unsupported}"
            return DecisionRule(self.predictor, self.gate, None, None, (reason,))
        threshold, accepting = _threshold(self.held_out, target_error, self.source == "cross-fitting")
        if threshold is None and self.source == "validation":
            accepting += ", or hold out all labels in turn with 'fewscan calibrate RUN --folds 5'"
        inclusion, including = _inclusion(self.held_out, coverage)
        return DecisionRule(self.predictor, self.gate, threshold, inclusion, (accepting, including))


@dataclass(frozen=True)
class DecisionRule:
    """How a run decides; `threshold` and `inclusion` are None where the labels support none, `reasons` say so."""

    predictor: Predictor
    gate: Gate
    threshold: float | None  # lowest score that is accepted
    inclusion: float | None  # least probability, before the temperature, of a possible class
    reasons: tuple[str, ...]

    def decide(self, pixels: npt.NDArray[np.uint8], rows: Rows | None = None) -> Decided:
        """Decide on scans (N, C, S, S) uint8; `rows` (N,), where the run has learned from them, are theirs in its dataset."""
        predicted = self.predictor.predict(pixels)
        raw: Probabilities = softmax(predicted.logits, axis=1)
        scores = raw.max(axis=1)
        odd = self.gate.out_of_distribution(pixels, rows)
        accepted = np.zeros(len(scores), dtype=bool) if self.threshold is None else scores >= self.threshold
        decisions = tuple(map(_decision, odd, accepted))
        reasons = tuple(map(self._reason, decisions, scores))
        return Decided(predicted.probabilities, scores, possible_classes(raw, self.inclusion), decisions, reasons)

    def _reason(self, decision: Decision, score: float) -> str:
        if decision == "out_of_distribution":
            return "it is out of distribution, like nothing that the run learned from, so its label means nothing"
        if self.threshold is None:
            return "nothing is accepted at this target error, so a person should look"
        if decision == "accept":
            return f"its score {score:.6f} reaches the threshold {self.threshold:.6f}"
        return f"its score {score:.6f} is below the threshold {self.threshold:.6f}, so a person should look"


def _decision(odd: np.bool_, accepted: np.bool_) -> Decision:
    return "out_of_distribution" if odd else "accept" if accepted else "review"


def _threshold(images: HeldOut, target_error: float, other_networks: bool) -> tuple[float | None, str]:
    """Return from which score on labels are accepted, and in words where that comes from."""
    needed = images_needed(target_error)
    if len(images.rows) < needed:
        return None, (
            f"nothing is accepted: an error of {target_error:g} needs at least {needed} independent held-out images to be "
            f"supported, and there are {len(images.rows)}; label more images, give a larger --target-error"
        )
    probabilities = images.probabilities
    correct = probabilities.argmax(axis=1) == images.labels
    threshold = acceptance_threshold(probabilities.max(axis=1), correct, target_error)
    if threshold is None:
        return None, (
            f"nothing is accepted: there are too many mistakes among the most confident held-out images to support an error "
            f"of {target_error:g}; label more images, give a larger --target-error"
        )
    assumed = "if new scans are drawn like these"
    if other_networks:
        assumed += ", and scored as the networks of the cross-fitting scored these"
    return threshold, (
        f"labels are accepted from a score of {threshold:.4f} on: {len(images.rows)} independent held-out images support an "
        f"error of at most {target_error:g} there ({100 * CONFIDENCE:g} % sure, {assumed})"
    )


def _inclusion(images: HeldOut, coverage: float) -> tuple[float | None, str]:
    """Return from which probability on a class is possible, and in words what that promises."""
    own = images.probabilities[np.arange(len(images.rows)), images.labels]
    inclusion = inclusion_threshold(own, coverage)
    if inclusion is None:
        return None, f"no class is ruled out: {len(own)} held-out images are too few for a coverage of {coverage:g}"
    return (
        inclusion,
        f"the right class is among the possible ones of {100 * coverage:g} % of scans that are not out of distribution, on "
        "average over draws of held-out images and scans",
    )
