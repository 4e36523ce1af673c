"""What it takes to add scans to an audited dataset, beside importing and auditing all anew: `python -m benchmarks.adding`.

Of the real scans some, drawn at random, come later. Each figure is of a process of its own.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import fewscan
from benchmarks.measure import SCANS, in_own_process, peak_memory_mb
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.pairs import components, ends

SOURCES = ("sartaj", "nickparvar")


def part(scans: Path, folder: Path, new: int, seed: int) -> None:
    """Copy the scans into `folder/first`, but for `new` of them, drawn at random, which go into `folder/later`."""
    files = sorted(path for source in SOURCES for path in (scans / source).rglob("*") if path.is_file())
    later = set(np.random.default_rng(seed).choice(len(files), new, replace=False).tolist())
    for number, path in enumerate(files):
        place = folder / ("later" if number in later else "first") / path.relative_to(scans)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    (folder / "whole").symlink_to(scans)


def timed(step: str, folder: Path, size_px: int) -> dict[str, Any]:
    """Import and audit what is first, add what is later, or import and audit all."""
    start, start_cpu = time.perf_counter(), time.process_time()
    dataset = folder / ("whole_data" if step == "whole" else "data")
    sources = [f"{name}={folder / {'add': 'later'}.get(step, step) / name}" for name in SOURCES]
    if step == "add":
        fewscan.add_scans(dataset, sources)
    else:
        fewscan.import_scans(sources, dataset, size_px=size_px, crop="none")
        fewscan.audit(dataset)
    return {
        "images": Dataset.open(dataset).images.rows,
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - start_cpu, 1),
        "peak_memory_mb": round(peak_memory_mb()),
    }


def compared(added: Dataset, whole: Dataset) -> dict[str, Any]:
    """Return how far the sets of copies of both, which hold the same images in another order, are the same."""
    rows = [np.argsort(dataset.unsplit().file_names) for dataset in (added, whole)]
    sets = [components(dataset.images.rows, ends(dataset.pairs)) for dataset in (added, whole)]
    first, second = (numbers[order] for numbers, order in zip(sets, rows, strict=True))
    together = [np.unique(np.column_stack([first, second]), axis=0, return_inverse=True)[1].ravel()]
    sizes = [np.bincount(numbers)[numbers] for numbers in (first, second, *together)]
    return {
        "pairs_added": len(added.pairs),
        "pairs_whole": len(whole.pairs),
        "images_whose_set_of_copies_differs": int(((sizes[0] != sizes[2]) | (sizes[1] != sizes[2])).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--new", type=int, default=200, help="how many scans come later")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--size", type=int, default=64, help="the stored size in px")
    parser.add_argument("--step", nargs=2, metavar=("STEP", "FOLDER"), help="only first, add or whole, in a folder prepared")
    arguments = parser.parse_args()
    if arguments.step:
        step, folder = arguments.step
        print(json.dumps(timed(step, Path(folder), arguments.size)))
        return
    with tempfile.TemporaryDirectory() as folder:
        part(arguments.scans, Path(folder), arguments.new, arguments.seed)
        words = ("--size", arguments.size, "--step")
        figures: dict[str, Any] = {"cores": os.cpu_count(), "size_px": arguments.size, "new": arguments.new}
        for step in ("first", "add", "whole"):
            figures[step] = in_own_process("benchmarks.adding", *words, step, folder)
        figures |= compared(Dataset.open(Path(folder) / "data"), Dataset.open(Path(folder) / "whole_data"))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
