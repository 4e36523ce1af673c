"""The verb that draws all scans: map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewscan import api
from fewscan.cli.app import AsJson, MovedData, Names, Overwrite, app, finish
from fewscan.cli.choosing import EncoderName, Place, SplitName
from fewscan.cli.following import after_dataset, after_run_in
from fewscan.cli.places import split_there
from fewscan.folders import kind_of
from fewscan.wording import counted, each_counted

if TYPE_CHECKING:
    from fewscan.mapping.scan_map import ScanMap

_HELP = """Draw all scans on a page, similar ones side by side.

The page shows clusters, scans unlike all others, and scans of one label among many of another, which may be labeled wrongly.
Color them by label, source or part of the split (for a run, its own); for a run also by its prediction, by whether that is the
label, and by what it would accept. Point at a scan to see it, zoom in, click on the legend to hide a color, show pictures
instead of dots.

It needs no labels. Labels of the test set are not shown. The page needs no other file; a table with row, x and y is written
beside it.

Example: fewscan map mri

Example: fewscan map runs/mri --out run.html --names
"""


@app.command("map", help=_HELP)
def map_(
    place: Place,
    out: Annotated[Path, typer.Option(help="The page to write; a table is written beside it, with the suffix .csv.")] = Path(
        "map.html"
    ),
    encoder: EncoderName = None,
    split: SplitName = None,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers of t-SNE.")] = 0,
    names: Names = False,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write page and table, and say what is on them."""
    split_there(place, split)
    found = api.map_scans(place, out=out, encoder=encoder, split=split, names=names, seed=seed, data=data, overwrite=overwrite)
    table = out.with_suffix(".csv")
    told = found.summary() | {"page": str(out), "table": str(table)}
    finish(as_json, told, [*_lines(found), f"page: {out}; positions: {table}"], *_after(place, data))


def _lines(found: "ScanMap") -> list[str]:
    lines = [f"{counted(len(found.rows), 'scan')}, as {found.encoder} sees them, placed {found.placed.way}"]
    for name, counts in found.summary()["colors"].items():
        lines.append(f"  {name}: {each_counted(counts)}")
    return lines


def _after(place: Path, data: Path | None) -> list[str | Path]:
    from fewscan.datasets.dataset import Dataset

    if kind_of(place) == "run":
        return after_run_in(place, data, "report")  # a page of its own is none to open the test set for
    dataset = Dataset.open(place)
    return after_dataset(dataset) if dataset.unsplit().classes else ["suggest", place]
