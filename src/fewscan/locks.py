"""One process at a time writes into a dataset, a run, a comparison or a table; readers never wait."""

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fewscan.atomic import remove_left, require_writable, writing
from fewscan.errors import FewscanError
from fewscan.progress import say

LOCK_FILE = ".lock"


@contextmanager
def alone(folder: Path, verb: str, *, wait: bool = False) -> Iterator[None]:
    """Keep other processes from writing into `folder` meanwhile; with `wait`, once the one that does has ended.

    The operating system lets go of the lock when the process ends, however it does, so a dead one's is simply taken over, and
    what it left half-made in `folder` is removed.
    Raises FewscanError, naming the process that holds it, where one does, and where `folder` cannot be written.
    """
    path = folder / LOCK_FILE
    with writing(folder):
        # Not truncated when opened: what another process wrote into it is still to be read.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = lock.read()
            if not wait:
                raise FewscanError(_held(folder, written)) from None
            say(f"{folder} is being written by {_holder(written)}: waiting until it has finished")
            fcntl.flock(lock, fcntl.LOCK_EX)
        with writing(folder):
            lock.seek(0)  # it may have been read
            lock.truncate()
            lock.write(json.dumps({"verb": verb, "process": os.getpid(), "machine": platform.node()}))
            lock.flush()
        remove_left(folder)
        require_writable(path)  # a lock that lies there already shows nothing
        yield


def refuse_held(folder: Path) -> None:
    """Raise FewscanError, naming the process, where one writes into `folder` now."""
    try:
        lock = (folder / LOCK_FILE).open(encoding="utf-8")
    except OSError:
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FewscanError(_held(folder, lock.read())) from None


def _held(folder: Path, written: str) -> str:
    return f"{folder} is being written by {_holder(written)}: wait until it has finished"


def _holder(written: str) -> str:
    """Say who holds a lock, by what it wrote; it may be about to write that."""
    try:
        holder = json.loads(written)
        return f"'fewscan {holder['verb']}', process {holder['process']} on {holder['machine']}"
    except (ValueError, TypeError, KeyError):
        return "another process"
