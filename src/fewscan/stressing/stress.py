"""What becomes of a run where scans look processed otherwise than those that it learned from."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from fewscan.config import Settings
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.before_opening import open_test_set
from fewscan.evaluation.cross_fitting import folds_kept
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.shift import Shift, shift
from fewscan.evaluation.today import SinceTraining
from fewscan.images.formats.image import Pixels
from fewscan.images.parallel import in_order
from fewscan.images.readers import fitted
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import RUN, Grounds
from fewscan.labeling.rule import DecisionRule
from fewscan.progress import track
from fewscan.splits.support import TARGET_ERROR
from fewscan.spreadsheet import write_csv
from fewscan.stressing.corruption import MIDDLE, STRENGTHS, Corruption
from fewscan.stressing.corruptions import chosen
from fewscan.stressing.scans import require_scans, scans_of
from fewscan.stressing.scoring import Said, condition_scores, joined, mean_accuracy
from fewscan.stressing.tested import Part, Tested
from fewscan.training.batches import Rows
from fewscan.training.run import Run

STRESS_FILE = "stress.json"
STRESS_TABLE_FILE = "stress.csv"

# So many scans, each under all conditions, are held at once.
_BLOCK_SCANS = 16
_INTERVALS = (
    "accuracy",
    "accuracy_difference",
    "balanced_accuracy",
    "calibration_error",
    "out_of_distribution",
    "accepted",
    "wrong_accepted",
)


class Asking(NamedTuple):
    """What a user asks of a stress test."""

    only: tuple[str, ...] = ()  # names of corruptions; none: all
    images: int | None = None  # at most so many, drawn; None: all
    validation: bool = False  # change the validation set instead
    stored: bool = False  # change the dataset's own pixels instead of those of files
    target_error: float = TARGET_ERROR


class Condition(Settings):
    """A run's scores on the images under one corruption at one strength; strength 0: unchanged images."""

    corruption: str
    strength: int
    said: str  # the strength in words
    accuracy: Interval
    accuracy_difference: Interval  # to the same images as they are
    balanced_accuracy: Interval
    calibration_error: Interval
    mean_probability: float  # of the class that each image was called
    out_of_distribution: Interval  # the share of images
    accepted: Interval  # the share of images whose label is accepted at the target error
    wrong_accepted: Interval  # the share of wrong ones among these
    shift: Shift | None  # how typical the images are as a whole, beside those learned from; None where nobody can know


class StressTest(Settings):
    """The content of `stress.json`."""

    part: Part  # whose images were changed
    folds: int = 0  # networks by which images were held out in turn; 0: the run's own predicted all
    stored: bool
    images: int
    groups: int
    test_openings: int  # by this run, this one included; 0 where other images were taken
    test_set_openings: int  # of this test set, by all runs on it until then
    temperature: float | None = None  # that the run had then, 1 where it was not calibrated; None where that was not noted
    target_error: float
    threshold: float | None  # of the score, from which on labels are accepted; None where nothing is
    threshold_reason: str
    unchanged: Condition
    conditions: tuple[Condition, ...]  # corruption by corruption, from weak to strong
    mean_accuracy: tuple[Interval, ...]  # over the corruptions, at each strength
    since_training: SinceTraining = SinceTraining()
    dataset_fingerprint: str

    @classmethod
    def load(cls, run: Run) -> Self | None:
        """Return the run's stress test, or None if there was none."""
        return run.stored(STRESS_FILE, cls, "stress")

    def at(self, strength: int) -> list[Condition]:
        """Return the conditions of one strength, the lowest accuracy first."""
        of_it = [condition for condition in self.conditions if condition.strength == strength]
        return sorted(of_it, key=lambda condition: condition.accuracy.value or 0.0)

    @property
    def corruptions(self) -> list[str]:
        """The names of the corruptions, first the one that hurts most at the middle strength."""
        return [condition.corruption for condition in self.at(MIDDLE)]

    @property
    def some_accepted(self) -> bool:
        """Whether under some corruption at some strength a label is accepted."""
        return any(condition.wrong_accepted.value is not None for condition in self.conditions)

    @property
    def image_word(self) -> str:
        """What to call one of its images."""
        return "held-out image" if self.part == "cross-validated" else f"{self.part} image"

    def changes(self) -> list[str]:
        """Return what became of its images since the run was made, in words."""
        return self.since_training.sentences("test set" if self.part == "test" else "labeled images")

    def share_kept(self, accuracy: Interval) -> float | None:
        """Return an accuracy as a share of the one without a corruption; None if that is 0."""
        whole = self.unchanged.accuracy.value
        return accuracy.value / whole if whole and accuracy.value is not None else None

    def table(self) -> pd.DataFrame:
        """Return a row for the unchanged images and for each condition: scores in percent, with their intervals."""
        lines = []
        for condition in (self.unchanged, *self.conditions):
            line: dict[str, Any] = {name: getattr(condition, name) for name in ("corruption", "strength", "said")}
            line |= {"images": self.images, "mean_probability_percent": _percent(condition.mean_probability)}
            for name in _INTERVALS:
                interval: Interval = getattr(condition, name)
                ends = {"": interval.value, "_low": interval.low, "_high": interval.high}
                line |= {f"{name}_percent{end}": _percent(value) for end, value in ends.items()}
            shifted = condition.shift
            line |= {"less_typical_percent": _percent(shifted.less_typical if shifted else None)}
            line |= {"shift_noticed": None if shifted is None else shifted.noticed}
            lines.append(line)
        return pd.DataFrame(lines)


