"""The verb demo: the whole way on practice scans."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, app, finish
from fewscan.cli.following import free_path
from fewscan.cli.interrupting import InterruptedVerb
from fewscan.cli.reviewing import serve


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder to make, for practice scans, dataset and runs.")] = Path("runs/demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute only: fewer scans, hardly any training, a poor score.")
    ] = False,
    review: Annotated[
        bool, typer.Option("--review", help="Open the review page on practice scans without labels instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Go the whole way on built-in practice scans, in minutes.

    It goes through import, audit, split, train, evaluate, label and report, and ends with a score and a page to open.
    """
    from fewscan.demo import FULL, QUICK, pile
    from fewscan.demo import demo as whole_way

    if review:
        with _beginning_anew(out, "--review"):
            dataset, classes = pile(out)
        typer.echo(f"practice scans without labels: {dataset}; what they show: {out / 'truth.csv'}")
        serve(api.review(dataset, classes=classes), "review", dataset, "--classes", ",".join(classes))
        return
    with _beginning_anew(out, *(["--quick"] if quick else [])):
        result = whole_way(out, QUICK if quick else FULL)
    finish(
        as_json,
        result.model_dump(mode="json"),
        [*result.lines(), "your own scans: fewscan import FOLDER --out mydata"],
        "import",
        "--help",
    )


@contextmanager
def _beginning_anew(out: Path, *options: str) -> Iterator[None]:
    """Name, where Ctrl-C comes, the command that begins anew beside what is there by then: a demo does not go on."""
    taken = out.exists()
    try:
        yield
    except KeyboardInterrupt:
        if taken:
            raise
        raise InterruptedVerb("demo", *options, "--out", free_path(out), anew=True) from None
