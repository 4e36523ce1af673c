"""A function of many items, on all cores."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
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
    ahead: deque[tuple[Future[Result], int]] = deque()
    weight = 0
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as executor:
        try:
            for item in items:
                while weight >= block:
                    done, less = ahead.popleft()
                    weight -= less
                    yield done.result()
                ahead.append((executor.submit(function, item), weigh(item)))
                weight += ahead[-1][1]
            while ahead:
                yield ahead.popleft()[0].result()
        finally:
            for waiting, _ in ahead:
                waiting.cancel()