def stress(run: Run, seen: Snapshot, now: Dataset, asking: Asking) -> StressTest:
    """Score `run` on its test set under every corruption at every strength; write `stress.json` and `stress.csv`.

    seen: the dataset as the run saw it; now: with the test set and labels of today. Scans are changed as their files show them,
    then negatives are undone, and they are cropped and made small as import does, and decided on as `label` decides. The
    opening of the test set is noted before anything is computed. Instead of it the validation set can be taken: it stays a
    secret what the test set holds, but the run's temperature and threshold know these images already. So they know the labeled
    images, which are taken of a run without a test set: each is predicted by the network of a fold that does not know it. What
    is returned calls the run by its folder, what is written by RUN.
    Raises FewscanError where there are no such images, or their files are gone.
    """
    corruptions, asked = chosen(asking.only), Asked(asking.target_error)
    tested = Tested.of(run, seen, now, validation=asking.validation, images=asking.images)
    dataset, labels, groups = tested.dataset, tested.labels, tested.groups
    on_test_set = tested.part == "test"
    if on_test_set:
        run.require_openings(dataset)
    # Files that are gone are told before a test set is opened and before folds are trained.
    require_scans(dataset, tested.rows, stored=asking.stored)
    grounds = Grounds.of(run, seen)
    rule = grounds.rule(asked)
    openings = open_test_set(run, dataset, "stress") if on_test_set else None
    with folds_kept(run) if tested.part == "cross-validated" else nullcontext():
        folds, said = _judged(tested, rule, corruptions, stored=asking.stored)
        shifts = [shift(typicality, rule.gate) for typicality in said.typicality]
        conditions = _conditions(said, corruptions, condition_scores(said, labels, groups), shifts)
    of_strength = 1 + np.arange(len(corruptions) * STRENGTHS).reshape(-1, STRENGTHS)
    result = StressTest(
        part=tested.part,
        folds=folds,
        stored=asking.stored,
        images=len(labels),
        groups=len(np.unique(groups)),
        test_openings=openings.by_run if openings else 0,
        test_set_openings=openings.by_all_runs if openings else 0,
        temperature=rule.predictor.temperature,
        target_error=asking.target_error,
        threshold=rule.threshold,
        threshold_reason=rule.reasons[0],
        unchanged=conditions[0],
        conditions=tuple(conditions[1:]),
        mean_accuracy=tuple(mean_accuracy(said, labels, groups, places) for places in of_strength.T),
        since_training=tested.since,
        dataset_fingerprint=dataset.description.fingerprint,
    )
    write_csv(result.table(), run.folder / STRESS_TABLE_FILE)
    # What is kept is passed on, in a report or a card: it names no folder of this machine.
    passed_on = replace(grounds, called=RUN).rule(asked).reasons[0]
    run.store(STRESS_FILE, result.model_copy(update={"threshold_reason": passed_on}), [STRESS_TABLE_FILE])
    tested.forget_folds()
    return result


def _judged(tested: Tested, rule: DecisionRule, corruptions: Sequence[Corruption], *, stored: bool) -> tuple[int, Said]:
    """Return by how many folds' networks images were held out in turn, 0 for none, and what was said of all, in their order."""
    by_network = [
        (positions, _said(of_network, tested.dataset, rows, scans_of(tested.dataset, rows, stored=stored), corruptions))
        for positions, of_network in tested.judged(rule)
        # Of a few drawn images a fold may hold none.
        if len(rows := tested.rows[positions])
    ]
    positions, parts = zip(*by_network, strict=True)
    return len(by_network) if tested.part == "cross-validated" else 0, joined(parts, positions)


def _said(
    rule: DecisionRule, dataset: Snapshot, rows: Rows, scans: Iterator[Pixels], corruptions: Sequence[Corruption]
) -> Said:
    """Return what the rule says of every scan as it is, and under every corruption at every strength."""
    passes = len(rows) * (1 + len(corruptions) * STRENGTHS)
    rule = replace(rule, predictor=rule.predictor.for_many(dataset.spec, passes))

    def copies(scan: tuple[int, Pixels]) -> Pixels:
        """Return (M, C, S, S)."""
        row, pixels = scan
        changed = (each.applied(pixels, strength, row) for each in corruptions for strength in range(1, STRENGTHS + 1))
        return np.stack([fitted(pixels, dataset.spec), *(fitted(copy, dataset.spec) for copy in changed)])

    numbered = ((int(row), pixels) for row, pixels in zip(rows, scans, strict=True))
    made = in_order(copies, track(numbered, "stress", total=len(rows)), block=_BLOCK_SCANS)
    blocks = []
    in_color = iter(dataset.shows_color[rows].tolist())  # a corruption leaves colors what they are
    while some := list(islice(made, _BLOCK_SCANS)):
        copied = np.repeat(list(islice(in_color, len(some))), len(some[0]))
        decided = rule.decide(np.concatenate(some), in_color=copied)
        decisions = np.array(decided.decisions)
        odd, accepted = decisions == "out_of_distribution", decisions == "accept"
        by_scan = decided.probabilities, odd, accepted, decided.typicality
        blocks.append([values.reshape(len(some), -1, *values.shape[1:]).swapaxes(0, 1) for values in by_scan])
    return Said(*(np.concatenate(values, axis=1) for values in zip(*blocks, strict=True)))


def _conditions(
    said: Said, corruptions: Sequence[Corruption], scores: list[dict[str, Interval]], shifts: list[Shift | None]
) -> list[Condition]:
    names = [("none", 0, "as they are")]
    names += [(each.name, strength, each.said(strength)) for each in corruptions for strength in range(1, STRENGTHS + 1)]
    sure = said.probabilities.max(axis=2).mean(axis=1, dtype=np.float64).tolist()
    return [
        Condition(corruption=corruption, strength=strength, said=words, mean_probability=mean, shift=shifted, **intervals)
        for (corruption, strength, words), mean, intervals, shifted in zip(names, sure, scores, shifts, strict=True)
    ]


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)
