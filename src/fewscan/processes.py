"""Processes of our own that do a part of the work, and end with the one that began it."""

import multiprocessing
import multiprocessing.context
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
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
    which reaches all processes of a terminal: the one that the person started ends the others. Start them in a block of
    `started_whole`. Raises FewscanError as `require_guard` does.
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
def started_whole(context: multiprocessing.context.BaseContext) -> Iterator[None]:
    """Let processes be started in the block; Ctrl-C and SIGTERM wait until its end, which is a moment away.

    Half started, one would begin without anybody who ends it, tell what it lacks by many lines, or work on for hours. Loading
    takes seconds: that a signal cuts short, and it is done before.
    """
    _load(context)
    with _signals_waiting():
        yield


@contextmanager
def _signals_waiting() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the end of the block."""
    # In other threads no signal is answered.
    first = threading.current_thread() is threading.main_thread()
    answers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT) if first}
    came: list[int] = []
    for one, answer in answers.items():
        if callable(answer):
            signal.signal(one, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for one, answer in answers.items():
            if callable(answer):
                signal.signal(one, answer)
        if came:
            signal.raise_signal(came[0])


def _load(context: multiprocessing.context.BaseContext) -> None:
    """Wait until that is loaded which processes are forks of; a signal ends both."""
    if context.get_start_method() != "forkserver":
        return
    # It answers only once it has loaded; in a thread, which no signal ends halfway.
    asking = threading.Thread(target=_begin_and_end, args=(context,), name="loading", daemon=True)
    asking.start()
    try:
        asking.join()
    except BaseException:
        server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
        if server is not None:
            os.kill(server, signal.SIGKILL)
        raise


def _begin_and_end(context: multiprocessing.context.BaseContext) -> None:
    """Have a process forked that does nothing."""
    process = context.Process(target=os.getpid, daemon=True)  # type: ignore[attr-defined]
    with suppress(EOFError, OSError):  # it was ended while it loaded; the next process loads again
        process.start()
        process.terminate()
        process.join()


@contextmanager
def helpers(work: Callable[..., None], parts: Iterable[tuple[Any, ...]], killed: str) -> Iterator[list[Helper]]:
    """Start a process for each of the `parts`, which `work` takes, and after them where to tell; with the block they end.

    Raises FewscanError with the words `killed` where one was killed before it has heard what to do.
    """
    context, started = processes(work.__module__), list[Helper]()
    try:
        _load(context)
        for part in parts:
            try:
                with _signals_waiting():
                    ours, theirs = multiprocessing.Pipe()
                    process = context.Process(target=_take_part, args=(work, theirs))  # type: ignore[attr-defined]
                    process.start()
                    theirs.close()
                    started.append(Helper(process, ours))
                # Not with its start, which would last until all is read: a part may be a network.
                ours.send(part)
            except BrokenPipeError:  # for the command line, whoever reads its output has read enough
                raise FewscanError(killed) from None
        yield started
    finally:
        for helper in started:
            helper.process.terminate()
        for helper in started:
            helper.process.join()
            helper.hears.close()


def _take_part(work: Callable[..., None], line: Connection) -> None:
    """Do the part that is heard from the process that began this one."""
    try:
        part = line.recv()
    except (EOFError, ConnectionError):  # it was ended meanwhile
        return
    work(*part, line)


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
