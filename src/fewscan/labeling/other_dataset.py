"""The score of a run on another labeled dataset, from another scanner or hospital: does it hold there?

The scans are read and prepared as the run's own, labels are matched by name, and scans that the run has seen are left out.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from fewscan.atomic import free_path
from fewscan.datasets.asked_labels import asked_by_review
from fewscan.datasets.openings import Openings, note_look
from fewscan.datasets.records import require_notable
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError, Reasons
from fewscan.evaluation.before_opening import open_test_set
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.class_decisions import class_decisions
from fewscan.evaluation.evaluate import Evaluation, described, write_predictions
from fewscan.evaluation.intervals import NOT_DEFINED, Interval, Rows
from fewscan.evaluation.metrics import Labels, Probabilities, decision_shares, score_intervals
from fewscan.evaluation.predictor import Prediction
from fewscan.evaluation.shift import shift
from fewscan.images.labeled_whole import origin_alone
from fewscan.images.options import ImageSpec
from fewscan.images.stored import Chosen
from fewscan.labeling.asked import Asked
from fewscan.labeling.grounds import RUN, Grounds
from fewscan.labeling.labeler import BLOCK_SCANS
from fewscan.labeling.other_evaluation import HomeScore, LeftOut, OtherEvaluation, evaluation_file, predictions_file
from fewscan.labeling.rule import Decided, DecisionRule
from fewscan.labeling.seen import LEARNED_FROM, TEST, VALIDATION, Seen
from fewscan.progress import announce, track
from fewscan.splits.class_gaps import never_learned
from fewscan.splits.support import TARGET_ERROR
from fewscan.training.run import Run
from fewscan.wording import command_line, listed

_FOLDERS = ("folder", "file")  # where labels are from that another import finds again by itself
# How a run has seen scans that say too good things of it; its own test scans say what they say at home.
_NOT_NEW = (VALIDATION, LEARNED_FROM)


class _Scored(NamedTuple):
    """The other dataset with the run's classes, the rows of it to score (N,), and what is to be known of the choice."""

    dataset: Snapshot
    rows: Rows
    left_out: LeftOut
    only_teaching: int
    test_copies: int


def evaluate_on(run: Run, seen: Snapshot, other: Snapshot, target_error: float = TARGET_ERROR) -> OtherEvaluation:
    """Score `run` on all labeled scans of another dataset; write `evaluation-NAME.json` and `predictions-NAME.csv`.

    seen: the run's dataset, as the run saw it. NAME is that of the other dataset's folder. Decisions are those of `label` at
    the same target error, in (0, 1). The look is noted in the other dataset before anything is computed of its labels; where
    scans are copies of the run's own test scans, it opens that test set, too. Intervals are over groups of the other dataset.
    What is returned calls the run by its folder, what is written by RUN.
    Raises FewscanError for another target error, and with all reasons at once where the other dataset is the run's own, is not
    audited, stores images otherwise, or has no scan to score, and where a look cannot be noted.
    """
    asked = Asked(target_error)
    _require_comparable(run, seen, other)
    grounds, home, last_epoch = Grounds.of(run, seen), _home(run), run.metrics()[-1]
    rule, scored = grounds.rule(asked), _scored(run, seen, other)
    known, rows = scored.dataset, scored.rows
    openings = _open(run, seen, scored, asked)
    predicted = rule.predictor.for_many(known.spec, len(rows)).predict(known.pixels, rows)
    decided = _decided(rule, predicted, known, rows)
    labels, raw = known.labels[rows], softmax(predicted.logits, axis=1)
    accepted = np.array(decided.decisions) == "accept"
    wrong = decided.probabilities.argmax(axis=1) != labels
    intervals = _intervals(decided, raw, labels, known.groups[rows])
    evaluation = OtherEvaluation(
        dataset=_name(other),
        dataset_identity=other.description.identity,
        left_out=scored.left_out,
        test_copies=scored.test_copies,
        accepted_scans=int(accepted.sum()),
        wrong_scans=int((accepted & wrong).sum()),
        decided=class_decisions(accepted, ~wrong, labels, known.groups[rows], run.record.classes),
        target_error=asked.target_error,
        threshold=rule.threshold,
        threshold_reason=rule.reasons[0],
        shift=shift(decided.typicality, rule.gate),
        home=home,
        out_of_distribution=intervals["out_of_distribution"],
        accepted=intervals["accepted"],
        wrong_accepted=intervals["wrong_accepted"],
        leaking_pairs=0,  # what would leak is left out
        groups=len(np.unique(known.groups[rows])),
        test_openings=openings.by_run,
        test_set_openings=openings.by_all_runs,
        temperature=rule.predictor.temperature,
        calibration_error_before=None if Calibration.load(run) is None else intervals["calibration_error_before"],
        nearest_neighbor_accuracy=NOT_DEFINED,
        similarity_accuracy=NOT_DEFINED,
        never_learned=never_learned(seen),
        asked_for=asked_by_review(known, rows),
        only_teaching=scored.only_teaching,
        **described(run, known, rows, decided.probabilities, labels, intervals, last_epoch),
    )
    predictions = predictions_file(evaluation.dataset)
    write_predictions(run.folder / predictions, known, rows, labels, decided.probabilities, raw)
    # What is kept is passed on: it names no folder of this machine.
    passed_on = replace(grounds, called=RUN).rule(asked).reasons[0]
    kept = evaluation.model_copy(update={"threshold_reason": passed_on})
    run.store(evaluation_file(evaluation.dataset), kept, [predictions])
    return evaluation


