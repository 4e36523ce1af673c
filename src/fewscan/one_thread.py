"""The libraries that compute on the processor, each kept to the thread that calls it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import cv2
from threadpoolctl import ThreadpoolController

from fewscan.shared_context import SharedContext


@contextmanager
def libraries_of_one_thread() -> Iterator[None]:
    """Keep NumPy, SciPy, faiss and OpenCV to the calling thread meanwhile, for who calls them from several threads.

    Their own threads wait for each other at every one of many small products, which on a busy machine takes a hundred times as
    long as the products.
    """
    # What OpenMP is told is each thread's own, what OpenBLAS and OpenCV are told is the process's.
    with _libraries().limit(limits=1, user_api="openmp"), _OF_THE_PROCESS:
        yield


def _begin(undone: ExitStack) -> None:
    undone.enter_context(_libraries().limit(limits=1, user_api="blas"))
    undone.callback(cv2.setNumThreads, cv2.getNumThreads())
    cv2.setNumThreads(1)


_OF_THE_PROCESS = SharedContext(_begin)


@cache
def _libraries() -> ThreadpoolController:
    """Return those that are loaded, which takes milliseconds to find out: who computes by another one has loaded it by then."""
    return ThreadpoolController()
