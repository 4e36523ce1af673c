"""A function of blocks of scans, of several at once where the processor computes."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import TypeVar

import torch

from fewscan.images.parallel import in_order
from fewscan.one_thread import libraries_of_one_thread

# With more at once memory holds more of them, and each has few threads already.
AT_ONCE = 4

Block = TypeVar("Block")
Result = TypeVar("Result")


def at_once(device: torch.device) -> int:
    """Return how many blocks `side_by_side` works on at a time."""
    return min(AT_ONCE, torch.get_num_threads()) if device.type == "cpu" else 1


def side_by_side(
    function: Callable[[Block], Result], blocks: Iterable[Block], device: torch.device
) -> Generator[Result, None, None]:
    """Yield the function's results in the order of the blocks.

    On a CPU several blocks are worked on at once, on a share of PyTorch's threads each: the threads of one block would wait for
    each other at the end of every layer, and while anything but the network is at work. Elsewhere one after the other. What is
    yielded is the same. Close the generator to stop early.
    """
    threads, workers = torch.get_num_threads(), at_once(device)
    if workers == 1:
        yield from map(function, blocks)
        return
    # Of the threads that are started from now on.
    torch.set_num_threads(threads // workers)
    try:
        with libraries_of_one_thread(), closing(in_order(function, blocks, workers=workers, block=workers + 1)) as results:
            yield from results
    finally:
        torch.set_num_threads(threads)
