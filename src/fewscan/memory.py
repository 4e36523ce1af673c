"""How much memory there is; and too little of it, however a library says so."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fewscan.errors import FewscanError

# PyTorch (CPU, then CUDA), OpenCV, ITK, C++, Python's threads, Arrow's threads, the system, also when it loads a library, and
# oneDNN, where it has no room for what it has chosen to compute by, have no error of a type of its own for it.
_SAID = (
    *("DefaultCPUAllocator", "CUDA out of memory", "Insufficient memory", "Failed to allocate memory", "bad_alloc"),
    *(
        "can't start new thread",
        "Failed to launch worker thread",
        "Cannot allocate memory",
        "cannot map zero-fill pages",
        "failed to map segment",
        "could not create a primitive\n",  # to its end: of a "primitive descriptor" it says so where it has none
    ),
)

# Where Linux says what a container, or a job of a cluster, may use.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_bytes() -> int:
    """Return how much memory this machine has, or what limits the process leaves it of that."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in _LIMITS:
        with suppress(OSError, ValueError):  # there is none, or it is "max"
            memory = min(memory, int(Path(limit).read_text()))
    return memory


def is_too_little(error: BaseException) -> bool:
    """Return whether an error says that the machine, or what limits the process, gave no more memory."""
    return isinstance(error, MemoryError) or (isinstance(error, Exception) and any(said in f"{error}\n" for said in _SAID))


@contextmanager
def enough(advice: str) -> Iterator[None]:
    """Turn what is raised for want of memory into a FewscanError of one line, which ends with the `advice`."""
    try:
        yield
    except FewscanError:
        raise
    except Exception as error:
        if is_too_little(error):
            raise FewscanError(f"not enough memory: {advice}") from None
        raise
