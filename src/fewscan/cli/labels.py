"""The verbs about labels: set, export, history, undo, conflicts."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewscan import api
from fewscan.cli import import_options as option
from fewscan.cli.app import AsJson, DatasetFolder, Overwrite, finish, group_of_verbs
from fewscan.cli.following import after_labels
from fewscan.cli.label_words import SHOWN, change_lines, set_lines
from fewscan.wording import command_line, counted, scan_number

if TYPE_CHECKING:
    import pandas as pd

    from fewscan.datasets.labels import LabelsSet

verbs = group_of_verbs(
    "labels",
    """Add, correct, export and undo labels; see who gave them.

Labels are a log that only grows. Each entry gives one scan a class, 'unsure', 'not a scan' or no label, and says who gave it,
when and from where. The newest entry counts, and nothing is ever overwritten: an undo is an entry, too. If two people disagree,
both entries stay, and the scan is left out of training until that is settled. Runs keep the labels that they learned from.""",
)

Scan = Annotated[
    str | None,
    typer.Argument(metavar="[SCAN]", help="One scan: its path, or its number. [default: all batches]"),
]
Who = Annotated[
    str | None, typer.Option(help="Who says so: a name or initials, kept only in the log, never in a report or export.")
]


_SET_HELP = """Add and correct labels from a table.

A scan that the table does not name keeps its label, and an empty cell changes nothing. A label that already holds makes no
entry. The table is read, and its rows are matched to scans, as in 'fewscan import --labels': by paths, or by a number of their
DICOM headers, which are then read again from the files that were imported (patients are found without them). A row that names a
study, patient or folder labels all of its images, and the dataset keeps that nobody labeled them one by one. Try --dry-run
first: it also says which scans would become disputed.

A cell 'unsure' or 'not a scan' means just that, unless a class has that name. A column label_state can say it, too: label,
unsure, not a scan, or none, which removes a label.

With --who NAME, the table is what this person says: if another person says something else, the scan is disputed until somebody
settles it (--settle). Without --who, the table speaks for the dataset and replaces what was said before.

With --reading, the table is what NAME saw in each scan. All of it is entered, even what already holds, so it does not matter
which of two readers is entered first.

Example: fewscan labels set mri corrections.csv --who "A. Lovelace" --dry-run
"""


@verbs.command("set", help=_SET_HELP)
def set_(
    dataset: DatasetFolder,
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="A CSV or an Excel workbook with a column of paths, patients or numbers of DICOM headers, and a column of "
            "labels.",
        ),
    ],
    who: Who = None,
    note: Annotated[str, typer.Option(help="A note to keep with the entries.")] = "",
    settle: Annotated[
        bool, typer.Option("--settle", help="What the table says holds for the dataset, whatever anybody said before.")
    ] = False,
    reading: Annotated[
        bool,
        typer.Option("--reading", help="The table is what this person saw in each scan: rows that agree are entered, too."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and enter nothing.")] = False,
    rename: option.Rename = None,
    path_column: option.PathColumn = None,
    label_column: option.LabelColumn = None,
    several: option.Several = "none",
    no_label: option.NoLabel = None,
    encoding: option.Encoding = None,
    separator: option.Separator = None,
    trust_predictions: option.TrustPredictions = False,
    as_json: AsJson = False,
) -> None:
    """Enter what a table says, or with `dry_run` say what that would change."""
    done = api.set_labels(
        dataset,
        table,
        who=who,
        note=note,
        settle=settle,
        reading=reading,
        dry_run=dry_run,
        rename=option.renames(rename),
        path_column=path_column,
        label_column=label_column,
        several=several,
        no_label=no_label or [],
        encoding=encoding,
        separator=separator,
        trust_predictions=trust_predictions,
    )
    finish(as_json, done.summary(), set_lines(done, dataset, who, reading=reading), *_after_set(done, dataset))


def _after_set(done: "LabelsSet", dataset: Path) -> Sequence[str | Path]:
    from fewscan.datasets.dataset import Dataset

    if done.batch is None and len(done.changes.rows):
        return [word for word in sys.argv[1:] if word != "--dry-run"]
    return after_labels(Dataset.open(dataset), done.disputed)


@verbs.command()
def export(
    dataset: DatasetFolder,
    out: Annotated[Path, typer.Option(help="The table to write: .csv or .xlsx (for Excel).")] = Path("labels.csv"),
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the labels as a table that 'labels set' can read.

    It has a line for every usable scan, with the columns path, label, label_state and origin. Fill in and correct labels in a
    spreadsheet, then give the table to 'fewscan labels set'. Cells of disputed scans are empty. Names of people stay in the
    log.

    Example: fewscan labels export mri --out labels.csv
    """
    table = api.export_labels(dataset, out, overwrite=overwrite)
    labeled = int((table["label"] != "").sum())
    lines = [
        f"{counted(len(table), 'scan')}, {labeled:,} of them labeled, in {out}",
        "first fill in and correct its column 'label'",
    ]
    words: list[str | Path] = ["labels", "set", dataset, out, "--dry-run"]
    finish(as_json, {"out": str(out), "scans": len(table), "labeled": labeled}, lines, *words)


