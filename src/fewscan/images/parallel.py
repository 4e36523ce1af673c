"""A function of many items, on all cores."""

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    block: int = 1024,
    weigh: Callable[[Item], int] = lambda _: 1,
) -> Generator[Result, None, None]:
    """Yield the function's results in the order of the items, computed by `workers` threads (default: one per core).

    At most about `block` items are worked on or wait to be taken, so that a million items are not a million tasks; `weigh` says
    for how many one counts. Close the generator to stop early.
    """
    # Threads, because Pillow, numpy and hashlib let go of the interpreter while they work: no start-up, no pixels copied
    # between processes.
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as executor:
        for some in _blocks(items, block, weigh):
            yield from executor.map(function, some)


def _blocks(items: Iterable[Item], block: int, weigh: Callable[[Item], int]) -> Generator[list[Item], None, None]:
    some: list[Item] = []
    weight = 0
    for item in items:
        some.append(item)
        weight += weigh(item)
        if weight >= block:
            yield some
            some, weight = [], 0
    if some:
        yield some