def _name(other: Snapshot) -> str:
    return other.folder.resolve().name


def _home(run: Run) -> HomeScore | None:
    known = Evaluation.load(run)
    if known is None:
        return None
    return HomeScore(title=known.title, accuracy=known.accuracy, balanced_accuracy=known.balanced_accuracy)


def _require_comparable(run: Run, seen: Snapshot, other: Snapshot) -> None:
    """Raise FewscanError, with the commands that help, unless the run can be shown the other dataset's images as they are.

    What else is to be known before these are imported anew is said along with that: classes that the run does not know, files
    that it has seen, or that nothing is left. Only copies that were saved anew are known not before a whole comparison.
    """
    if other.description.identity == run.record.dataset_identity:
        alone = command_line("evaluate", *run.called)
        raise FewscanError(
            f"{other.folder} is the dataset that {run.folder} learned from: '{alone}' scores the run on its test set"
        )
    with Reasons(f"{run.folder} cannot be scored on {other.folder}") as reasons:
        with reasons.noted():
            _require_stored_alike(run, other)
        with reasons.noted():
            _require_audited(other)
        if len(reasons):
            chosen = _chosen(run, other)
            left_out = chosen.left_out(_marks(run, seen, other, chosen.rows, near=False))
            reasons.add(*left_out.sentences, *_none_left(run, other, chosen, left_out))
        else:
            with reasons.noted():
                require_notable(other.folder)


def _require_stored_alike(run: Run, other: Snapshot) -> None:
    spec = run.record.spec
    if other.spec == spec:
        return
    differing = "; ".join(
        f"{name} {getattr(other.spec, name)}, not {getattr(spec, name)}"
        for name in ImageSpec.model_fields
        if getattr(other.spec, name) != getattr(spec, name)
    )
    others = "" if _from_folders(other) else ", and the options for labels that you gave then"
    raise FewscanError(
        f"{other.folder} does not store scans as the run's dataset does ({differing}): import them again, with "
        f"'{command_line(*_importing(other, spec.words))}'{others}, and audit that"
    )


def _require_audited(other: Snapshot) -> None:
    if other.description.audit is None:
        auditing = command_line("audit", other.folder)
        raise FewscanError(
            f"{other.folder} was not audited, so nobody knows which scans are copies or of one patient: run '{auditing}' first"
        )


def _importing(other: Snapshot, options: Sequence[str]) -> list[str | Path]:
    """Return the command that imports the sources of a dataset again, with other options, into a folder beside it."""
    labeled = set(other.manifest["source"][other.manifest["label"].notna()])
    words: list[str | Path] = ["import"]
    for source in other.description.sources:
        words += [*([] if source.name in labeled else ["--unlabeled"]), f"{source.name}={source.folder}"]
    return [*words, *options, "--out", free_path(other.folder.with_name(f"{other.folder.resolve().name}-refitted"))]


def _from_folders(other: Snapshot) -> bool:
    """Return whether another import finds all labels, and which scans have none, by itself."""
    return bool(other.manifest["label_from"].dropna().map(origin_alone).isin(_FOLDERS).all())


class _Chosen(NamedTuple):
    """The rows of the other dataset (N,) whose labels can measure and are of the run's classes, and how many are not."""

    rows: Rows
    unknown: dict[str, int]  # by class
    conflicting: int
    only_teaching: int

    def left_out(self, marks: npt.NDArray[np.str_]) -> LeftOut:
        """Return what is not scored, for the rows' `marks` (N,)."""
        seen = {word: int((marks == word).sum()) for word in _NOT_NEW if (marks == word).any()}
        return LeftOut(unknown_classes=self.unknown, conflicting=self.conflicting, seen=seen)


