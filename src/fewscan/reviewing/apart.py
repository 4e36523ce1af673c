"""Work in a process of its own, beside the answers of a server: what computes long keeps Python's interpreter to itself."""

import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar

from fewscan.errors import FewscanError
from fewscan.processes import belong_to_parent, processes

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
        self._asking, self._begun, self._ended = threading.Lock(), threading.Event(), threading.Event()
        self._line, self._its_line = multiprocessing.Pipe()
        self._process: Any = None  # whose class depends on the system

    def begin(self) -> None:
        """Start the process; it loads what it needs while something else goes on, which takes seconds."""
        self._process = processes("fewscan.reviewing.tutor").Process(target=_answer, args=(self._its_line,), daemon=True)  # type: ignore[attr-defined]
        threading.Thread(target=self._start, name="beginning apart", daemon=True).start()

    def _start(self) -> None:
        try:
            self._process.start()
        finally:
            # Where the process has the only other end, its end is noticed.
            self._its_line.close()
            self._begun.set()
        if self._ended.is_set():
            self._process.terminate()

    def __call__(self, function: Callable[..., Result], /, *arguments: object) -> Result:
        """Call a function there; raises FewscanError where the process was ended."""
        with self._asking:
            self._begun.wait()
            try:
                if self._ended.is_set():
                    raise EOFError  # its process may not have ended yet, and answer still
                self._line.send((function, arguments))
                returned, found = self._line.recv()
            except (EOFError, OSError):
                raise FewscanError(
                    "the process that trains the page's model ended, perhaps for lack of memory: start the page again"
                ) from None
        if not returned:
            raise found
        result: Result = found
        return result

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._ended.set()
        if self._begun.is_set():
            self._process.terminate()


def _answer(line: Connection) -> None:
    """Answer calls that come by a line, until the process at its other end is gone."""
    belong_to_parent()
    os.nice(NICENESS)
    while True:
        try:
            function, arguments = line.recv()
        except EOFError:
            return
        try:
            answer = (True, function(*arguments))
        except Exception as error:
            error.add_note(f"in the process beside the page's server:\n{traceback.format_exc()}")
            answer = (False, error)
        line.send(answer)
