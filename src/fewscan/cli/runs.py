"""The verbs that use a run: calibrate, evaluate, label."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fewscan import api
from fewscan.cli.app import AsJson, Devices, MovedData, Overwrite, RunFolder, app, finish
from fewscan.cli.following import after_label, after_run_in, is_scored_otherwise, scored_otherwise_on
from fewscan.cli.import_options import FollowLinks
from fewscan.cli.places import scans_there, there
from fewscan.cli.score_words import calibration_error_words, other_lines, score_lines
from fewscan.folders import OTHER_DATASET
from fewscan.splits.support import COVERAGE, TARGET_ERROR
from fewscan.wording import advised, command_line, counted, listed

if TYPE_CHECKING:
    from fewscan.labeling.label import LabelSummary
    from fewscan.labeling.rule import Decision


# Where held-out images are from.
_FROM = {"validation": "the validation set", "cross-fitting": "all labels, held out in turn"}


@app.command()
def calibrate(
    run: RunFolder,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Hold out all labels in turn, in this many trainings. [default: 5 if validation images are few]"
        ),
    ] = None,
    pile: Annotated[
        bool | None,
        typer.Option(
            "--pile/--no-pile",
            help="Hold labels out once more for the dataset's own unlabeled scans, in as many trainings. [default: if the run "
            "learned from them and training takes seconds]",
            show_default=False,
        ),
    ] = None,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Calibrate a run's probabilities on held-out labels.

    The calibration, and what 'fewscan label' accepts, rests on labeled images that the run has not learned from. If the
    validation set holds enough of them for 'fewscan label', 'fewscan train' has already done it. With fewer, all labels are
    held out in turn: five trainings, each without a fifth of the labels and as long as the run's own. You can stop it at any
    time: the same command continues. The test set is not used.

    A run may be more confident about unlabeled scans that it has learned from than about new ones. With --pile, labels are held
    out once more, while the trainings learn from those images without their labels. So 'fewscan label RUN' can promise
    something about the dataset's own unlabeled scans.

    Example: fewscan calibrate runs/mri
    """
    from fewscan.datasets.asked_labels import teaching_sentence
    from fewscan.training.run import Run

    result = api.calibrate(run, folds=folds, pile=pile, data=data, overwrite=overwrite)
    worse = "; the temperature made it no smaller" if result.no_better else ""
    lines = [
        f"temperature {result.temperature:.3f}, fitted on {result.images} held-out images ({_FROM[result.source]})",
        f"  calibration error (ECE) before  {calibration_error_words(result.calibration_error_before)}",
        f"  calibration error (ECE) after   {calibration_error_words(result.calibration_error_after)}{worse}",
    ]
    if result.only_teaching:
        lines.append(f"  {teaching_sentence(result.only_teaching)}")
    if result.pile is not None:
        lines.append(f"for the dataset's own unlabeled scans: {result.pile.images} held-out images (labels held out in turn)")
    opened = Run.open(run, data)
    if is_scored_otherwise(opened):
        lines.append("the run's score is of other probabilities than these; a new one opens the test set once more")
    if others := scored_otherwise_on(opened):
        lines.append(f"the run's score on {listed(others)} is of other probabilities than these; 'evaluate --on' makes it anew")
    finish(as_json, result.model_dump(mode="json"), lines, *after_run_in(run, data))


