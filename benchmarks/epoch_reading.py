"""How fast an epoch's images come from the disk: `python -m benchmarks.epoch_reading --out docs/results/epoch_reading.json`.

A file of random images is written, and the system is asked to forget it before each reading. Some of an epoch is read as
training does: all images shuffled, batch by batch; and in blocks, shuffled in a window and read ahead. Nothing is computed.
"""

import argparse
import itertools
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from fewscan.atomic import write_json
from fewscan.training.batches import epoch_batches
from fewscan.training.images import ImageRows
from fewscan.training.shuffling import Buffer

SIZE_PX = 96
BATCH = 64
NONE = np.empty(0, np.int64)


def forget(path: Path) -> None:
    """Ask the system to keep nothing of a file in memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def reading(path: Path, images: int, window: int | None, read: int) -> dict[str, object]:
    """Read so many images of an epoch; return how fast."""
    forget(path)
    pixels = np.memmap(path, np.uint8, mode="r", shape=(images, 1, SIZE_PX, SIZE_PX))
    buffer = Buffer.of(window, SIZE_PX**2)
    steps = epoch_batches(np.arange(images), NONE, np.zeros(images, np.int64), BATCH, 0, 1, buffer=buffer)
    at_a_time = None if window is None else window // BATCH
    began, cpu, bytes_read = time.perf_counter(), time.process_time(), _bytes_from_disk()
    some = ImageRows(pixels, torch.device("cpu"), keep=True).beside(
        itertools.islice(steps, read // BATCH), lambda step: step.labeled, at_a_time
    )
    count, first = 0, 0.0
    for _, shown in some:
        first = first or time.perf_counter() - began
        count += len(shown)
    seconds = time.perf_counter() - began
    return {
        "order": "all shuffled" if window is None else f"blocks, windows of {window:,}",
        "images": count,
        "images_per_second": round(count / seconds),
        "seconds_until_the_first": round(first, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "read_from_disk_mb": round((_bytes_from_disk() - bytes_read) / 1e6),
        "used_mb": round(count * SIZE_PX**2 / 1e6),
    }


def _bytes_from_disk() -> int:
    said = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(said["read_bytes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400_000)
    parser.add_argument("--window", type=int, default=40_000)
    parser.add_argument("--read", type=int, default=40_000, help="images of the epoch that are read")
    parser.add_argument("--work", type=Path, help="where the file is written, and removed afterwards")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=asked.work) as place:
        path = Path(place) / "pixels.raw"
        with path.open("wb") as file:
            for start in range(0, asked.images, 1000):
                file.write(random.bytes(min(1000, asked.images - start) * SIZE_PX**2))
        lines = [reading(path, asked.images, window, asked.read) for window in (None, asked.window, None, asked.window)]
    about = {
        "command": f"python -m benchmarks.epoch_reading --images {asked.images} --window {asked.window} --read {asked.read}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, beside other work",
        "load": round(os.getloadavg()[0], 1),
        "file_mb": round(asked.images * SIZE_PX**2 / 1e6),
    }
    write_json(asked.out, about | {"readings": lines})
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
