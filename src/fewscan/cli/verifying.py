"""The verb verify."""

from pathlib import Path
from typing import Annotated

import typer

from fewscan import api
from fewscan.cli.app import REFUSED, AsJson, app, finish
from fewscan.cli.places import there
from fewscan.folders import MARKS


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A dataset, a run or a comparison.", callback=there(*MARKS))],
    as_json: AsJson = False,
) -> None:
    """Check that a folder holds what fewscan wrote.

    Use it for a folder that came over a network or from an old disk, or that somebody may have edited. It reads every image,
    label, weight and score, and changes nothing. If something is wrong, it prints a line for each fault, and the exit code
    is 2.

    Example: fewscan verify runs/mri
    """
    result = api.verify(folder)
    lines = [f"{'ok   ' if check.fault is None else 'FAULT'} {check.what}" for check in result.checks]
    lines += [f"fault: {fault}" for fault in result.faults]
    summary = f"{len(result.faults)} of {len(result.checks)} checks failed" if result.faults else "all checks passed"
    finish(as_json, result.model_dump(mode="json"), [*lines, f"{result.kind} {result.folder}: {summary}"])
    if result.faults:
        raise typer.Exit(REFUSED)
