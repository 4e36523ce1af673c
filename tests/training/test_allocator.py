"""Freed memory stays with the process: counted in page faults, in a process of its own."""

import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys
import numpy as np
from fewscan.training.allocator import keep_freed_memory
how, buffers, megabytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if how == "kept":
    assert keep_freed_memory()
def step():
    held = [np.empty(megabytes * 2**20, dtype=np.uint8) for _ in range(buffers)]
    for buffer in held:
        buffer[::4096] = 1
step()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str, *, buffers: int, megabytes: int) -> int:
    command = [sys.executable, "-c", COUNT_FAULTS, how, str(buffers), str(megabytes)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_large_buffers_are_not_fetched_from_the_kernel_again() -> None:
    # 32 MiB a buffer; huge pages may make the first count small, so it is compared, not known.
    kept, by_default = (faults(how, buffers=2, megabytes=32) for how in ("kept", "default"))
    assert kept < 50
    assert by_default > 5 * kept


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_not_even_when_more_than_two_gigabytes_are_freed_at_once() -> None:
    assert faults("kept", buffers=5, megabytes=512) < 50
