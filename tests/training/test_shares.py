"""Work that is shared out among processes comes in its order, and ends with a line where one fails."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.util import Finalize
from pathlib import Path

import numpy as np
import pytest
import torch

from fewscan.errors import FewscanError
from fewscan.processes import processes
from fewscan.training.devices import Devices, cpu_cores
from fewscan.training.shares import places_of_shares, require_devices, shared_out


def counted_up(first: int, last: int, step: int) -> Iterator[tuple[int, int]]:
    """Numbers, each with the process that counts."""
    for number in range(first, last, step):
        yield number, os.getpid()


def failing(how: str) -> Iterator[int]:
    yield 1
    if how == "refused":
        raise FewscanError("no such run")
    if how == "memory":
        raise MemoryError("it is full")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ZeroDivisionError


def threads() -> Iterator[int]:
    yield torch.get_num_threads()


@pytest.mark.parametrize(("items", "block", "devices"), [(0, 4, 2), (3, 4, 2), (17, 4, 3), (24, 4, 3), (5, 1, 5)])
def test_every_item_has_one_place_and_blocks_stay_whole(items: int, block: int, devices: int) -> None:
    shares = [iter(np.split(places, range(block, len(places), block))) for places in places_of_shares(items, block, devices)]
    taken = [next(shares[number % devices]) for number in range(-(-items // block))]
    assert np.concatenate([np.zeros(0, int), *taken]).tolist() == list(range(items))
    assert all(not len(left) for share in shares for left in share)


@pytest.mark.parametrize("last", [0, 1, 7])
def test_what_processes_make_comes_in_its_order(last: int) -> None:
    made = list(shared_out(counted_up, [(0, last, 3), (1, last, 3), (2, last, 3)], "cpu"))
    assert [number for number, _ in made] == list(range(last))
    assert len({process for _, process in made}) == min(last, 3)
    assert os.getpid() not in {process for _, process in made}


def tidying(mark: Path) -> Iterator[int]:
    # As libraries do that take away at the end of a process what they have made for it; a moment later than they may.
    Finalize(None, lambda: (time.sleep(0.5), mark.touch()), exitpriority=1)
    yield 1


def test_a_process_whose_share_is_done_ends_by_itself_and_tidies_up(tmp_path: Path) -> None:
    marks = [tmp_path / "first", tmp_path / "second"]
    assert list(shared_out(tidying, [(mark,) for mark in marks], "cpu")) == [1, 1]
    assert all(mark.exists() for mark in marks)


def test_each_has_a_part_of_the_cores() -> None:
    assert list(shared_out(threads, [(), ()], "cpu")) == [max(1, torch.get_num_threads() // 2)] * 2


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("refused", FewscanError, "no such run"),
        ("memory", MemoryError, "it is full"),
        ("killed", FewscanError, "same command again"),
        ("fault", RuntimeError, "ZeroDivisionError"),
    ],
)
def test_where_one_fails_all_end(how: str, error: type[Exception], words: str) -> None:
    before = set(multiprocessing.active_children())
    with pytest.raises(error, match=words):
        list(shared_out(failing, [(how,), (how,)], "cpu"))
    assert set(multiprocessing.active_children()) == before


def summed(tensors: list[torch.Tensor]) -> Iterator[float]:
    yield sum(float(tensor) for tensor in tensors)


def test_a_share_may_hold_a_network_of_any_number_of_weights() -> None:
    assert list(shared_out(summed, [([torch.ones(1) for _ in range(300)],)], "cpu")) == [300]


def test_nobody_works_on_where_nobody_reads_on() -> None:
    before = set(multiprocessing.active_children())
    made = shared_out(counted_up, [(0, 10**9, 2), (1, 10**9, 2)], "cpu")
    assert next(made)[0] == 0
    made.close()
    assert set(multiprocessing.active_children()) == before


def test_a_module_that_registers_something_is_imported_first() -> None:
    with pytest.raises(RuntimeError, match="no_such_module"):
        list(shared_out(threads, [()], "cpu", ["no_such_module"]))


@pytest.mark.parametrize("devices", [0, cpu_cores() + 1])
def test_devices_that_are_not_there_are_refused(devices: int) -> None:
    with pytest.raises(FewscanError, match="this machine has"):
        require_devices(devices, "cpu")


@pytest.mark.parametrize(
    "begin", [lambda: require_devices(2, "cpu"), lambda: Devices.asked(2, None), lambda: processes(__name__)]
)
def test_a_script_that_each_process_reads_needs_a_guard(begin: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    # As Python has it in a process that reads the script which began it.
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(FewscanError, match="__main__"):
        begin()


def test_a_process_that_is_killed_before_it_begins_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(process: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", start)
    monkeypatch.setattr("multiprocessing.process.BaseProcess.terminate", lambda process: None)
    with pytest.raises(FewscanError, match="was killed"):
        list(shared_out(counted_up, [(0, 3, 1)], "cpu"))
