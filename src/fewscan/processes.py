"""Processes of our own that do a part of the work, and end with the one that began it."""

import multiprocessing
import multiprocessing.context
import os
import sys


def processes(loads: str) -> multiprocessing.context.BaseContext:
    """Return what starts processes: on Linux forks of one that has loaded PyTorch, which takes each other process seconds.

    Not forks of this one, whose threads they would lack. loads: the module that they are to have loaded.
    """
    # Forks of a process that has loaded libraries of macOS may crash.
    context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
    context.set_forkserver_preload([loads])
    return context


def end_with_parent() -> None:
    """Wait until the process that started this one is gone, killed for example, and end then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
