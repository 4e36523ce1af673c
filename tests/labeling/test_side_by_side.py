"""Blocks of scans are worked on side by side on a CPU, and what comes out is as if they had been one after the other."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from fewscan.labeling.side_by_side import side_by_side

CPU = torch.device("cpu")


@pytest.fixture
def threads(torch_threads: Callable[[int], None]) -> int:
    """PyTorch has so many."""
    torch_threads(2)
    return 2


def test_as_many_are_worked_on_at_once_as_there_are_threads_and_they_come_in_order(threads: int) -> None:
    together, own_threads = threading.Barrier(threads, timeout=60), set()

    def square(number: int) -> int:
        together.wait()  # nobody comes past it alone
        own_threads.add(torch.get_num_threads())
        return number**2

    assert list(side_by_side(square, range(10), CPU)) == [number**2 for number in range(10)]
    assert own_threads == {1}
    assert torch.get_num_threads() == threads


def test_few_wait_to_be_taken_and_who_stops_early_has_all_threads_again(threads: int) -> None:
    asked: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            asked.append(number)
            yield number

    squares = side_by_side(lambda number: number**2, numbers(), CPU)
    assert [next(squares), next(squares)] == [0, 1]
    squares.close()
    assert len(asked) < 10
    assert torch.get_num_threads() == threads


def test_what_goes_wrong_with_one_is_raised_and_ends_all(threads: int) -> None:
    def inverse(number: int) -> float:
        return 1 / number

    inverses = side_by_side(inverse, [1, 2, 0, *range(1, 1000)], CPU)
    assert [next(inverses), next(inverses)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(inverses)
    assert torch.get_num_threads() == threads


def test_on_another_device_this_thread_does_one_after_the_other(threads: int) -> None:
    who = set(side_by_side(lambda _: (threading.get_ident(), torch.get_num_threads()), range(5), torch.device("cuda")))
    assert who == {(threading.get_ident(), threads)}
