"""The verb that shows a run scans that look processed differently."""

import io
from typing import TYPE_CHECKING, Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, MovedData, Overwrite, RunFolder, app, finish
from fewscan.cli.following import after_run_in
from fewscan.splits.support import TARGET_ERROR
from fewscan.wording import counted, opened_times

if TYPE_CHECKING:
    from fewscan.stressing.stress import StressTest

_TABLE_COLUMNS = 120

_HELP = """Test a run on scans that look processed differently.

Scans from elsewhere are equalized, turned, padded, inverted, noisy, cropped closer. A score on your own test set says nothing
about these. So stress changes every test image in 19 ways (equalization, CLAHE, gamma, contrast, inversion, bias field, noise,
blur, ringing, motion, JPEG, rotation, crop, padding, scale, resolution), each at five strengths, and shows what the run makes
of them. It changes the pixels of the original file, before negatives are undone and scans are cropped and resized.

The table is for the middle strength, the worst change first: accuracy, its share of the accuracy on unchanged scans,
calibration error, the run's mean probability, how many scans are called out of distribution (unlike), whether 'fewscan label'
would notice that so many scans look different as a whole, how many labels it would accept at --target-error, and how many of
these are wrong. Where accuracy falls, confidence should fall, too.

It opens the test set, and records that. While you still make choices, use --validation: the test set stays closed. Temperature
and threshold were fitted on the validation images, so decisions look better there than on new scans.

A run without a test set is tested on its labeled scans, each held out once: this trains five more networks, in seconds for
probe and propagation. A calibration that comes later takes the same ones. Here, too, decisions look better than on new scans.

RUN/stress.csv and stress.json have all strengths with intervals, RUN/stress.png a picture; 'fewscan report' shows them with
examples. It takes about two minutes for 300 images of 64 px on two cores.

Example: fewscan stress runs/mri --only rotation,padding --images 100
"""


@app.command(help=_HELP)
def stress(
    run: RunFolder,
    only: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Only these corruptions, separated by commas. [default: all]")
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(min=1, help="At most this many images, drawn at random, the same ones each time. [default: all]"),
    ] = None,
    validation: Annotated[
        bool, typer.Option("--validation", help="Change the validation set instead: the test set stays closed.")
    ] = False,
    stored: Annotated[
        bool,
        typer.Option("--stored", help="Change the pixels that the dataset stores, if the original files are gone."),
    ] = False,
    target_error: Annotated[
        float, typer.Option(help="The error at which labels are accepted, as in 'fewscan label'.")
    ] = TARGET_ERROR,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Score a run under corruptions."""
    from fewscan.evaluation.intervals import LESS_CHANCE
    from fewscan.stressing.findings import findings
    from fewscan.training.run import Run

    result = api.stress(
        run,
        only=only or "",
        images=images,
        validation=validation,
        stored=stored,
        target_error=target_error,
        data=data,
        overwrite=overwrite,
    )
    opened_run = Run.open(run)
    opened = f", {opened_times(result.test_openings, result.test_set_openings)}" if result.part == "test" else ""
    lines = [
        f"stress test on {counted(result.images, result.image_word)} of {result.groups:,} groups{opened}; at the middle "
        f"strength, ECE {LESS_CHANCE}:",
        *_table(result),
        "  unlike: called out of distribution; as a whole: would 'fewscan label' notice that so many scans look different",
        *(f"  {found}" for found in findings(result, opened_run.settings.trained_views, opened_run.record.spec)),
        *(f"  {what}" for what in result.changes()),
        f"all strengths: {run / 'stress.csv'}, {run / 'stress.png'}",
    ]
    finish(as_json, result.model_dump(mode="json"), lines, *after_run_in(run, data))


def _table(result: "StressTest") -> list[str]:
    """Return how it went at the middle strength, the worst first, in columns."""
    from rich.console import Console
    from rich.table import Table

    from fewscan.stressing.corruption import MIDDLE
    from fewscan.stressing.findings import share

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("corruption")
    for name in ("accuracy", "of unchanged", "ECE", "probability", "unlike", "as a whole", "accepted", "wrong of these"):
        table.add_column(name, justify="right", no_wrap=True)
    for condition in (*result.at(MIDDLE), result.unchanged):
        wrong = condition.wrong_accepted.value
        table.add_row(
            condition.corruption,
            condition.accuracy.percent,
            share(result.share_kept(condition.accuracy)),
            share(condition.calibration_error.value),
            share(condition.mean_probability),
            share(condition.out_of_distribution.value),
            "noticed" if condition.shift is not None and condition.shift.noticed else "-",
            share(condition.accepted.value),
            "-" if wrong is None else share(wrong),
        )
    console = Console(file=io.StringIO(), width=_TABLE_COLUMNS, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return [f"  {line.rstrip()}" for line in captured.get().splitlines()]
