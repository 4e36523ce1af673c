"""How tests are collected and dealt out. What they share is in fixtures.py and smaller.py, which take seconds to load."""

import faulthandler
import gc
import os
from pathlib import Path
from typing import Any

import pytest

from tests.forks import fork_from, serve

FAST = "not slow"  # what `make check` asks for; tests that start processes are slow
LONGEST_SECONDS = 600  # of a file of tests


class Watch:
    """Ends the process where a file of tests takes too long, and prints what each of its threads is at.

    pytest's own way starts a thread for every test, which takes longer than many of them.
    """

    def __init__(self) -> None:
        self._printed_to = os.dup(2)  # before what tests print is caught
        self._file: Path | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, location: tuple[str, int | None, str]) -> None:
        file = Path(location[0])
        if file != self._file:
            self._file = file
            faulthandler.dump_traceback_later(LONGEST_SECONDS, file=self._printed_to, exit=True)

    def pytest_sessionfinish(self) -> None:
        faulthandler.cancel_dump_traceback_later()


def pytest_configure(config: pytest.Config) -> None:
    """Load what tests share, but not where several test processes run them: the one that deals them out runs none."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # some tests load ONNX Runtime themselves
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", default=None):
        # Until all are collected: imports leave a million objects for good, among which the garbage collector would look again
        # and again.
        gc.disable()
        from tests import fixtures, smaller

        config.pluginmanager.register(fixtures)
        config.pluginmanager.register(smaller)
        config.pluginmanager.register(Watch())
        address = getattr(config, "workerinput", {}).get("forks")
        if address is not None:
            fork_from(address)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a test process where processes are forked for all; where none is started, none is loaded for it."""
    if node.config.option.markexpr != FAST:
        node.workerinput["forks"] = serve()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put files with slow tests first, and in each the slow ones, so that no core waits at the end for one long test alone.

    xdist deals the list out in one stretch for each process: files take turns between stretches. A file's tests stay together,
    or what they share would be made twice.
    """
    stretches = getattr(config, "workerinput", {}).get("workercount", 1)
    files = {path: number for number, path in enumerate(dict.fromkeys(item.path for item in items))}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(
        key=lambda item: (
            files[item.path] % stretches,
            item.path not in slow,
            files[item.path],
            item.get_closest_marker("slow") is None,
        )
    )


def pytest_collection_finish() -> None:
    """Spare the garbage collector what imports and collection leave."""
    gc.freeze()
    # What a test leaves in cycles is little: to look for it after each 700 new objects is what takes long.
    gc.set_threshold(20_000)
    gc.enable()


def pytest_sessionfinish() -> None:
    """Look once for what was left in cycles, and an exception of its end; pytest looks five times, and finds nothing then."""
    gc.collect()
    gc.freeze()
