"""Commands of fewscan in processes that can be killed at any moment, forked so that none loads PyTorch anew."""

import atexit
import os
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

# What changes a folder: after each of these a kill leaves another state.
_CHANGES = ("rename", "replace", "rmdir", "unlink", "link", "symlink", "mkdir")
_MARK = "FEWSCAN_FAULTS"
_PATIENCE_SECONDS = 5.0


class Ended(NamedTuple):
    """How a command ended: its exit code (negative: a signal), what it said, how long it took, what it left running.

    `changes` is how often it changed files, 0 where it was killed.
    """

    code: int
    said: str
    seconds: float
    left_running: int
    changes: int

    @property
    def last_line(self) -> str:
        """The last line that it said."""
        return (self.said.strip().splitlines() or [""])[-1]


def fewscan(words: list[str], place: Path, *, kill_after: float | None = None, kill_at_change: int | None = None) -> Ended:
    """Run a command in a folder, and kill it after some seconds, or after its so-many-th change of files."""
    log = place / "said.txt"
    _changes_of(log).write_text("")
    mark = secrets.token_hex(8)
    began = time.monotonic()
    process = os.fork()
    if process == 0:
        _become(words, place, log, mark, kill_at_change)
    code = None
    if kill_after is not None:
        code = _awaited(process, kill_after)
        if code is None:
            os.kill(process, signal.SIGKILL)
    if code is None:
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    seconds = time.monotonic() - began
    changes = int(_changes_of(log).read_text() or 0)
    return Ended(code, log.read_text(errors="replace"), seconds, _left_running(process, mark), changes)


def _awaited(process: int, seconds: float) -> int | None:
    """Return the exit code of a process that ends within some seconds, else None."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def _become(words: list[str], place: Path, log: Path, mark: str, kill_at_change: int | None) -> None:
    """Be the command, from here to the end of this process."""
    code = 1
    count = _changes_counted(kill_at_change)
    try:
        os.setsid()
        os.environ[_MARK] = mark
        os.chdir(place)
        said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(said, stream)
        sys.argv = ["fewscan", *words]
        from fewscan.cli import main

        main()
    except SystemExit as ended:
        code = int(ended.code or 0) if not isinstance(ended.code, str) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        _changes_of(log).write_text(str(count[0]))
        os._exit(code)


def _changes_of(log: Path) -> Path:
    return log.with_name("changes.txt")


def _changes_counted(kill_at: int | None) -> list[int]:
    """Return a counter of this process's changes of files; right after that of number `kill_at` it is killed."""
    count = [0]
    for name in _CHANGES:
        setattr(os, name, partial(_counted, getattr(os, name), count, kill_at))
    return count


def _counted(
    change: Callable[..., object], count: list[int], kill_at: int | None, *arguments: object, **named: object
) -> object:
    result = change(*arguments, **named)
    count[0] += 1
    if count[0] == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return result


def _left_running(session: int, mark: str) -> int:
    """Return how many processes of a command are there some seconds after its end, and end them."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while (left := _processes(session, mark)) and time.monotonic() < ends:
        time.sleep(0.1)
    for process in left:
        os.kill(process, signal.SIGKILL)
    return len(left)


def _processes(session: int, mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            marked = f"{_MARK}={mark}".encode() in (entry / "environ").read_bytes()
        except OSError:
            continue
        if status[0] != "Z" and (int(status[3]) == session or marked):
            found.append(int(entry.name))
    return found
