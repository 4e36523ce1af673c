"""The verbs that group and divide a dataset: audit and split."""

from typing import Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, DatasetFolder, Overwrite, app, finish
from fewscan.cli.following import after_audit, after_split, next_run
from fewscan.cli.split_options import (
    KeepGiven,
    LabelBudget,
    Leaks,
    SharesKnown,
    SplitName,
    SplitProtocol,
    SplitSeed,
    TestImages,
    ValidationShare,
)
from fewscan.cli.split_words import classes_of_parts, parts_of_split


@app.command()
def audit(
    dataset: DatasetFolder,
    similarity: Annotated[
        float | None,
        typer.Option(
            min=0.8, max=1, help="Pairs at or above this similarity count as copies. [default: 0.86, see docs/audit.md]"
        ),
    ] = None,
    same_head: Annotated[
        bool,
        typer.Option(
            "--same-head",
            help="Also keep together slices that are probably of one head, where no patient is known (see docs/audit.md).",
        ),
    ] = False,
    set_aside_suspect: Annotated[
        bool,
        typer.Option(
            "--set-aside-suspect",
            help="Set aside what is probably not a scan: noise, low contrast, pages of text, color among gray, odd sizes; "
            "'fewscan labels undo DATASET' takes it back.",
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find near-duplicates, conflicting labels, leaks and non-scans.

    It looks for near-duplicates ("copies") even if contrast, size, crop or JPEG quality differ, or one copy is mirrored,
    turned, inverted, padded, blurred or captioned. Copies, and images of one patient if patients are known, become groups that
    no leak-free split ever divides. Images that are probably not scans are named, such as noise, pages of text and odd sizes;
    they stay unless you set them aside.

    Writes audit.json, and audit.html, a page that shows the findings as pictures.

    Example: fewscan audit mri
    """
    from fewscan.auditing.leaks import regrouped_sentence
    from fewscan.datasets.dataset import Dataset

    result = api.audit(
        dataset, similarity=similarity, same_head=same_head, set_aside_suspect=set_aside_suspect, overwrite=overwrite
    )
    now = Dataset.open(dataset).snapshot()
    words, obstacle = after_audit(now)
    regrouped = regrouped_sentence(now)
    lines = [*result.lines(), f"page: {dataset / 'audit.html'}", *([regrouped] if regrouped else [])]
    lines += [] if obstacle is None else [f"no split can be drawn yet: {obstacle}"]
    finish(as_json, result.counts(), lines, *words)


_SPLIT_HELP = """Divide scans into training, validation and test sets.

Training learns from the labeled images; the validation images serve for choices and thresholds; the test set is sealed for the
final score. Without sizes, all labels are used, a fifth of them for testing. With fewer than 200 labels there is no test set:
each label is worth more for training, and 'fewscan evaluate' gives a cross-validated score.

Copies stay on one side, and so do images of one patient if patients are known, unless the protocol is random. Labels that you
add later join by themselves: on training scans the labeled part, on test scans the test set. Sizes that cannot be drawn are
refused, and the message names sizes that can.

Example: fewscan split mri
"""


@app.command(help=_SPLIT_HELP)
def split(
    dataset: DatasetFolder,
    name: SplitName = "main",
    labeled: LabelBudget = None,
    test: TestImages = None,
    protocol: SplitProtocol = "leakfree",
    validation: ValidationShare = None,
    shares: SharesKnown = "known",
    keep_given: KeepGiven = False,
    leaks: Leaks = None,
    seed: SplitSeed = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw the four sets, and say what each holds."""
    from fewscan.evaluation.few_to_score import few_warnings
    from fewscan.splits.acceptance import acceptance_warnings
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
    warnings = [*gap_warnings(done), *few_warnings(done), *acceptance_warnings(done, next_run(dataset))]
    chosen = {"labeled": labeled is None, "test": test is None} if not keep_given else {}
    lines = [*parts_of_split(done, **chosen), *(f"warning: {warning}" for warning in warnings)]
    facts = result.model_dump(mode="json") | {"classes": classes_of_parts(done), "warnings": warnings}
    finish(as_json, facts, lines, *after_split(dataset))
