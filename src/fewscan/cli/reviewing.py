"""The verb that opens a page for labeling: review."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewscan import api
from fewscan.cli.app import DatasetFolder, app, ended_at_once
from fewscan.cli.names import encoder_known
from fewscan.progress import printable

if TYPE_CHECKING:
    from fewscan.reviewing.serving import Served

_HELP = """Open a page in the browser on which people label scans.

It asks for the scans whose labels teach the most, and learns while you label: after every answer a model is fitted again, and
what it says stands beside each scan. One scan in five is drawn at random, and says how good the model is. Keys: 1 to 9 for the
classes, ? unsure, n not a scan, u undo, s skip, arrows, h for help.

Every answer is on the disk when the page says 'saved'. Answers are entries of the dataset's label log, with who gave them and
what the model said then; 'fewscan labels' shows, exports and undoes them, also while the page is open.

Several people can label: each sees other scans. In the second reading a person gets scans that another one labeled, and sees
neither that label nor the model's.

The page is for this machine alone. --host lets others in, who need the token that is printed then.

Needs an extra: pip install 'fewscan[review]'.

Example: fewscan review mri --classes glioma,meningioma,no_tumor,pituitary
"""


@app.command(help=_HELP)
def review(
    dataset: DatasetFolder,
    classes: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Classes to give, beside those that scans have already.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|RUN|FILE",
            help="What the page's model sees scans with. [default: efficientnet_lite0_middle of ImageNet, or pixels alone]",
            callback=encoder_known,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; any but this machine's own asks for a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8765,
) -> None:
    """Serve the page until it is interrupted."""
    names = [name.strip() for name in (classes or "").split(",") if name.strip()]
    serve(api.review(dataset, classes=names, encoder=encoder, host=host, port=port))


def serve(page: "Served", *going_on: str | Path) -> None:
    """Say where a page is, and answer until it is interrupted; going_on: the command that opens it again, if not the same."""
    for line in page.lines():
        typer.echo(printable(line))
    with ended_at_once(*going_on):
        page.serve()
