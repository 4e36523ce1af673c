"""The libraries that compute on the processor, each kept to the thread that calls it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import cv2
from threadpoolctl import ThreadpoolController


@contextmanager
def libraries_of_one_thread() -> Iterator[None]:
    """Keep NumPy, SciPy, faiss and OpenCV to the calling thread meanwhile, for who calls them from several threads.

    Their own threads wait for each other at every one of many small products, which on a busy machine takes a hundred times as
    long as the products.
    """
    own_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with _libraries().limit(limits=1):
            yield
    finally:
        cv2.setNumThreads(own_threads)


@cache
def _libraries() -> ThreadpoolController:
    """Return those that are loaded, which takes milliseconds to find out: who computes by another one has loaded it by then."""
    return ThreadpoolController()
