"""How fast copies are found, and in how much memory: `python -m benchmarks.audit [--json] [--growth]`.

`--growth` searches among more images than there are scans: the scans, then scans bent by a random smooth field, so that each is
another head that looks like many others, as heads do; one in three of these is instead a copy with another gamma, at times
mirrored.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.measure import SCANS, in_own_process, peak_memory_mb
from fewscan.auditing.audit import audit
from fewscan.auditing.copies import find_copies
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans
from fewscan.datasets.pairs import components
from fewscan.datasets.snapshot import Snapshot

SIZE_PX = 96
GROWTH = (1_000, 10_000, 100_000)
# How far points of a bent scan move, as a share of its side, and the share of copies among what is added.
BEND = 0.03
COPIES = 1 / 3

Pixels = npt.NDArray[np.uint8]


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


def bent(scan: Pixels, random: np.random.Generator) -> Pixels:
    """Another head: points move smoothly by some percent of the side, (S, S) -> (S, S)."""
    size_px = len(scan)
    field = cv2.resize(
        random.normal(0, BEND * size_px, (5, 5, 2)).astype(np.float32), (size_px, size_px), interpolation=cv2.INTER_CUBIC
    )
    down, across = np.mgrid[:size_px, :size_px].astype(np.float32)
    return np.asarray(cv2.remap(scan, across + field[..., 0], down + field[..., 1], cv2.INTER_LINEAR), np.uint8)


def many(scans: Pixels, images: int, file: Path) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """Write images (N, 1, S, S) into a file, as a dataset has them; return it memory-mapped, and whose copy each is, or -1."""
    random = np.random.default_rng(0)
    pixels = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(images, *scans.shape[1:]))
    order, copy_of = random.permutation(len(scans)), np.full(images, -1)
    for number in range(images):
        scan = scans[order[number % len(scans)], 0]
        if number >= len(scans) and random.random() < COPIES:
            copy_of[number] = random.integers(number)
            gamma = 255 * (pixels[copy_of[number], 0] / 255) ** np.exp(random.uniform(-0.6, 0.6))
            scan = gamma.astype(np.uint8)[:, :: random.choice([-1, 1])]
        elif number >= len(scans):
            scan = bent(scan, random)
        pixels[number, 0] = scan
    pixels.flush()
    return pixels, copy_of


def growth_at(images: int, dataset: Snapshot) -> dict[str, Any]:
    """Search among so many images. The images' own file counts as memory wherever it has been read."""
    with tempfile.TemporaryDirectory() as folder:
        pixels, copy_of = many(dataset.whole[dataset.usable], images, Path(folder) / "pixels.npy")
        start, start_cpu = time.perf_counter(), time.process_time()
        found = find_copies(pixels)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    sets = components(images, np.column_stack([found.row_a, found.row_b]))
    copies = np.flatnonzero(copy_of >= 0)
    return {
        "images": images,
        "size_px": pixels.shape[-1],
        "wall_seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "cpu_ms_an_image": round(1000 * cpu_seconds / images, 2),
        "peak_memory_mb": round(peak_memory_mb()),
        "images_mb": round(pixels.nbytes / 1e6),
        "pairs": len(found),
        "copies": len(copies),
        "copies_found": int((sets[copies] == sets[copy_of[copies]]).sum()),
        "largest_set": int(np.bincount(sets).max()),
    }


def growth(dataset: Path) -> list[dict[str, Any]]:
    """Run every size in a process of its own, so that each has its own peak memory."""
    return [in_own_process("benchmarks.audit", "--json", "--dataset", dataset, "--growth-at", images) for images in GROWTH]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--dataset", type=Path, help="these scans, imported already; a copy of it is audited")
    parser.add_argument("--growth", action="store_true", help=f"also search among {GROWTH} images; takes minutes")
    parser.add_argument("--growth-at", type=int, metavar="IMAGES", help="only search among so many, of --dataset")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    if arguments.growth_at:
        if not arguments.dataset:
            parser.error("--growth-at needs --dataset")
        figures = growth_at(arguments.growth_at, Dataset.open(arguments.dataset).snapshot())
    else:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "mri"
            if arguments.dataset:
                shutil.copytree(arguments.dataset, copy)
            else:
                import_scans(
                    [f"{name}={arguments.scans / name}" for name in ("sartaj", "nickparvar")],
                    copy,
                    size_px=SIZE_PX,
                    crop="none",
                )
            dataset = Dataset.open(copy)
            figures = {"cores": os.cpu_count(), "speed": speed(dataset)}
            if arguments.growth:
                figures["growth"] = growth(copy)
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
