"""Pixels elsewhere are read by whichever process asks, also one that was forked after they were read: over HTTP."""

import multiprocessing
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from fewscan.images.elsewhere import FarFile, FarImages
from fewscan.processes import processes
from tests.forks import LOADED

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), dtype=np.uint8)


class Ranges(BaseHTTPRequestHandler):
    """Answers with the bytes that are asked for."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(IMAGES.nbytes))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def do_GET(self) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", f"bytes=0-{IMAGES.nbytes - 1}"))
        assert found is not None
        content = IMAGES.tobytes()[int(found[1]) : int(found[2]) + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {found[1]}-{found[2]}/{IMAGES.nbytes}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def far() -> Iterator[FarImages]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ranges)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield FarImages(FarFile(f"http://127.0.0.1:{server.server_address[1]}/pixels.raw", IMAGES.nbytes), IMAGES.shape)
    server.shutdown()
    server.server_close()


def holds_rows(far: FarImages, rows: np.ndarray) -> bool:
    return np.array_equal(far[rows], IMAGES[rows])


def require_rows(far: FarImages, rows: np.ndarray) -> None:
    assert holds_rows(far, rows)


def require_rows_of_others(far: FarImages, way: str) -> None:
    """Read, and let others read that are started that way."""
    rows = np.array([3, 50, 7, 7])
    require_rows(far, rows)
    context = multiprocessing.get_context(way)
    others = [context.Process(target=require_rows, args=(far, rows + start)) for start in range(3)]  # type: ignore[attr-defined]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0, 0]
    require_rows(far, rows + 1)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_another_process_reads_them_too(way: str, far: FarImages) -> None:
    pytest.importorskip("aiohttp")
    # In a process without the threads of other tests.
    process = processes(LOADED).Process(target=require_rows_of_others, args=(far, way))  # type: ignore[attr-defined]
    process.start()
    process.join()
    assert process.exitcode == 0


def test_threads_read_them_side_by_side(far: FarImages) -> None:
    pytest.importorskip("aiohttp")
    found: list[bool] = []

    def read(start: int) -> None:
        found.append(holds_rows(far, np.arange(start, 50, 7)))

    threads = [threading.Thread(target=read, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 8
