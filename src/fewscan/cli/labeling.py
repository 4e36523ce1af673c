"""The verb that labels scans by a run, and what it says."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fewscan import api
from fewscan.cli.app import AsJson, Devices, MovedData, Overwrite, RunFolder, app, finish
from fewscan.cli.following import after_label
from fewscan.cli.import_options import FollowLinks
from fewscan.cli.places import scans_there
from fewscan.cli.score_words import decision_lines
from fewscan.errors import Reasons
from fewscan.splits.support import COVERAGE, TARGET_ERROR
from fewscan.wording import advised, command_line, counted

if TYPE_CHECKING:
    from fewscan.labeling.label import LabelSummary
    from fewscan.labeling.rule import Decision


_LABEL_HELP = """Label new scans, and say for each whether to accept its label.

It writes a table with a label, calibrated probabilities and one of four decisions for every scan:

accept: you can take the label as it is. In the long run at most --target-error of the accepted labels are wrong, for scans
drawn like the held-out images, each patient counted once. This holds in at least 90 of 100 draws of held-out images, and these
90 include draws in which nothing is accepted. A single batch may hold more mistakes; the output says up to how many. The error
is over all classes together: with few tumors, most of them may be accepted as normal. --target-missed tumor=0.05 limits that.

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
TargetError = Annotated[
    float,
    typer.Option(help="Accept labels only where held-out images support at most this long-run error rate among them."),
]
TargetMissed = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS=SHARE",
        help="Accept labels only where held-out images of CLASS support that in the long run at most this share of its scans "
        "is accepted as another class: tumor=0.05. Can be repeated.",
    ),
]
Coverage = Annotated[float, typer.Option(help="How often the right class should be among a scan's possible classes.")]
CoveragePerClass = Annotated[
    bool,
    typer.Option("--coverage-per-class", help="Apply --coverage within each class, not over all scans; rare classes need it."),
]
Candidates = Annotated[
    int | None,
    typer.Option(
        help="Among how many runs, including this one, you chose it by held-out labels. [default: as many as were trained on "
        "the dataset]"
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
    target_error: TargetError = TARGET_ERROR,
    target_missed: TargetMissed = None,
    coverage: Coverage = COVERAGE,
    coverage_per_class: CoveragePerClass = False,
    candidates: Candidates = None,
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
        "target_missed": _shares(target_missed),
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
    held_out = "of each class, one held-out image of each patient or set of copies"
    tables = [*_class_table(result.classes), *decision_lines(result.held_out, held_out)]
    return [*tables, *(f"  {reason}" for reason in result.reasons), *by_a_reader]


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


def _shares(pairs: Sequence[str] | None) -> dict[str, float]:
    """Return CLASS=SHARE pairs as shares by class; raises FewscanError for all that are none, or name a class again."""
    shares: dict[str, float] = {}
    with Reasons("nothing is labeled") as reasons:
        for pair in pairs or ():
            name, _, share = pair.rpartition("=")
            if name in shares:
                reasons.add(f"--target-missed is given twice for '{name}'")
            try:
                shares[name] = float(share)
            except ValueError:
                name = ""
            if not name:
                reasons.add(f"--target-missed takes CLASS=SHARE, such as tumor=0.05, not '{pair}'")
    return shares


def _class_table(classes: "dict[str, dict[Decision, int]]") -> list[str]:
    """Return how many scans got each label, by what was decided on them, in columns."""
    import pandas as pd

    table = pd.DataFrame.from_dict(classes, orient="index").rename(columns=lambda decision: decision.replace("_", " "))
    return [f"  {line}" for line in table.to_string().splitlines()]