@verbs.command()
def history(dataset: DatasetFolder, scan: Scan = None, as_json: AsJson = False) -> None:
    """List the batches of entered labels, or all entries of one scan."""
    from fewscan.cli.label_history import batch_lines, entry_line
    from fewscan.datasets.dataset import Dataset

    table = api.label_history(dataset, scan)
    told = table.to_dict("records")
    if scan is None:
        lines = batch_lines(told) or ["no labels have been entered yet"]
        finish(as_json, {"batches": records(table)}, lines, *after_labels(Dataset.open(dataset)))
    else:
        lines = [entry_line(entry) for entry in told] or [f"no label has been entered for {scan} yet"]
        finish(as_json, {"entries": records(table)}, lines, "labels", "history", dataset)


@verbs.command()
def undo(
    dataset: DatasetFolder,
    batch: Annotated[int | None, typer.Option(help="Undo this batch of entries. [default: the newest]")] = None,
    scan: Annotated[str | None, typer.Option(help="Undo what was last said of this scan: its path, or its number.")] = None,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Undo entries of labels, so that what held before holds again.

    Without an option it undoes the newest batch: what one 'labels set', one review or one import entered. An undo is an entry,
    too, so the same command again undoes the undo.
    """
    from fewscan.datasets.dataset import Dataset

    made = api.undo_labels(dataset, batch, scan, who=who)
    opened = Dataset.open(dataset)
    changes = opened.labels.changes_by(made)
    number = int(made["batch"].iloc[0])
    entries = counted(len(made), "entry", "entries")
    lines = [
        f"took back {entries}, as batch {number}: '{command_line('labels', 'undo', dataset)}' undoes that",
        f"{counted(sum(change['scans'] for change in changes), 'label')} changed",
        *change_lines(changes),
    ]
    told = {"batch": number, "entries": len(made), "rows": made["row"].tolist(), "changes": changes}
    finish(as_json, told, lines, *after_labels(opened))


@verbs.command()
def conflicts(dataset: DatasetFolder, as_json: AsJson = False) -> None:
    """List scans on which people, tables or copies' labels disagree.

    A scan that two people, or two rows of one table, label differently is disputed. It is left out of training until they
    agree or somebody settles it: 'fewscan labels set DATASET TABLE --settle --who NAME'. Copies of one scan with different
    labels are left out, too; correct one of them.
    """
    from fewscan.datasets.dataset import Dataset
    from fewscan.labels.changes import in_words

    found = api.label_conflicts(dataset)
    people, copies = found.people.assign(says=in_words(found.people)), found.copies
    lines = [f"{counted(people['row'].nunique(), 'scan')} on which people, or rows of a table, disagree"]
    lines += _disputes(people.assign(voice=people["who"].fillna(people["origin"])))
    if copies is None:
        lines.append("copies are known only after 'fewscan audit'")
    else:
        lines.append(f"{counted(copies['copy_set'].nunique(), 'set')} of copies with different labels")
        told = copies.to_dict("records")
        lines += _grouped(
            [(f"copies {one['copy_set']}", f"{scan_number(one['row'])}, {one['name']}: {one['label']}") for one in told]
        )
    result = {"people": records(found.people), "copies": None if copies is None else records(copies)}
    following: Sequence[str | Path] = (
        ["labels", "export", dataset]
        if len(people) or (copies is not None and len(copies))
        else after_labels(Dataset.open(dataset), 0)
    )
    finish(as_json, result, lines, *following)


def _grouped(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return a line for each first of the pairs, with all its seconds; of many the first lines."""
    groups: dict[str, list[str]] = {}
    for one, what in pairs:
        groups.setdefault(one, []).append(what)
    return _first([f"  {one}: {'; '.join(said)}" for one, said in groups.items()])


def _disputes(people: "pd.DataFrame") -> list[str]:
    """Return a line for each dispute: scans of one patient, on which the same people say the same, are one."""
    of_rows: dict[int, list[dict[str, Any]]] = {}
    for one in records(people):
        of_rows.setdefault(one["row"], []).append(one)
    disputes: dict[tuple[Any, ...], list[tuple[str, str]]] = {}
    for row, said in of_rows.items():
        answers = [f"{one['voice']}: {one['says']}" for one in said]
        scan = f"{scan_number(row)}, {said[0]['name']}"
        disputes.setdefault((said[0]["patient"] or row, *sorted(answers)), []).append((scan, "; ".join(answers)))
    lines = []
    for (scan, answer), *others in disputes.values():
        lines.append(f"  {f'{len(others) + 1:,} scans of one patient, such as ' if others else ''}{scan}: {answer}")
    return _first(lines)


def _first(lines: list[str]) -> list[str]:
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"  and {len(lines) - SHOWN} more; --json has all"]


def records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return the lines of a table as JSON has them, a missing value as None."""
    lines = table.astype("object").where(table.notna(), None).to_numpy().tolist()
    return [dict(zip(table.columns, line, strict=True)) for line in lines]
