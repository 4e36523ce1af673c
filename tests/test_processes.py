"""Processes that do a part of the work end with the one that began them, whenever a signal comes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from fewscan.processes import helpers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing forks processes")


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C is heeded, also where what runs the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def told(mark: Connection, _: Connection) -> None:
    mark.send("at work")


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("moment", ["connect_to_new_process", "read_signed"])
def test_a_process_that_is_being_started_as_ctrl_c_comes_does_nothing(
    moment: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    does = getattr(forkserver, moment)

    def interrupted(argument: object) -> object:
        done = does(argument)
        if threading.current_thread() is threading.main_thread():
            patched.undo()  # it comes once
            signal.raise_signal(signal.SIGINT)
        return done

    before = set(multiprocessing.active_children())
    hears, mark = multiprocessing.Pipe(duplex=False)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(forkserver, moment, interrupted)
        with helpers(told, [(mark,)], "killed"):
            pass
    mark.close()
    assert hears.poll()
    with pytest.raises(EOFError):
        hears.recv()
    assert set(multiprocessing.active_children()) == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert capfd.readouterr().err == ""


# What forks processes loads it, and Ctrl-C comes meanwhile.
LOADS = """
import os, signal, sys, time
if sys.argv[0] == "-c":
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(30)
    print("loaded", flush=True)
def work(line):
    print("at work", flush=True)
"""
STARTS = """
import signal
from fewscan.processes import helpers
from loads import work
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with helpers(work, [()], "killed"):
            pass
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""


def test_what_still_loads_as_ctrl_c_comes_ends_then_and_there(tmp_path: Path) -> None:
    (tmp_path / "loads.py").write_text(LOADS)
    (tmp_path / "starts.py").write_text(STARTS)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    # All that it starts has its output, and is waited for.
    done = subprocess.run(
        [sys.executable, "starts.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("stopped\n", "")
