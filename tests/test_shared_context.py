"""What belongs to the process is begun by the first thread that asks for it, and undone by the last."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import cv2
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from fewscan.one_thread import libraries_of_one_thread
from fewscan.shared_context import SharedContext


def test_it_is_begun_once_and_ends_with_the_last_whoever_came_first() -> None:
    told: list[str] = []

    def begin(undone: ExitStack) -> None:
        told.append("begun")
        undone.callback(told.append, "ended")

    shared, first, second = SharedContext(begin), ExitStack(), ExitStack()
    first.enter_context(shared)
    second.enter_context(shared)
    first.close()
    assert told == ["begun"]
    second.close()
    assert told == ["begun", "ended"]
    with shared:
        assert told == ["begun", "ended", "begun"]


def test_what_could_not_be_begun_is_undone_and_can_be_tried_again() -> None:
    told: list[str] = []

    def begin(undone: ExitStack) -> None:
        undone.callback(told.append, "undone")
        if len(told) == 0:
            raise OSError("not now")

    shared = SharedContext(begin)
    with pytest.raises(OSError, match="not now"), shared:
        pass
    assert told == ["undone"]
    with shared:
        assert told == ["undone"]
    assert told == ["undone", "undone"]


@pytest.fixture
def opencv_of_three() -> Iterator[None]:
    """OpenCV computes with three threads."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


def test_many_threads_leave_the_libraries_their_threads(opencv_of_three: None) -> None:
    def threads_of_libraries() -> list[int]:
        return [*sorted(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"), cv2.getNumThreads()]

    before = threads_of_libraries()
    inside, together = [], threading.Barrier(4, timeout=60)

    def compute(number: int) -> None:
        together.wait()
        for _ in range(20 + number):
            with libraries_of_one_thread():
                np.ones((40, 40)) @ np.ones((40, 40))
        with libraries_of_one_thread():
            inside.append(threads_of_libraries())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(compute, range(4)))
    assert threads_of_libraries() == before
    assert {max(each) for each in inside} == {1}