@app.command()
def evaluate(
    run: RunFolder,
    on: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="Score the run on another dataset, such as one of another scanner. --data says where the run's own is.",
            callback=there("dataset", instead=OTHER_DATASET),
        ),
    ] = None,
    target_error: Annotated[
        float | None,
        typer.Option(
            help=f"With --on, the error at which labels are accepted, as in 'fewscan label'. [default: {TARGET_ERROR:g}]"
        ),
    ] = None,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Score a run on the sealed test set, with 95 % intervals.

    Every opening of the test set is recorded in the run and cannot be undone. Evaluate once per run, after all choices are made
    and after 'fewscan calibrate', which does not look at the test set. A score before that is of uncalibrated probabilities,
    and to score calibrated ones you open the test set again.

    A run whose split has no test set gets a cross-validated score: all labels are held out in turn, in five more trainings
    unless 'fewscan calibrate' has made them. You can stop it at any time: the same command continues.

    Where patients are known, it also says how many of them are right by the mean probability of their images.

    With --on, it scores the run on all labeled scans of another dataset, imported with the same options and audited, except
    copies of scans that the run has learned from or was calibrated on, and classes that it does not know. It also says which
    share of labels 'fewscan label' would accept there at --target-error, and how many of these are wrong. The result is
    RUN/evaluation-NAME.json, where NAME is that dataset's folder.

    Example: fewscan evaluate runs/mri

    Example: fewscan evaluate runs/mri --on other_scanner
    """
    from fewscan.evaluation.chance import chance_level
    from fewscan.evaluation.score_warnings import score_warnings
    from fewscan.labeling.other_evaluation import OtherEvaluation
    from fewscan.training.run import Run

    result = api.evaluate(run, on=on, target_error=target_error, data=data, overwrite=overwrite)
    chance, warnings = chance_level(result), score_warnings(result)
    solved = Run.open(run, data).settings.solved
    lines = score_lines(result, str(chance), solved=solved)
    lines += other_lines(result) if isinstance(result, OtherEvaluation) else []
    lines += [f"warning: {warning}" for warning in warnings]
    numbers = result.model_dump(mode="json") | {"chance": asdict(chance), "warnings": warnings}
    finish(as_json, numbers, lines, *after_run_in(run, data))


_LABEL_HELP = """Label new scans, and say for each whether to accept its label.

It writes a table with a label, calibrated probabilities and one of four decisions for every scan:

accept: you can take the label as it is. In the long run at most --target-error of the accepted labels are wrong, for scans
drawn like the held-out images, each patient counted once. This holds in at least 90 of 100 draws of held-out images, and these
90 include draws in which nothing is accepted. A single batch may hold more mistakes; the output says up to how many.

review: a person should look at the scan.

out of distribution: the scan is like nothing that the run learned from (not a scan of this kind, a photograph, noise), so its
label means nothing.

unreadable: the file cannot be used.

The column 'reason' says why, for every scan. The column 'seen' marks scans that the run has already seen, near-duplicates of
them, and scans of patients from whom it has learned; the promise is not about these. The column 'patient' numbers the patients
in this table. If some have several scans, a second table, such as labels.patients.csv, has one answer for each patient, by the
mean probability of the scans; nothing is promised of such answers. The column 'note' says what to know about a scan's pixels,
such as that it was a negative. If your labels cannot support the error that you ask for, nothing is accepted, and the output
says so.

You can stop it at any time: the same command continues.

