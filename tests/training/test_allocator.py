"""Freed memory stays with the process: counted in page faults, in a process of its own."""

import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys
import numpy as np
from fewscan.training.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def step():
    return sum(float(np.ones(8 * 2**20, dtype=np.float32)[-1]) for _ in range(2))
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    assert step() == 2
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", COUNT_FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_large_buffers_are_not_fetched_from_the_kernel_again() -> None:
    # 32 MiB a buffer; huge pages may make the first count small, so it is compared, not known.
    kept, by_default = faults("kept"), faults("default")
    assert kept < 50
    assert by_default > 5 * kept
