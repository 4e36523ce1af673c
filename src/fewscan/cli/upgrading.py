"""The verb upgrade."""

from pathlib import Path
from typing import Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, app, finish
from fewscan.cli.following import after_dataset, after_run_in
from fewscan.cli.places import there
from fewscan.wording import counted


@app.command()
def upgrade(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="A dataset or a run that an earlier version made.", callback=there("dataset", "run")
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new folder; FOLDER stays as it is.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET", help="For a run: the folder that its dataset was converted to.", callback=there("dataset")
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert a dataset or run of an earlier version.

    Images, labels, patients, groups and the split stay those of FOLDER; the split is then called 'main'. A run keeps its
    weights, calibration and scores. Convert the dataset first, then its runs with --data.

    Example: fewscan upgrade old_mri mri
    """
    from fewscan.datasets.dataset import Dataset

    done = api.upgrade(folder, out, data=data)
    if isinstance(done, Dataset):
        lines, words = [f"{counted(done.images.rows, 'image')} converted to {done.folder}"], after_dataset(done)
    else:
        lines, words = [f"run converted to {done.folder}"], after_run_in(out, None)
    finish(as_json, {"folder": str(done.folder)}, lines, *words)
