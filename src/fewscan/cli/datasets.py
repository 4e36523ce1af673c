"""The verbs that group and divide a dataset: audit and split."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fewscan import api
from fewscan.cli.app import AsJson, DatasetFolder, Overwrite, app, finish
from fewscan.cli.following import after_audit, after_split

if TYPE_CHECKING:
    from fewscan.datasets.snapshot import Snapshot


@app.command()
def audit(
    dataset: DatasetFolder,
    similarity: Annotated[
        float | None,
        typer.Option(help="Pairs at or above this similarity, in [0, 1], count as copies. [default: 0.86, see docs/audit.md]"),
    ] = None,
    same_head: Annotated[
        bool,
        typer.Option(
            "--same-head",
            help="Keep slices together that are probably of one head, too, where no patient is known (see docs/audit.md).",
        ),
    ] = False,
    set_aside_suspect: Annotated[
        bool,
        typer.Option(
            "--set-aside-suspect",
            help="Set aside what is probably no scan: noise, low contrast, pages of text, color among gray, odd sizes; "
            "'fewscan labels undo' takes it back.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find copies, conflicting labels, leaks and non-scans.

    Copies are found through changes of contrast, size, crop and JPEG quality, also where they are mirrored, turned, inverted,
    padded, blurred or captioned. Copies, and the images of one patient where it is known, become groups that no leak-free split
    ever cuts. Images that are probably no scans are named, such as noise, pages of text and odd sizes; they stay unless you set
    them aside.

    Writes audit.json, and audit.html, a page that shows what it found as pictures.
    """
    from fewscan.datasets.dataset import Dataset

    result = api.audit(
        dataset, similarity=similarity, same_head=same_head, set_aside_suspect=set_aside_suspect, overwrite=overwrite
    )
    words, obstacle = after_audit(Dataset.open(dataset).snapshot())
    lines = [*result.lines(), f"page: {dataset / 'audit.html'}"]
    lines += [] if obstacle is None else [f"no split can be drawn yet: {obstacle}"]
    finish(as_json, result.counts(), lines, *words)


GIVEN_LEAKS = {
    "refuse": "; no copy or known patient is in two of its parts",
    "drop": "; copies and patients of its test and validation images were left out of what is learned from",
    "keep": ", copies and patients across its parts, too: no run on it supports a decision",
}


_SPLIT_HELP = """Draw the labeled, validation, unlabeled and test sets.

Training learns from the labeled images and chooses by the validation images; the test set is sealed for the final score.
Copies stay on one side, and so do the images of one patient where it is known, unless the protocol is random. Sizes that
cannot be drawn are refused, and the line names sizes that can.
"""


@app.command(help=_SPLIT_HELP)
def split(
    dataset: DatasetFolder,
    name: Annotated[str, typer.Option(help="A dataset can have many splits; 'train' takes the newest unless told.")] = "main",
    labeled: Annotated[
        int | None,
        typer.Option(help="The budget of labels: how many images training may see with their label. [default: what suits]"),
    ] = None,
    test: Annotated[
        int | None, typer.Option(help="How many labeled images are sealed for the final score. [default: what suits]")
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(help="leakfree: copies never cross, nor do patients where they are known. random: wherever copies lie."),
    ] = "leakfree",
    validation: Annotated[
        float | None,
        typer.Option(help="Share of the labels kept for choosing and for thresholds; 0 for a fixed schedule. [default: 0.2]"),
    ] = None,
    shares: Annotated[
        Literal["known", "unknown"],
        typer.Option(
            help="known: the budget holds the classes in proportion, by all labels that are known, also those that it does not "
            "grant. unknown: drawn at random without a look at labels, as for a pile that nobody has labeled yet."
        ),
    ] = "known",
    keep_given: Annotated[
        bool,
        typer.Option(
            "--keep-given",
            help="Keep the split that the data came with (folders or sources named train, validation, test, or a column of a "
            "table). --labeled then grants so many of its training labels. [default: all of them]",
        ),
    ] = False,
    leaks: Annotated[
        Literal["refuse", "drop", "keep"] | None,
        typer.Option(
            help="With --keep-given, of copies and patients across its parts: refuse the split, drop their images from "
            "training and validation, or keep them, so that no run on it supports a decision. [default: refuse]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws another split.")] = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw the four sets, and say what each holds."""
    from fewscan.splits.class_gaps import gap_warnings

    done = api.split(
        dataset,
        name=name,
        labeled=labeled,
        test=test,
        protocol=protocol,
        validation=validation,
        seed=seed,
        shares=shares,
        keep_given=keep_given,
        leaks=leaks,
        overwrite=overwrite,
    )
    result = done.require_split()
    warnings = gap_warnings(done)
    lines = [*_parts(done), *(f"warning: {warning}" for warning in warnings)]
    finish(as_json, result.model_dump(mode="json") | {"warnings": warnings}, lines, *after_split(dataset))


def _parts(done: "Snapshot") -> list[str]:
    """Return how many images each part of a split holds, of which classes and groups, and why others are in none."""
    from fewscan.splits.sizes import ENOUGH_VALIDATION_IMAGES

    result = done.require_split()
    granted = done.manifest["label"].iloc[done.rows("labeled")].value_counts().reindex(done.classes, fill_value=0)
    lines = [
        f"{result.protocol} split, seed {result.seed}: {result.labeled:,} labeled, {result.validation:,} validation, "
        f"{result.unlabeled:,} unlabeled, {result.test:,} test, {result.left_out:,} left out",
        f"  labeled: {', '.join(f'{name} {count}' for name, count in granted.items())}",
    ]
    if result.given_leaks is not None:
        lines.append("  the split that the data came with was kept" + GIVEN_LEAKS[result.given_leaks])
    if not result.by_image:
        groups = ", ".join(f"{part} {len(set(done.groups[done.rows(part)])):,}" for part in ("labeled", "validation", "test"))
        lines.append(f"  groups that stay together, each a patient, a set of copies or one image: {groups}")
    if result.conflicting_left_out:
        lines.append(f"  left out because copies of them carry another label: {result.conflicting_left_out:,}")
    beside = result.left_out - result.conflicting_left_out
    if beside and result.given_leaks is None:
        lines.append(f"  left out as copies of test or validation images, or of the same patient or head: {beside:,}")
    if result.validation < ENOUGH_VALIDATION_IMAGES:
        lines.append(
            f"  with fewer than {ENOUGH_VALIDATION_IMAGES} validation images 'fewscan calibrate' takes five more trainings; "
            "a larger --validation spares them"
        )
    return lines
