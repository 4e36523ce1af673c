"""What a damaged or hostile file makes a library do; imported by processes that read, and so without pytest."""

import os
import time

import numpy as np

from fewscan.images.formats.image import UnreadableImage
from fewscan.images.reading_process import MAX_MEMORY_BYTES


def computes_for_ever(seconds: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))  # what it has anyway, but sooner
    while True:
        pass


def takes_all_memory() -> int:
    return len(np.ones(MAX_MEMORY_BYTES // 8 + 1))


def keeps_silent() -> None:
    time.sleep(3600)


def brings_its_process_down() -> None:
    os.abort()


def refuses() -> None:
    raise UnreadableImage("not an image: a test")


def is_at_fault() -> None:
    raise ZeroDivisionError("our own mistake")
