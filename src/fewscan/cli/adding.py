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

_HELP = """Append scans to a dataset, and audit them.

New sources, or what is new in the folders that it was made from.

Images that are there keep their numbers, labels and parts, and runs stay what they are. New scans are read as the others were:
size, color, window and slices are the dataset's own. A file that the dataset holds is passed over; a file that changed since is
named and left out.

Patients who come again are recognized. In an audited dataset new scans are compared with all others for copies. A new scan
whose copy or patient tests never teaches; one that would tie a test group to what is learned from is left out. Stopped or
killed, it adds nothing or all. --plan says what was understood, and writes nothing.

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
            help="Set aside what is probably no scan among the new images; 'fewscan labels undo' takes it back.",
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
    if result.set_aside:
        lines.append(f"  set aside: {result.set_aside:,}, such as")
        lines += [f"    {example.source}/{example.path}: {example.reason}" for example in result.examples]
    if result.with_copies is not None:
        lines.append(f"  copies: {result.with_copies:,} of the new images, {result.of_old:,} of them of images that were there")
    if result.suspects:
        done = "set aside" if result.suspects_set_aside else "look at them in audit.html"
        lines.append(f"  probably no scans: {result.suspects:,}; {done}")
    return lines + [line for split in result.splits for line in _of_split(split)]


def _of_split(split: "AddedToSplit") -> list[str]:
    parts = f"{split.labeled:,} labeled, {split.unlabeled:,} unlabeled, {split.validation:,} validation, {split.test:,} test"
    lines = [f"  split '{split.split}': {parts}"]
    if split.tying:
        lines.append(f"    left out, since they tie a test or validation group to what is learned from: {split.tying:,}")
    if split.left_out:
        lines.append(f"    left out as copies of test or validation images, or for contradicting labels: {split.left_out:,}")
    return lines
