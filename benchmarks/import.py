"""How fast scans are imported, and in how much memory.

    python -m benchmarks.import [--growth] [--json]

First the real scans. With --growth also folders of practice scans, JPEG files of 256 x 256 pixels, 500 drawn ones linked over
and over, each folder in a process of its own, so that its peak of memory is its own.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import SCANS, draw_scans, in_own_process, link_scans, peak_memory_mb
from fewscan.data.importing import import_scans, summary

GROWTH = (1_000, 10_000, 100_000)


def imported(sources: list[str], size_px: int) -> dict[str, Any]:
    """Import into a folder that is then thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        counted = summary(import_scans(sources, Path(folder) / "dataset", size_px=size_px))
        seconds = time.perf_counter() - began
    return {
        "images": counted.images,
        "set_aside": counted.set_aside,
        "wall_seconds": round(seconds, 2),
        "images_per_second": round(counted.images / seconds, 1),
        "peak_memory_mb": round(peak_memory_mb(with_children=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--size", type=int, default=96, help="size of the stored images in pixels")
    parser.add_argument("--growth", action="store_true", help=f"also import {GROWTH} practice scans")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs="+", metavar="SOURCE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(imported(arguments.one, arguments.size)))
        return

    words = ("benchmarks.import", "--size", arguments.size, "--one")
    figures: dict[str, Any] = {"cores": os.cpu_count()}
    figures["real"] = in_own_process(*words, *(f"{name}={arguments.scans / name}" for name in ("sartaj", "nickparvar")))
    if arguments.growth:
        with tempfile.TemporaryDirectory() as name:
            drawn = Path(name) / "drawn"
            draw_scans(drawn)
            figures["growth"] = []
            for count in GROWTH:
                link_scans(drawn, Path(name) / str(count), count)
                figures["growth"].append(in_own_process(*words, Path(name) / str(count)))
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
