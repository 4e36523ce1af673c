"""The verb demo: the whole way on practice scans."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, app, finish
from fewscan.cli.interrupting import InterruptedVerb
from fewscan.cli.reviewing import serve
from fewscan.errors import FewscanError
from fewscan.wording import command_line


@app.command()
def demo(
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder for practice scans, dataset and runs; a demo that was stopped there continues. "
            "[default: runs/demo, runs/demo-quick or runs/demo-review]"
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take only a minute: fewer scans, hardly any training, a poor score.")
    ] = False,
    review: Annotated[
        bool, typer.Option("--review", help="Instead, open the review page on practice scans without labels.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Try all steps on built-in practice scans, in minutes.

    It runs import, audit, split, train, evaluate, label and report, and ends with a score and a page to open. If it is stopped
    or killed, the same command continues.
    """
    from fewscan.demo import FULL, QUICK, pile
    from fewscan.demo import demo as whole_way

    # A folder each: after one demo the others are as ready.
    if review and (quick or as_json):
        raise FewscanError("--review opens a page on practice scans: leave out --quick and --json")
    out = out or Path("runs/demo-review" if review else "runs/demo-quick" if quick else "runs/demo")
    if review:
        with _going_on(out):
            dataset, classes = pile(out)
        typer.echo(f"practice scans without labels: {dataset}; what they show: {out / 'truth.csv'}")
        serve(api.review(dataset, classes=classes), "review", dataset, "--classes", ",".join(classes))
        return
    with _going_on(out):
        result = whole_way(out, QUICK if quick else FULL)
    short = [f"hardly anything was trained, so the scores say nothing about the methods: '{command_line('demo')}' trains them"]
    finish(
        as_json,
        result.model_dump(mode="json"),
        [
            *result.lines(),
            *(short if quick else []),
            f"your own scans: {command_line('import', 'FOLDER', '--out', 'mydata')}",
        ],
        "import",
        "--help",
    )


@contextmanager
def _going_on(out: Path) -> Iterator[None]:
    """Say, where Ctrl-C comes, that the same command goes on, once there is something to go on with."""
    from fewscan.demo import is_begun

    try:
        yield
    except KeyboardInterrupt:
        if not is_begun(out):
            raise
        raise InterruptedVerb from None
