"""What the decisions of a run rest on: its held-out images, and the rule that they support for what a user asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from fewscan.datasets.asked_labels import asked_by_review, asked_sentence, teaching_labels, teaching_sentence
from fewscan.datasets.candidates import candidates
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibrate import FOLDS, cannot_calibrate, cannot_cross_fit
from fewscan.evaluation.calibration import Calibration, PileCalibration
from fewscan.evaluation.held_out import HeldOut
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.typicality import Gate
from fewscan.images.stored import Chosen
from fewscan.labeling.asked import Asked
from fewscan.labeling.decisions import Scores, acceptance_threshold, inclusion_thresholds
from fewscan.labeling.missed import Limits, of_each_class, over_all
from fewscan.labeling.population import Population, held_out_like
from fewscan.labeling.remedies import Remedies
from fewscan.labeling.rule import DecisionRule
from fewscan.splits.support import CONFIDENCE, among, images_needed
from fewscan.splits.units import Units
from fewscan.training.leakage import doubt
from fewscan.training.moved import called_with
from fewscan.training.run import Run
from fewscan.wording import HOST, advised, command_line
from fewscan.wording import RUN as RUN_ELSEWHERE

Called = tuple[str | Path, ...]
RUN: Called = (RUN_ELSEWHERE,)


@dataclass(frozen=True)
class Grounds:
    """What the decisions of a run on scans of a population rest on."""

    called: Called  # what commands in its sentences call the run
    predictor: Predictor
    gate: Gate
    classes: tuple[str, ...]
    held_out: HeldOut | None  # one image of a group, none of it out of distribution; None where not calibrated
    of_classes: HeldOut | None  # likewise, one of each group and class
    doubt: str | None  # why the held-out images support nothing
    source: str | None  # of the held-out images; None where the run is not calibrated
    candidates: int  # runs that may have been chosen by labels that they had not learned from, this one among them
    surer: bool = False  # whether the network is surer than those of its cross-fitting
    in_turn: int = 0  # how many independent images would be held out by folds; 0 where they are already, or cannot be
    population: Population = "new"
    seen: bool = False  # whether the held-out images were learned from without their labels, by the encoder say
    asked_for: int = 0  # how many of the held-out labels were given on the review page, which chooses what it asks for
    only_teaching: int = 0  # labels that are held out of none, since a network chose their scans
    odd: int = 0  # independent images that are held out besides, and out of distribution
    cannot: str | None = None  # why the run, which is not calibrated, cannot be; None where it can
    units: Units | None = None  # what counts once in the dataset, and how many there are; None where that is not known

    @classmethod
    def of(cls, run: Run, dataset: Snapshot, called: Called | None = None, *, population: Population = "new") -> Self:
        """Describe what the run learned from, and read its held-out images; the test set has no share in either.

        called: what commands call the run, None for its folder, and its dataset's where that was moved: a page that is passed
        on has no paths. population: which scans are to be decided on; for a `pile`, `speaks_for_pile` says whether anything was
        held out that is like it.
        Raises FewscanError where the run is unfinished or damaged.
        """
        predictor = Predictor.of(run)
        gate = Gate.of(dataset)
        held_out = held_out_like(run, dataset, population)
        seen, asked_for, odd_groups, of_classes = False, 0, 0, None
        if held_out is not None:
            # New scans out of distribution are not accepted, so such images do not speak for those that are.
            shown = Chosen(dataset.pixels, held_out.rows)
            odd = gate.out_of_distribution(shown, held_out.rows, dataset.shows_color[held_out.rows])
            groups = len(np.unique(held_out.groups))
            typical = held_out.take(~odd)
            held_out, of_classes = typical.one_a_group(), typical.one_a_group_and_class()
            odd_groups = groups - len(held_out.rows)
            seen = bool(dataset.manifest["seen_before"].to_numpy(bool)[held_out.rows].any())
            asked_for = asked_by_review(dataset, held_out.rows)
        calibration = Calibration.load(run)
        of_pile = calibration.pile if calibration is not None and population == "pile" else None
        source = "cross-fitting" if of_pile is not None else None if calibration is None else calibration.source
        foldable = source == "validation" and cannot_cross_fit(run, dataset) is None
        called = called or called_with(run.folder, Path(run.record.dataset), dataset.folder)
        leaking, surer = doubt(run, dataset), _surer(of_pile or calibration)
        units = Units.of(dataset)
        return cls(
            called,
            predictor,
            gate,
            run.record.classes,
            held_out,
            of_classes,
            leaking or surer,
            source,
            len(candidates(dataset.folder) | {run.identity}),
            leaking is None and surer is not None,
            units.to_hold_out if foldable else 0,
            population,
            seen,
            asked_for,
            teaching_labels(dataset) if source == "cross-fitting" else 0,
            odd_groups,
            cannot_calibrate(run, dataset) if calibration is None else None,
            units,
        )

    def rule(self, asked: Asked) -> "DecisionRule":
        """Return the rule that the held-out images support.

        Scores are taken before the temperature, which was fitted on the same images.
        """
        runs = self.candidates if asked.candidates is None else asked.candidates
        unsupported, how = self._unsupported()
        if self.held_out is None or self.of_classes is None or unsupported:
            why = f"nothing is accepted, and no class is ruled out: {unsupported}"
            all_possible = np.zeros(len(self.classes), dtype=np.float32)
            helps = Remedies(folds=2 * FOLDS) if self.surer else None
            reason = f"{why}; {how}" if how else why
            return DecisionRule(self.predictor, self.gate, None, all_possible, runs, (reason,), helps, why)
        threshold, accepting, refusal, helps = self._accepting(self.held_out, self.of_classes, asked, runs)
        each_class = {} if threshold is None else of_each_class(self.of_classes, self.classes, threshold)
        accepting += over_all(each_class, asked, runs)
        inclusion, including = _inclusion(self.held_out, self.classes, asked, runs)
        if threshold is None and inclusion.any():
            # What accepted labels would have said.
            including += f". This assumes {self._assumed()}"
        reasons = [*accepting, including]
        if self.only_teaching:
            reasons.append(teaching_sentence(self.only_teaching))
        if runs > 1:
            reasons.append(
                f"the run counts as the best of {runs} runs by held-out labels"
                + (", the number that such labels of this dataset have judged so far" if asked.candidates is None else "")
                + advised(": if it was not chosen that way, give --candidates 1", "")
            )
        return DecisionRule(
            self.predictor,
            self.gate,
            threshold,
            inclusion,
            runs,
            tuple(reasons),
            helps,
            refusal,
            each_class,
            len(accepting),
        )

    def _accepting(self, images: HeldOut, of_classes: HeldOut, asked: Asked, runs: int) -> "_Accepting":
        """Return from which score on labels are accepted, what that promises, or why none are and what helps.

        Of what a user asks, the error comes first: without it, nothing of a class can be promised either.
        """
        limits = Limits.of(of_classes, self.classes, asked, runs)
        if refused := _refused(images, asked.target_error, runs, self.odd):
            why, refusal = refused
            helps = Remedies.of(images, asked.target_error, runs, self.in_turn, self.odd)
            besides = "".join(f"; and {lack}" for lack in limits.lacking)
            return _Accepting(None, [f"{why}{besides}. What helps: {helps.words(self.called, self.units)}"], refusal, helps)
        threshold = limits.threshold(images, asked.target_error)
        if threshold is not None:
            promised = _promise(threshold, images, asked.target_error, self._assumed())
            return _Accepting(threshold, [promised, *limits.promises()], None, None)
        why, refusal = limits.refusal(asked.target_error)
        helps = Remedies.by_folds(images, self.in_turn, self.odd)
        ways = ", or ".join([*helps.ways_by_folds(self.called), *limits.helps(images, asked.target_error)])
        return _Accepting(None, [f"{why}. What helps: {ways}"], refusal, helps)

    def _unsupported(self) -> tuple[str | None, str | None]:
        """Return why nothing can be accepted, and what helps; None where held-out images say, and where nothing does."""
        if self.held_out is None and self.doubt is None:
            by_command = f"run '{command_line('calibrate', *self.called)}'"
            on_page = (
                f"ask {HOST} to calibrate it, or on Model train a classifier on pretrained features, which comes calibrated"
            )
            return "the run is not calibrated", self.cannot or advised(by_command, on_page)
        if not self.surer:
            return self.doubt, None
        by_command = f"try '{command_line('calibrate', *self.called)}' with more --folds"
        on_page = f"ask {HOST} to calibrate it with more folds"
        return self.doubt, f"{advised(by_command, on_page)}, so that their networks learn from nearly as many labels"

    def _assumed(self) -> str:
        if self.population == "pile":
            assumed = "that the unlabeled scans are like these, as they are if the labeled scans were drawn from them at random"
        else:
            assumed = "that new scans are drawn in the same way as these"
        if self.source == "cross-fitting":
            assumed += ", and are scored as these were, by networks that had not learned from them"
        if self.seen and self.population == "new":
            assumed += ", and that the encoder, which has learned from these without their labels, knows new ones equally well"
        if self.held_out is not None and self.asked_for:
            judging = f"the {len(self.held_out.rows):,} independent held-out images, one of each patient or set of copies,"
            assumed += f". {asked_sentence(self.asked_for, judging)}"
        return assumed


def _surer(held_out: Calibration | PileCalibration | None) -> str | None:
    """Return in words why a network is not what its cross-fitting speaks of, or None where nothing shows it."""
    if held_out is None or held_out.surety is None or not held_out.surety.surer:
        return None
    return f"the network is more confident than those whose held-out images would judge it: {held_out.surety.words}"


class _Accepting(NamedTuple):
    """From which score on labels are accepted, None for none, and in words what that promises, or why none are."""

    threshold: float | None
    reasons: list[str]
    refusal: str | None  # in short, why none are
    helps: Remedies | None


def _refused(images: HeldOut, target_error: float, candidates: int, odd: int) -> tuple[str, str] | None:
    """Return why held-out images support no acceptance at an error, in words and in short; None where they do.

    odd: how many images are held out besides, and out of distribution.
    """
    needed, there = images_needed(target_error, candidates=candidates), len(images.rows)
    if there < needed:
        besides = f", not counting {odd} out of distribution" if odd else ""
        why = (
            f"nothing is accepted: an error of {target_error:g}{among(candidates)} needs at least {needed} held-out images, "
            f"each of another patient or set of copies, even if the network is right on all; there are {there}{besides}"
        )
        return why, f"nothing is accepted: {there} held-out images are too few for an error of {target_error:g}"
    if acceptance_threshold(images.scores, images.correct, target_error, candidates=candidates) is None:
        what = "too many mistakes among the most confident held-out images"
        why = f"nothing is accepted: there are {what} to support an error of {target_error:g}{among(candidates)}"
        return why, f"nothing is accepted: {what} for an error of {target_error:g}"
    return None


def _promise(threshold: float, images: HeldOut, target_error: float, assumed: str) -> str:
    """Return in words what is promised of labels from a score on."""
    return (
        f"labels with a score of at least {threshold:.4f} are accepted, by {len(images.rows)} independent held-out images. A "
        f"score chosen this way keeps the long-run error of accepted labels within {target_error:g}, each patient or set of "
        f"copies counted once, in at least {100 * CONFIDENCE:g} of 100 draws of such images, including draws where nothing is "
        f"accepted. This assumes {assumed}"
    )


def _inclusion(images: HeldOut, classes: Sequence[str], asked: Asked, candidates: int) -> tuple[Scores, str]:
    """Return from which probability on each class is possible, and in words what that promises."""
    own = images.probabilities[np.arange(len(images.rows)), images.labels]
    inclusion = inclusion_thresholds(own, images.labels, len(classes), asked.coverage, per_class=asked.coverage_per_class)
    never = [name for name, threshold in zip(classes, inclusion, strict=True) if threshold == 0]
    if len(never) == len(classes):
        return inclusion, f"no class is ruled out: {len(own)} held-out images are too few for a coverage of {asked.coverage:g}"
    share = f"{100 * asked.coverage:g} %"
    if asked.coverage_per_class:
        words = (
            f"in each class, the right class is among the possible ones for {share} of scans that are not out of distribution"
        )
    else:
        words = f"the right class is among the possible ones for {share} of scans that are not out of distribution"
    words += ", on average over draws of held-out images and scans"
    if not asked.coverage_per_class:
        words += f"; for a rare class it may be far fewer{advised(' (--coverage-per-class)', '')}"
    if candidates > 1:
        words += "; for a run chosen among several by these images, it is somewhat fewer"
    if never:
        words += f"; there are too few held-out images to ever rule out {', '.join(never)}"
    return inclusion, words
