"""The verb demo: the whole way on practice scans."""

from pathlib import Path
from typing import Annotated

import typer

from fewscan.cli.app import AsJson, app, finish


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder to make, for practice scans, dataset and runs.")] = Path("runs/demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute only: fewer scans, hardly any training, a poor score.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Go the whole way on built-in practice scans: import, audit, split, train, evaluate, label, report. Takes minutes."""
    from fewscan.demo import FULL, QUICK
    from fewscan.demo import demo as whole_way

    result = whole_way(out, QUICK if quick else FULL)
    finish(as_json, result.model_dump(mode="json"), result.lines(), "import", "YOUR_SCANS", "--out", "mydata")
