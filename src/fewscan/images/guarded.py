"""Reading in a process of its own, which is ended where a file takes too long or too much memory, and then replaced."""

import atexit
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import Empty, LifoQueue
from typing import Any, TypeVar

from fewscan.images import reading_process
from fewscan.images.formats.image import UnreadableImage

# Of a file that keeps its process waiting, for a disk that does not answer, and not computing.
MAX_WAIT_SECONDS = 300

Result = TypeVar("Result")


def guarded(function: Callable[..., Result], *arguments: Any) -> Result:
    """Return what a function of this package returns, called in another process, for which paths are absolute.

    Processes are kept for the next call; as many run as threads call at once. Raises UnreadableImage where the function does,
    takes more than `reading_process` lets a file take, or brings its process down.
    """
    try:
        reader = _IDLE.get_nowait()
    except Empty:
        reader = _Reader()
    try:
        answer = reader.ask(function, arguments)
    except BaseException:
        # Interrupted, too: it may still answer what nobody waits for any more.
        reader.end()
        raise
    _IDLE.put(reader)
    if isinstance(answer, UnreadableImage):
        raise answer
    if isinstance(answer, reading_process.Fault):
        raise RuntimeError(answer.told)
    result: Result = answer
    return result


class _Reader:
    """A process that reads, and the connection to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", reading_process.__name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                # Ctrl-C is for the program that started it, which ends it.
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())

    def ask(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Return what the function returns; raises UnreadableImage where its process ends, or keeps silent."""
        limits = f"{reading_process.MAX_CPU_SECONDS} s or {reading_process.MAX_MEMORY_BYTES / 2**30:g} GB"
        try:
            self._connection.send((function, arguments))
            if self._connection.poll(MAX_WAIT_SECONDS):
                return self._connection.recv()
        except (EOFError, ConnectionError):
            raise UnreadableImage(f"cannot be read: it took more than {limits}, or crashed its reader") from None
        raise UnreadableImage(f"cannot be read: its reader gave no answer within {MAX_WAIT_SECONDS} s")

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self.leave()

    def leave(self) -> None:
        """Let the process end, which waits for the next call."""
        self._connection.close()
        self._process.wait()


_IDLE: LifoQueue[_Reader] = LifoQueue()


@atexit.register
def end_idle() -> None:
    """End the processes that wait for the next call; the next one starts others."""
    while not _IDLE.empty():
        _IDLE.get_nowait().leave()
