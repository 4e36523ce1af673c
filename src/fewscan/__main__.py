"""The program `fewscan`, and `python -m fewscan`: the command line, and Ctrl-C while it is still being loaded."""

import os
import shlex
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; see `fewscan.cli.app.main`."""
    # A shell that starts programs in the background has them ignore Ctrl-C.
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if listens:
        signal.signal(signal.SIGINT, _end)
    # Only now, since it takes a while, and a half-loaded library tells an interrupt by many lines.
    from fewscan.cli import main as run_command

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run_command()


def _end(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, f"interrupted; run it again: {shlex.join(['fewscan', *sys.argv[1:]])}\n".encode())
    os._exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
