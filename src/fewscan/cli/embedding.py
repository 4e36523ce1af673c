"""The verb that makes features of images: embed."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from fewscan import api
from fewscan.cli.app import AsJson, Devices, Overwrite, app, finish
from fewscan.cli.following import Words, before_training
from fewscan.cli.import_options import FollowLinks
from fewscan.cli.names import encoder_known, require_weights
from fewscan.cli.places import scans_there
from fewscan.config import parse_overrides, spelled_out
from fewscan.errors import FewscanError
from fewscan.folders import kind_of
from fewscan.wording import counted

_HELP = """Compute an encoder's features of scans, and keep them.

Features are the numbers that an encoder, a network, makes of a scan. Those of a DATASET are kept in its folder, so that
'fewscan train DATASET --method probe' takes seconds; after scans are added, only theirs are computed. For a folder of scans or
one file, --out names the table to write: path, reason if a scan could not be read, h0, h1, ...

The encoder is one that 'fewscan encoders' lists, with weights that it knows; a run; or a file of weights.

Example: fewscan embed mri --encoder efficientnet_lite0_middle

Example: fewscan embed mri --encoder efficientnet_lite0_middle encoder.input_px=128

Example: fewscan embed scans/march --encoder runs/mri --out features.parquet
"""


@app.command(help=_HELP)
def embed(
    place: Annotated[
        Path,
        typer.Argument(metavar="DATASET|FOLDER", help="A dataset, or a folder or file of scans.", callback=scans_there),
    ],
    encoder: Annotated[str, typer.Option(metavar="NAME|RUN|FILE", help="The encoder to use.", callback=encoder_known)],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[encoder.KEY=VALUE ...]", help="Other settings of the encoder.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="NAME|RUN|FILE", help="Its weights. [default: the first that the encoder knows]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The table to write; its name ends in .parquet.")] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Side length in pixels to resize files to. [default: the run's, or what the weights were made for]"),
    ] = None,
    color: Annotated[bool, typer.Option("--color", help="Read files in color.")] = False,
    follow_links: FollowLinks = False,
    devices: Devices = 1,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compute features and say how many, how fast and where they are."""
    of_dataset = kind_of(place) in ("dataset", "run")
    if out is None and not of_dataset:
        raise FewscanError(
            f"{place} is not a dataset, which would keep its features: name the table to write, --out FILE.parquet"
        )
    require_weights(weights, encoder)
    changes = parse_overrides(settings or [])
    own = changes.pop("encoder", {})
    if changes or not isinstance(own, dict) or own.keys() & {"name", *inspect.signature(api.embed).parameters}:
        raise FewscanError("embed takes only settings of the encoder, encoder.KEY=VALUE; everything else is an option")
    found = api.embed(
        place,
        encoder=encoder,
        weights=weights,
        out=out,
        size_px=size,
        color=color,
        follow_links=follow_links,
        devices=devices,
        overwrite=overwrite,
        **own,
    )
    summary = found.summary()
    lines = [f"{found.features.shape[1]:,} features for each of {counted(found.usable, 'scan')}, in {out or found.place}"]
    if found.computed:
        lines.append(f"computed now: {found.computed:,} in {found.seconds:.1f} s, {summary['images_per_second']} per second")
    elif found.usable:
        lines.append("all of them were already there")
    if found.encoder.weights is None:
        lines.append("warning: these weights are random, so the features say little: 'fewscan encoders' lists trained ones")
    if summary["unreadable"]:
        lines.append(f"set aside: {summary['unreadable']:,}")
    lines += [f"  note: {note} ({counted(number, 'scan')})" for note, number in found.noted.items()]
    following = _after(place, found.encoder.model_dump(mode="json")) if of_dataset else []
    finish(as_json, summary | {"out": None if out is None else str(out)}, lines, *following)


def _after(place: Path, encoder: dict[str, Any]) -> Words:
    """Return the first step that a dataset lacks; a training is one on these features, unless they are of random weights."""
    from fewscan.datasets.dataset import Dataset

    words = before_training(Dataset.open(place))
    if words[0] != "train" or encoder["weights"] is None:
        return words
    return [*words, "--method", "probe", *spelled_out({"encoder": encoder})]
