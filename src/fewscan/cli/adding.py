"""The verb that makes a dataset longer: add."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fewscan import api
from fewscan.cli import import_options as option
from fewscan.cli.app import AsJson, DatasetFolder, app, finish
from fewscan.cli.following import after_dataset, after_plan

if TYPE_CHECKING:
    from fewscan.datasets.added import AddedToSplit, AddSummary

_HELP = """Add more scans to a dataset.

Give new sources, or again the folders that the dataset was made from: it adds what is new in them.

Images already in the dataset keep their numbers, labels and parts, and runs stay as they are. New scans are read like the
others, with the dataset's own size, color, window and slices. A file that the dataset already holds is skipped; a file that has
changed since then is named and left out.

Returning patients are recognized. In an audited dataset, new scans are compared with all others for copies. A new scan whose
copy or patient is in a test set is never used for training; one that would connect a test group with training scans is left
out. A table may also have rows about scans of the dataset: their labels stay, and it names the 'fewscan labels set' that enters
what these rows would change. If it is stopped or killed, it has added nothing or all. --plan says what it understood, and
writes nothing.

Example: fewscan add mri march=scans/march

Example: fewscan add mri scans/sartaj --labels more_labels.csv --plan
"""


@app.command("add", help=_HELP)
@option.taking(option.OF_SOURCES)
def add(
    context: typer.Context,
    dataset: DatasetFolder,
    sources: option.Sources = None,
    set_aside_suspect: Annotated[
        bool,
        typer.Option(
            "--set-aside-suspect",
            help="Set aside new images that are probably not scans; 'fewscan labels undo' takes it back.",
        ),
    ] = False,
    plan: option.Plan = False,
    as_json: AsJson = False,
) -> None:
    """Append scans, or with `plan` say what would be appended; the other parameters are passed on as the context holds them."""
    from fewscan.datasets.dataset import Dataset

    options = option.import_options(context.params)
    if plan:
        understood, passed_over = api.plan_add(dataset, sources or [], **options)
        words = after_plan(sys.argv[1:]) if understood.images else after_dataset(Dataset.open(dataset))
        finish(as_json, understood.model_dump(mode="json"), [*understood.lines, *passed_over], *words)
        return
    result = api.add_scans(dataset, sources or [], set_aside_suspect=set_aside_suspect, **options)
    finish(as_json, result.model_dump(mode="json"), _lines(result), *after_dataset(Dataset.open(dataset)))


def _lines(result: "AddSummary") -> list[str]:
    from fewscan.wording import counted

    if not result.images and not result.set_aside:
        return [f"nothing is new: {result.folder} stays as it is, with {counted(result.usable, 'image')}"]
    lines = [f"{counted(result.images, 'new image')} in {result.folder}, which holds {result.usable:,} now"]
    for name, count in result.classes.items():
        lines.append(f"  {name}: {count:,}{' (a new class)' if name in result.new_classes else ''}")
    if result.unlabeled:
        lines.append(f"  without a label: {result.unlabeled:,}")
    if result.patients:
        lines.append(f"  patients: {result.patients:,}, of whom {result.patients_of_old:,} had images in the dataset before")
    if result.set_aside:
        lines.append(f"  set aside: {result.set_aside:,}, such as")
        lines += [f"    {example.source}/{example.path}: {example.reason}" for example in result.examples]
    if result.with_copies is not None:
        lines.append(
            f"  copies: {result.with_copies:,} of the new images, {result.of_old:,} of them of images already in the dataset"
        )
    if result.suspects:
        done = "set aside" if result.suspects_set_aside else "look at them in audit.html"
        lines.append(f"  probably not scans: {result.suspects:,}; {done}")
    return lines + [line for split in result.splits for line in _of_split(split)]


def _of_split(split: "AddedToSplit") -> list[str]:
    parts = f"{split.labeled:,} labeled, {split.unlabeled:,} unlabeled, {split.validation:,} validation, {split.test:,} test"
    lines = [f"  split '{split.split}': {parts}"]
    if split.tying:
        lines.append(f"    left out, since they connect a test or validation group with training scans: {split.tying:,}")
    if split.left_out:
        lines.append(f"    left out as copies of test or validation images, or for contradicting labels: {split.left_out:,}")
    return lines
