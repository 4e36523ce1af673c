"""The program `fewscan`, and `python -m fewscan`: the command line, and Ctrl-C while it is still being loaded."""

import atexit
import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from fewscan.wording import command_line

# How long a thread that waits for the others of a computation keeps its core busy with that, in turns of a loop; then it
# sleeps. GNU's OpenMP, which PyTorch computes with on Linux, reads it as it is loaded. By itself it waits ten times as long:
# alone that gains nothing, and beside other programs two threads are then slower than one (docs/performance.md).
WAITING = {"GOMP_SPINCOUNT": "30000"}


def main() -> NoReturn:
    """Run the command line; see `fewscan.cli.app.main`."""
    _wait_briefly()
    # As Python ends, it looks for cycles among all objects, half a million by then: seconds, in which nothing is done any more.
    atexit.register(gc.freeze)
    # A shell that starts programs in the background has them ignore Ctrl-C.
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if listens:
        signal.signal(signal.SIGINT, _end)
    # Only now, since it takes a while, and a half-loaded library tells an interrupt by many lines.
    from fewscan.cli import main as run_command

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run_command()


def _wait_briefly() -> None:
    """Say how threads wait for each other, unless the user has said so."""
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in WAITING.items():
            os.environ.setdefault(name, value)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, f"interrupted; run it again: {command_line(*sys.argv[1:])}\n".encode())
    os._exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
