"""Commands of fewscan's own, each in a process of its own, so that it can be cancelled and takes nothing down with it."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

from fewscan.errors import FewscanError
from fewscan.wording import ON_PAGE

Phase = Literal["none", "running", "finished", "failed", "cancelled"]
CANCEL_SECONDS = 30
# What these write is read without the page, too.
PASSED_ON = ("report", "export")


@dataclass
class Commands:
    """One command at a time; `cancel` ends the one that runs, and refuses those that would follow it."""

    cancelled: bool = False
    _process: subprocess.Popen[bytes] | None = None

    def run(self, *words: str | Path) -> str:
        """Run a command to its end, and return what it prints; raises FewscanError with its last line where it fails."""
        if self.cancelled:
            raise FewscanError("cancelled")
        with TemporaryFile() as said, TemporaryFile() as told:
            line = [sys.executable, "-m", "fewscan", *map(str, words)]
            # Ctrl-C is for the page's server, which ends it.
            self._process = subprocess.Popen(
                line,
                stdout=said,
                stderr=told,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=_environment(str(words[0])),
            )
            if self.cancelled:
                self.cancel()  # just before it began
            code = self._process.wait()
            text, errors = (_text(file) for file in (said, told))
        if code:
            lines = errors.splitlines()
            raise FewscanError(lines[-1] if lines else f"'fewscan {words[0]}' ended with {code}")
        return text

    def cancel(self) -> None:
        """End what runs, as Ctrl-C would."""
        self.cancelled = True
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End what runs, and wait until it has; where that takes longer than CANCEL_SECONDS it ends by itself."""
        self.cancel()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(CANCEL_SECONDS)


def _environment(verb: str) -> dict[str, str]:
    return dict(os.environ) if verb in PASSED_ON else os.environ | {ON_PAGE: "1"}


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace").strip()
