"""Too little memory, however a library says so."""

from collections.abc import Iterator
from contextlib import contextmanager

from fewscan.errors import FewscanError

# PyTorch (CPU, then CUDA), OpenCV, ITK, C++, Python's threads, Arrow's threads, and the system, also when it loads a library,
# have no error of a type of its own for it.
_SAID = (
    *("DefaultCPUAllocator", "CUDA out of memory", "Insufficient memory", "Failed to allocate memory", "bad_alloc"),
    *(
        "can't start new thread",
        "Failed to launch worker thread",
        "Cannot allocate memory",
        "cannot map zero-fill pages",
        "failed to map segment",
    ),
)


def is_too_little(error: BaseException) -> bool:
    """Return whether an error says that the machine, or what limits the process, gave no more memory."""
    return isinstance(error, MemoryError) or (isinstance(error, Exception) and any(said in str(error) for said in _SAID))


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
