"""What is computed in the process beside the page's server is what would be computed in it."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

from fewscan.errors import FewscanError
from fewscan.reviewing.apart import Apart
from fewscan.reviewing.opinion import learned
from tests.reviewing.test_opinion import lesson


@pytest.fixture
def apart() -> Iterator[Apart]:
    apart = Apart()
    apart.begin()
    yield apart
    apart.end()


@pytest.mark.slow
def test_another_process_learns_the_same_and_tells_its_errors_and_its_end(apart: Apart) -> None:
    here, there = learned(lesson(2)), learned(lesson(2), apart)
    assert here is not None
    assert there is not None
    assert all((one == other).all() for one, other in zip(here.solution, there.solution, strict=True))
    for name in {field.name for field in fields(here)} - {"solution", "seconds"}:
        assert np.array_equal(getattr(here, name), getattr(there, name)), name
    with pytest.raises(ZeroDivisionError):
        apart(divmod, 1, 0)
    number = apart(os.getpid)
    assert number != os.getpid()
    os.kill(number, signal.SIGKILL)
    with pytest.raises(FewscanError, match="start the page again"):
        apart(os.getpid)


def test_who_never_began_ends_at_once() -> None:
    Apart().end()


@pytest.mark.slow
def test_it_is_ended_whatever_it_is_at(apart: Apart, tmp_path: Path) -> None:
    number = apart(os.getpid)
    (process,) = (child for child in active_children() if child.pid == number)
    with ThreadPoolExecutor() as others:
        asked = others.submit(apart, waits_for_ever, tmp_path / "at work")
        while not (tmp_path / "at work").exists():
            time.sleep(0.01)
        apart.end()
        with pytest.raises(FewscanError, match="start the page again"):
            asked.result()
    process.join()
    assert process.exitcode == -signal.SIGTERM


def waits_for_ever(told: Path) -> None:
    told.touch()
    while True:
        time.sleep(60)


def test_who_ends_while_beginning_leaves_no_process() -> None:
    apart = Apart()
    apart.begin()
    apart.end()
    with pytest.raises(FewscanError):
        apart(os.getpid)
