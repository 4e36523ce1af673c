"""Commands of fewscan's own, each in a process of its own, so that it can be cancelled and takes nothing down with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock, Thread
from typing import IO, ClassVar, Generic, Literal, TypeVar

from fewscan.errors import FewscanError
from fewscan.reviewing.desk import CannotNowError
from fewscan.wording import ON_PAGE

Phase = Literal["none", "running", "finished", "failed", "cancelled"]
State = TypeVar("State", bound="Standing")
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


@dataclass(frozen=True)
class Standing:
    """How far what commands do in the background is, and how it ended, in words."""

    phase: Phase = "none"
    words: str = field(default="", kw_only=True)


class Background(Generic[State]):
    """What commands do in a thread of its own, one thing at a time: it goes on while nobody looks at the page."""

    kind: ClassVar[str]  # what it is called

    def __init__(self, standing: State) -> None:
        self.standing, self.lock = standing, Lock()
        self.commands = Commands()

    @property
    def now(self) -> State:
        """How far it is."""
        return self.standing

    @property
    def is_running(self) -> bool:
        """Whether anything is being done."""
        return self.standing.phase == "running"

    def require_idle(self) -> None:
        """Raise CannotNowError where something is being done."""
        if self.is_running:
            raise CannotNowError(f"a {self.kind} is running: cancel it, or wait until it ends")

    def begin(self, standing: State, work: Callable[[], State]) -> None:
        """Do `work`, which returns how it ended; who begins it holds the lock, and has asked for idleness."""
        self.commands, self.standing = Commands(), standing
        Thread(target=self._do, args=[work], name=self.kind, daemon=True).start()

    def cancel(self) -> None:
        """End it; what it has done can be gone on with, and what has just ended by itself stays as it ended.

        Raises CannotNowError where nothing was begun.
        """
        if self.standing.phase == "none":
            raise CannotNowError(f"no {self.kind} is running")
        if self.is_running:
            self.commands.cancel()

    def close(self) -> None:
        """End it, as the page's server ends."""
        if self.is_running:
            self.commands.close()

    def _do(self, work: Callable[[], State]) -> None:
        try:
            self.standing = work()
        except (FewscanError, OSError) as error:
            self.standing = replace(self.now, phase="cancelled" if self.commands.cancelled else "failed", words=str(error))
        except Exception as error:
            self.standing = replace(self.now, phase="failed", words=f"a fault in fewscan: {error!r}")
            raise


def _environment(verb: str) -> dict[str, str]:
    return dict(os.environ) if verb in PASSED_ON else os.environ | {ON_PAGE: "1"}


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace").strip()
