"""How fast copies are found, and in how much memory: `python -m benchmarks.audit [--json] [--growth]`."""

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import SCANS, in_own_process, peak_memory_mb
from fewscan.data.audit import audit
from fewscan.data.copies import find_copies
from fewscan.data.dataset import Dataset
from fewscan.data.importing import import_scans
from fewscan.data.phantoms import CLASSES, draw_phantom

SIZE_PX = 96
GROWTH = (1_000, 10_000, 100_000)


def speed(dataset: Dataset) -> dict[str, Any]:
    """Audit the real scans."""
    start, start_cpu = time.perf_counter(), time.process_time()
    result = audit(dataset)
    return {
        "images": result.images,
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - start_cpu, 1),
        "peak_memory_mb": round(peak_memory_mb()),
        "pairs": len(result.pairs),
        "copy_sets": result.copy_sets,
        "largest_group": max(result.group_sizes),
    }


def phantoms(images: int, file: Path) -> npt.NDArray[np.uint8]:
    """Draw practice scans into a file, as a dataset has them, and return it memory-mapped."""
    random = np.random.default_rng(0)
    pixels = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(images, 1, SIZE_PX, SIZE_PX))
    for number in range(images):
        pixels[number, 0] = draw_phantom(random, CLASSES[number % len(CLASSES)], size_px=SIZE_PX).pixels
    return pixels


def growth_at(images: int) -> dict[str, Any]:
    """Search among practice scans, no two of one head. The images' own file counts as memory wherever it has been read."""
    with tempfile.TemporaryDirectory() as folder:
        pixels = phantoms(images, Path(folder) / "pixels.npy")
        start, start_cpu = time.perf_counter(), time.process_time()
        found = find_copies(pixels)
    return {
        "images": images,
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cpu_ms_an_image": round(1000 * (time.process_time() - start_cpu) / images, 2),
        "peak_memory_mb": round(peak_memory_mb()),
        "images_mb": round(pixels.nbytes / 1e6),
        "false_pairs": len(found),
    }


def growth() -> list[dict[str, Any]]:
    """Run every size in a process of its own, so that each has its own peak memory."""
    return [in_own_process("benchmarks.audit", "--json", "--growth-at", images) for images in GROWTH]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--dataset", type=Path, help="these scans, imported already; a copy of it is audited")
    parser.add_argument("--growth", action="store_true", help=f"also search among {GROWTH} practice scans; takes minutes")
    parser.add_argument("--growth-at", type=int, metavar="IMAGES", help="only search among so many practice scans")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    if arguments.growth_at:
        figures = growth_at(arguments.growth_at)
    else:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "mri"
            if arguments.dataset:
                shutil.copytree(arguments.dataset, copy)
            else:
                import_scans([f"{name}={arguments.scans / name}" for name in ("sartaj", "nickparvar")], copy, size_px=SIZE_PX)
            dataset = Dataset.open(copy)
            figures = {"cores": os.cpu_count(), "speed": speed(dataset)}
        if arguments.growth:
            figures["growth"] = growth()
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
