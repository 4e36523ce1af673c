"""A review, served until it is stopped: on this machine alone, or with a token."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.records import require_notable
from fewscan.errors import FewscanError
from fewscan.progress import say
from fewscan.reviewing.app import Review, application
from fewscan.reviewing.atlas import Atlas
from fewscan.reviewing.desk import Desk
from fewscan.reviewing.door import Door, is_local
from fewscan.reviewing.queue import Queue
from fewscan.reviewing.renewing import Renewing
from fewscan.reviewing.scans import Scans
from fewscan.reviewing.taking import FinishedRuns, Makings
from fewscan.reviewing.training import Trainings
from fewscan.reviewing.tutor import Tutor
from fewscan.training.continuing import asked_encoder
from fewscan.wording import counted

LOCAL_HOST, PORT = "127.0.0.1", 8765
# Set in a shell that was opened by SSH.
_OVER_SSH = "SSH_CONNECTION"
# So long the end of the page waits for answers that are being given.
ANSWERING_SECONDS = 1


@dataclass(frozen=True)
class Served:
    """A review at an address, listening already; `serve` answers until the process is interrupted."""

    review: Review
    listening: socket.socket
    address: str

    def lines(self) -> list[str]:
        """Return where it is, and how to get in."""
        door = self.review.door
        local = is_local(door.host)
        here = " on this machine" if local else ""
        lines = [f"open {self.address} in a browser{here}; Ctrl-C ends it, and every answer is saved already"]
        if door.token is not None:
            lines.append(f"token: {door.token}")
        tunnel = f"'ssh -L {door.port}:127.0.0.1:{door.port} MACHINE'"
        if not local:
            lines.append(
                "warning: traffic on the network is not encrypted; if the network is not yours alone, leave out --host and "
                f"use {tunnel}"
            )
        elif _OVER_SSH in os.environ:
            lines.append(f"over SSH: {tunnel} on your own machine, MACHINE being this one, then the same address there")
            if door.token is None:
                lines.append("warning: all who have an account on this machine can open the page, unless --token is given")
        return lines

    def serve(self) -> None:
        """Answer until interrupted."""
        renewing = Renewing(self.review, application)
        with self.review.desk.dataset.labels.kept_open() as self.review.desk.kept_log:
            renewing.start()
            try:
                server(renewing).run(sockets=[self.listening])
            finally:
                renewing.stop()


def server(app: ASGIApp) -> uvicorn.Server:
    """Return what serves an application, and waits at its end for no answer longer than a moment."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=ANSWERING_SECONDS,
        )
    )


def reviewed(dataset: Dataset, *, classes: Sequence[str], encoder: str | None, door: Door, runs: Path) -> Review:
    """Return a review of a dataset behind a door, not served yet; trainings go to folders below `runs`."""
    desk = Desk(dataset, classes)
    tutor = Tutor(desk, encoder)
    return Review(
        desk=desk,
        scans=Scans(desk),
        queue=Queue(desk, tutor.order),
        tutor=tutor,
        trainings=Trainings(desk, tutor, runs),
        makings=Makings(desk),
        runs=FinishedRuns(runs),
        door=door,
        atlas=Atlas(desk, tutor),
    )


def served(
    folder: Path,
    *,
    host: str = LOCAL_HOST,
    port: int = PORT,
    with_token: bool = False,
    classes: Sequence[str] = (),
    encoder: str | None = None,
    runs: Path = Path("runs"),
) -> Served:
    """Return a review of the dataset in `folder` that listens at an address; port 0 takes a free one.

    Raises FewscanError where the folder is no dataset or cannot be written, a class cannot be one, there is no such encoder, or
    the address cannot be had.
    """
    dataset = Dataset.open(folder)
    require_notable(folder)
    if encoder is not None:
        asked_encoder(encoder)  # one that is not there is refused now, not in the background of a page that is open
    listening = _listening(host, port)
    port = listening.getsockname()[1]
    door = Door.at(host, port, with_token=with_token)
    name = f"[{host}]" if ":" in host else host
    if not is_local(host) and host in ("0.0.0.0", "::"):
        name = socket.gethostname()
    say(f"{folder}: {counted(len(dataset.snapshot().usable), 'image')}")
    return Served(reviewed(dataset, classes=classes, encoder=encoder, door=door, runs=runs), listening, f"http://{name}:{port}")


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FewscanError(f"cannot listen at {host} port {port} ({reason}): choose another with --port, or --port 0") from None
    return listening
