"""The verb demo: the whole way on practice scans."""

from pathlib import Path
from typing import Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, InterruptedVerb, app, finish
from fewscan.cli.following import free_path
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
        dataset, classes = pile(out)
        typer.echo(f"practice scans without labels: {dataset}; what they show: {out / 'truth.csv'}")
        serve(api.review(dataset, classes=classes))
        return
    taken = out.exists()
    try:
        result = whole_way(out, QUICK if quick else FULL)
    except KeyboardInterrupt:
        if taken:
            raise
        raise InterruptedVerb("demo", *(["--quick"] if quick else []), "--out", free_path(out)) from None
    finish(
        as_json,
        result.model_dump(mode="json"),
        [*result.lines(), "your own scans: fewscan import FOLDER --out mydata"],
        "import",
        "--help",
    )
