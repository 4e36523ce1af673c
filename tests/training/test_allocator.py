"""Freed memory stays with the process: counted in page faults, in a process of its own."""

import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import ctypes, resource, sys
import numpy as np
from fewscan.training.allocator import keep_freed_memory
how, buffers, megabytes, apart = sys.argv[1], *map(int, sys.argv[2:])
# Pages of their own size: the system makes larger ones of them where it likes, and fills them with zeros.
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE
if how == "kept":
    assert keep_freed_memory()
def step():
    held = [np.empty(megabytes * 2**20, dtype=np.uint8) for _ in range(buffers)]
    for buffer in held:
        buffer[::apart] = 1
step()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str, *, buffers: int, megabytes: int, apart: int = 4096) -> int:
    """Page faults of five steps that write into as many buffers, one byte in so many: each page, or one in some."""
    command = [sys.executable, "-c", COUNT_FAULTS, how, str(buffers), str(megabytes), str(apart)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_large_buffers_are_not_fetched_from_the_kernel_again() -> None:
    # 32 MiB a buffer.
    kept, by_default = (faults(how, buffers=2, megabytes=32) for how in ("kept", "default"))
    assert kept < 50
    assert by_default > 5 * kept


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_not_even_when_more_than_two_gigabytes_are_freed_at_once() -> None:
    assert faults("kept", buffers=5, megabytes=512, apart=2**21) < 50
