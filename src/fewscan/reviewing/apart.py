"""Work in a process of its own, beside the answers of a server: what computes long keeps Python's interpreter to itself."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol, TypeVar

from fewscan.errors import FewscanError
from fewscan.processes import end_with_parent, processes

Result = TypeVar("Result")
# Answers come first where both want the same core.
NICENESS = 10


class Call(Protocol):
    """Returns what a function of this package returns for these arguments, and raises what it raises."""

    def __call__(self, function: Callable[..., Result], /, *arguments: object) -> Result:
        """Return it."""


def here(function: Callable[..., Result], /, *arguments: object) -> Result:
    """Call a function in this process."""
    return function(*arguments)


class Apart:
    """A process that answers one call after the other, from `begin` until `end`.

    Functions, arguments and results are pickled between the two: this package's own, and arrays.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._number: Future[int] | None = None

    def begin(self) -> None:
        """Start the process; it loads what it needs while something else goes on."""
        self._pool = ProcessPoolExecutor(1, processes("fewscan.reviewing.tutor"), _begun)
        self._number = self._pool.submit(os.getpid)

    def __call__(self, function: Callable[..., Result], /, *arguments: object) -> Result:
        """Call a function there; raises FewscanError where the process was ended."""
        assert self._pool is not None
        try:
            return self._pool.submit(function, *arguments).result()
        except (BrokenProcessPool, CancelledError):
            raise FewscanError(
                "the process in which the page's model learns was ended, perhaps for lack of memory: start the page again"
            ) from None

    def end(self) -> None:
        """End the process, whatever it is at."""
        if self._pool is None or self._number is None:
            return
        self._pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            if self._number.done() and child.pid == self._number.result():
                child.terminate()


def _begun() -> None:
    # Ctrl-C reaches all processes of a terminal; the page's server ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.nice(NICENESS)
