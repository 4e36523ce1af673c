"""How fast real scans are imported, and in how much memory: `python -m benchmarks.import_scans [--json]`."""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from fewscan.data.importing import import_scans, summary

SCANS = Path(os.environ.get("FEWSCAN_DATA", Path(__file__).parents[2] / "shared/data"))


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process plus that of its largest child, in MB."""
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(peaks) * (1 if sys.platform == "darwin" else 1024) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--size", type=int, default=96, help="size of the stored images in pixels")
    parser.add_argument("--workers", type=int, default=None, help="threads (default: one per core)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    sources = [f"{name}={arguments.scans / name}" for name in ("sartaj", "nickparvar")]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        counted = summary(import_scans(sources, Path(folder) / "mri", size_px=arguments.size, workers=arguments.workers))
        wall_seconds = time.perf_counter() - start

    figures = {
        "images": counted.images,
        "set_aside": counted.set_aside,
        "wall_seconds": round(wall_seconds, 2),
        "images_per_second": round(counted.images / wall_seconds, 1),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "cores": os.cpu_count(),
    }
    print(json.dumps(figures) if arguments.json else "\n".join(f"{name:20} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