Example: fewscan label runs/mri new_scans --out labels.parquet --target-error 0.05
"""


NewScans = Annotated[
    Path | None,
    typer.Argument(
        metavar="[SCANS]",
        help="A folder of new scans, or one file. [default: the dataset's own unlabeled scans]",
        callback=scans_there,
    ),
]
ExactCopiesOnly = Annotated[
    bool,
    typer.Option(
        "--exact-copies-only",
        help="Recognize scans that the run has seen only by identical files or pixels. This is faster, but re-saved copies "
        "count as new.",
    ),
]
HeaderPatients = Annotated[
    Literal["patient", "study", "series", "none"] | None,
    typer.Option(
        help="What identifies the patient in a file's header, as for 'fewscan import': patient, study, series or none. "
        "[default: patient]",
        show_default=False,
    ),
]


@app.command(help=_LABEL_HELP)
def label(
    run: RunFolder,
    scans: NewScans = None,
    out: Annotated[Path, typer.Option(help="The table to write: .csv, .xlsx (for Excel) or .parquet.")] = Path("labels.csv"),
    target_error: Annotated[
        float,
        typer.Option(help="Accept labels only where held-out images support at most this long-run error rate among them."),
    ] = TARGET_ERROR,
    coverage: Annotated[
        float, typer.Option(help="How often the right class should be among a scan's possible classes.")
    ] = COVERAGE,
    coverage_per_class: Annotated[
        bool,
        typer.Option(
            "--coverage-per-class", help="Apply --coverage within each class, not over all scans; rare classes need it."
        ),
    ] = False,
    candidates: Annotated[
        int | None,
        typer.Option(
            help="Among how many runs, including this one, you chose it by held-out labels. [default: as many as were "
            "trained on the dataset]"
        ),
    ] = None,
    exact_copies_only: ExactCopiesOnly = False,
    follow_links: FollowLinks = False,
    patient_tag: HeaderPatients = None,
    devices: Devices = 1,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the table of labels, and say what is promised of them."""
    asked: dict[str, Any] = {
        "coverage": coverage,
        "coverage_per_class": coverage_per_class,
        "candidates": candidates,
        "exact_copies_only": exact_copies_only,
        "follow_links": follow_links,
        "patient_tag": patient_tag,
        "devices": devices,
    }
    result = api.label(run, scans, out=out, target_error=target_error, data=data, overwrite=overwrite, **asked)
    to_check = _to_check(result)
    lines = [
        f"{counted(result.scans, 'scan')} in {out}: {result.accepted} accept, {result.review} review, "
        f"{result.out_of_distribution} out of distribution, {result.unreadable} unreadable",
        *_seen_lines(result, own=scans is None),
        *([] if result.patients is None else [f"  {result.patients.sentence}"]),
        *(f"  unreadable: {reason} ({counted(number, 'file')})" for reason, number in result.unreadable_because.items()),
        *(f"  note: {note} ({counted(number, 'scan')})" for note, number in result.notes.items()),
        *(() if result.none_readable else _promised_lines(result, to_check=to_check)),
    ]
    finish(as_json, result.model_dump(mode="json"), lines, *after_label(result, run, scans, data, to_check=to_check))


def _to_check(result: "LabelSummary") -> bool:
    """Return whether nothing could be accepted by held-out images, and the run is sure enough of some labels to check them."""
    from fewscan.labeling.worth_checking import any_worth_checking

    return result.threshold is None and not result.none_readable and any_worth_checking(result.table())


def _promised_lines(result: "LabelSummary", *, to_check: bool) -> list[str]:
    """Return what was decided on the scans that could be read, and what is promised of that."""
    how = advised(f": '{command_line('check', result.out)}'", ", by Check these labels")
    by_a_reader = [f"  a reader can show at most how many of these labels are wrong{how}"] if to_check else []
    return [*_class_table(result.classes), *(f"  {reason}" for reason in result.reasons), *by_a_reader]


def _seen_lines(result: "LabelSummary", *, own: bool = False) -> list[str]:
    """Return how many scans the run has seen already, or others of their patients, where any.

    own: whether they are the dataset's own, which the run has learned from in any case.
    """
    from fewscan.labeling.seen import KNOWN_PATIENT

    found = {word: number for word, number in result.seen.items() if word == KNOWN_PATIENT or not own}
    if not found:
        return []
    seen = ", ".join(f"{number:,} {word}" for word, number in found.items())
    promise = f"; the promise below is about {counted(result.promised, 'accepted scan')}" if result.promised else ""
    return [f"  not new, see the column 'seen': {seen}{promise}"]


def _class_table(classes: "dict[str, dict[Decision, int]]") -> list[str]:
    """Return how many scans got each label, by what was decided on them, in columns."""
    import pandas as pd

    table = pd.DataFrame.from_dict(classes, orient="index").rename(columns=lambda decision: decision.replace("_", " "))
    return [f"  {line}" for line in table.to_string().splitlines()]
