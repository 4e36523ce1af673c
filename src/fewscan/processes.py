"""Processes of our own that do a part of the work, and end with the one that began it."""

import multiprocessing
import multiprocessing.context
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Literal, NamedTuple

from fewscan.errors import FewscanError
from fewscan.memory import is_too_little

Failure = Literal["refused", "memory", "fault"]


def processes(loads: str) -> multiprocessing.context.BaseContext:
    """Return what starts processes: on Linux forks of one that has loaded PyTorch, which takes each other process seconds.

    Not forks of this one, whose threads they would lack. loads: the module that they are to have loaded. They heed no Ctrl-C,
    which reaches all processes of a terminal: the one that the person started ends the others. Raises FewscanError as
    `require_guard` does.
    """
    require_guard()
    if sys.platform != "linux":
        # Forks of a process that has loaded libraries of macOS may crash.
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([loads])
    with _ctrl_c_ignored():
        # It heeds no Ctrl-C once it has loaded all; until then it would tell it by many lines.
        forkserver.ensure_running()
    return context


def require_guard() -> None:
    """Raise FewscanError in a process that reads the script by which it was begun, which would do there all that it does.

    Ask before anything is waited for: the other process waits for this one.
    """
    # Python's own mark, by which it refuses to begin further processes meanwhile.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise FewscanError(
            'several processes each read your script from the top: put the code that it runs below if __name__ == "__main__":'
        )


class Helper(NamedTuple):
    """A process that does a part of the work, and where one hears what it tells."""

    process: BaseProcess
    hears: Connection


@contextmanager
def helpers(work: Callable[..., None], parts: Iterable[tuple[Any, ...]], killed: str) -> Iterator[list[Helper]]:
    """Start a process for each of the `parts`, which `work` takes, and after them where to tell; with the block they end.

    Raises FewscanError with the words `killed` where one was killed before it has heard what to do.
    """
    context, started = processes(work.__module__), list[Helper]()
    try:
        for part in parts:
            hears, tells = multiprocessing.Pipe(duplex=False)
            process = context.Process(target=work, args=(*part, tells))  # type: ignore[attr-defined]
            try:
                process.start()
            except BrokenPipeError:  # for the command line, whoever reads its output has read enough
                raise FewscanError(killed) from None
            tells.close()
            started.append(Helper(process, hears))
        yield started
    finally:
        for helper in started:
            helper.process.terminate()
        for helper in started:
            helper.process.join()
            helper.hears.close()


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Let what is started meanwhile begin with Ctrl-C ignored; only a program's first thread can say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heeded)


def belong_to_parent() -> None:
    """Let this process end with the one that started it and heed no Ctrl-C.

    Ctrl-C reaches all processes of a terminal; the one that the person started ends the others.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def how_it_failed(error: Exception) -> tuple[Failure, str]:
    """Return how an error ends a process, and in which words, for the one that started it."""
    if is_too_little(error):
        return "memory", str(error)
    return ("refused", str(error)) if isinstance(error, FewscanError) else ("fault", traceback.format_exc())


def _end_with_parent() -> None:
    """Wait until the process that started this one is gone, killed for example, and end then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
