"""What serves forks: one process for all test processes, which has loaded fewscan and PyTorch (`tests/loaded.py`).

It loads them for seconds, so that each test process with one of its own would pay for it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker

LOADED = "tests.loaded"


def serve() -> str:
    """Start it, and return its address; it ends with this process, which is the one that ends last."""
    forkserver.set_forkserver_preload([LOADED])
    with _nothing_said():
        forkserver.ensure_running()
    return str(forkserver._forkserver._forkserver_address)  # type: ignore[attr-defined]


def fork_from(address: str) -> None:
    """Let processes that this one starts be forked there, whatever they are to have loaded: more than that is loaded."""
    server = forkserver._forkserver  # type: ignore[attr-defined]
    server._forkserver_address = address
    if server._forkserver_alive_fd is None:
        # Each fork is handed a pipe by which to know of the server's end; this one's is never written to.
        server._forkserver_alive_fd = os.pipe()[1]
    forkserver.ensure_running = server.ensure_running = resource_tracker.ensure_running


@contextmanager
def _nothing_said() -> Iterator[None]:
    """Let what is started meanwhile, and all that it forks, write nowhere; what a test reads of its process goes elsewhere."""
    kept = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in kept:
        os.dup2(nowhere, descriptor)
    try:
        yield
    finally:
        for descriptor, before in kept.items():
            os.dup2(before, descriptor)
            os.close(before)
        os.close(nowhere)