def _chosen(run: Run, other: Snapshot) -> _Chosen:
    """Return which scans of the other dataset are scored where all of them are new to the run."""
    names = other.manifest["label"]
    labeled = other.usable[names.notna().to_numpy()[other.usable]]
    teaching, conflicting = (other.manifest[name].to_numpy(bool) for name in ("only_teaches", "conflict"))
    measuring = labeled[~teaching[labeled]]
    is_known = names.iloc[measuring].isin(run.record.classes).to_numpy(bool)
    unknown = names.iloc[measuring[~is_known]].value_counts().sort_index()
    of_classes = measuring[is_known]
    rows = of_classes[~conflicting[of_classes]]
    counts = {str(name): int(count) for name, count in unknown.items()}
    return _Chosen(rows, counts, len(of_classes) - len(rows), int(teaching[labeled].sum()))


def _scored(run: Run, seen: Snapshot, other: Snapshot) -> _Scored:
    """Return which scans of the other dataset are scored; raises FewscanError where none is."""
    known = replace(other, description=other.description.model_copy(update={"classes": run.record.classes}))
    chosen = _chosen(run, other)
    marks = _marks(run, seen, other, chosen.rows)
    left_out = chosen.left_out(marks)
    if none_left := _none_left(run, other, chosen, left_out):
        raise FewscanError("; ".join([*none_left, *left_out.sentences]))
    rows = chosen.rows[~np.isin(marks, _NOT_NEW)]
    return _Scored(known, rows, left_out, chosen.only_teaching, int((marks == TEST).sum()))


def _none_left(run: Run, other: Snapshot, chosen: _Chosen, left_out: LeftOut) -> list[str]:
    """Return in words that no scan is left to score, where that is so; with the run's classes where others are in the way."""
    if len(chosen.rows) > sum(left_out.seen.values()):
        return []
    why = "" if left_out.sentences else ": no scan has a label that can measure"
    classes = f"; classes of the run: {listed(run.record.classes)}" if chosen.unknown else ""
    return [f"{other.folder} has no labeled scan to score {run.folder} on{why}{classes}"]


def _marks(run: Run, seen: Snapshot, other: Snapshot, rows: Rows, *, near: bool = True) -> npt.NDArray[np.str_]:
    """Return (N,) how the run has seen each of the rows, '' where it has not; near: copies that were saved anew, too.

    A scan of a group, such as a patient, of which the run has learned from one is no more new than that one.
    """
    looking = Seen(run, seen, near=near)
    parts = np.array_split(rows, np.arange(BLOCK_SCANS, len(rows), BLOCK_SCANS))
    with closing(track(parts, "compare with the run's scans", passing=True)) as compared:
        found = np.array([word or "" for part in compared for word in looking.stored(other, part)], dtype="<U14")
    groups = other.groups[rows]
    for word in _NOT_NEW:
        found[np.isin(groups, groups[found == word])] = word
    return found


def _open(run: Run, seen: Snapshot, scored: _Scored, asked: Asked) -> Openings:
    """Note the look at the other dataset, say what it means if it is the first, and return how often it was looked at."""
    other = scored.dataset
    if scored.test_copies:
        run.require_openings(seen)
    openings = note_look(other, "evaluate", run.identity)
    if openings.by_all_runs == 1:
        announce(
            f"this scores a run on {other.folder} for the first time. From now on each look is counted there: if you change "
            "anything because of this score, every later score on these scans looks better than it is",
            of=other.description.identity,
        )
    if scored.test_copies:
        options = [] if asked.target_error == TARGET_ERROR else ["--target-error", f"{asked.target_error:g}"]
        open_test_set(run, seen, "evaluate", "--on", other.folder, *options)
    return openings


def _decided(rule: DecisionRule, predicted: Prediction, other: Snapshot, rows: Rows) -> Decided:
    """Return what `label` says of the rows; of an image that the gate was made from as if it was not."""
    own = np.array([rule.gate.row_of(sha256) for sha256 in other.manifest["pixels_sha256"].iloc[rows]], np.int64)
    return rule.decide_predicted(predicted, Chosen(other.pixels, rows), own, other.shows_color[rows])


def _intervals(decided: Decided, raw: Probabilities, labels: Labels, groups: Rows) -> dict[str, Interval]:
    """Return every score of N scans with its interval over groups (N,); raw: (N, K) without temperature."""
    wrong = (decided.probabilities.argmax(axis=1) != labels).astype(np.float64)
    odd, accepted = ((np.array(decided.decisions) == what).astype(np.float64) for what in ("out_of_distribution", "accept"))

    def shares(positions: Rows) -> Mapping[str, float]:
        found = decision_shares(wrong[positions], accepted[positions], odd[positions])
        return {name: float(share) for name, share in found.items()}

    return score_intervals(decided.probabilities, raw, labels, groups, shares, {"wrong_accepted": accepted})
