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

_HELP = """Label scans on a page in your browser.

The page asks for the scans whose labels teach the most, and learns while you label: after every answer it fits a model again,
and shows beside each scan what the model says. One scan in five is drawn at random and tells how good the model is. Keys: 1 to
9 for the classes, ? unsure, n not a scan, u undo, s skip, arrows, h for help.

Every answer is on disk when the page says 'saved'. Answers are entries of the dataset's label log, with who gave them and what
the model said at the time; 'fewscan labels' shows, exports and undoes them, even while the page is open.

Several people can label at once: each sees other scans. In the second reading, a person gets scans that somebody else labeled,
and sees neither that label nor the model's.

Only this machine can open the page, with all who have an account on it unless --token is given. --host lets other machines in,
with the token that is then printed.

Needs pip install 'fewscan[review]'.

Example: fewscan review mri --classes glioma,meningioma,no_tumor,pituitary
"""


@app.command(help=_HELP)
def review(
    dataset: DatasetFolder,
    classes: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Classes to offer, besides those that scans already have.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|RUN|FILE",
            help="The encoder of the page's model. [default: efficientnet_lite0_middle with ImageNet weights; if these are not "
            "installed, pixels alone]",
            callback=encoder_known,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; any but this machine's own requires a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8765,
    token: Annotated[
        bool, typer.Option("--token", help="Require a token also on this machine, such as where others have accounts.")
    ] = False,
) -> None:
    """Serve the page until it is interrupted."""
    serve(api.review(dataset, classes=classes or "", encoder=encoder, host=host, port=port, token=token))


def serve(page: "Served", *going_on: str | Path) -> None:
    """Say where a page is, and answer until it is interrupted; going_on: the command that opens it again, if not the same."""
    for line in page.lines():
        typer.echo(printable(line))
    with ended_at_once(*going_on):
        page.serve()
