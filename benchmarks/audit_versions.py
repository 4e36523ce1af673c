"""What two versions of fewscan take to find copies among the same images, side by side, so that both meet the same load.

    python -m benchmarks.audit_versions DATASET --before OTHER/src [--images 1000] [--bent] [--out FILE.json]

Each version searches in a process of its own, both at once: among so many scans of DATASET, all where none is said, or with
`--bent` among so many as `benchmarks.audit --growth` makes of them. Seconds are of CPU. Of pairs that one of them names and the
other does not, each is listed with its similarity.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import fewscan
from benchmarks.audit import many
from benchmarks.measure import peak_memory_mb
from fewscan.auditing.copies import describe_images, find_copies_of
from fewscan.datasets.dataset import Dataset

AFTER = Path(fewscan.__file__).parents[1]


def searched(pixels_file: Path, rows_file: Path) -> dict[str, Any]:
    """Find the copies among some images, and say how long it took to describe and to compare them, and the pairs."""
    pixels, rows = np.load(pixels_file, mmap_mode="r"), np.load(rows_file)
    start = time.process_time()
    described = describe_images(pixels, rows)
    half = time.process_time()
    found = find_copies_of(pixels, described).pairs
    return {
        "cpu_seconds": round(time.process_time() - start, 2),
        "describing": round(half - start, 2),
        "peak_memory_mb": round(peak_memory_mb()),
        "pairs": [
            [int(a), int(b), round(float(alike), 4)]
            for a, b, alike in zip(found.row_a, found.row_b, found.similarity, strict=True)
        ],
    }


def side_by_side(before: Path, pixels_file: Path, rows_file: Path) -> dict[str, Any]:
    """Let both versions search at once, and return what each took, and how their pairs differ."""
    called = [sys.executable, "-m", "benchmarks.audit_versions", "--search", str(pixels_file), str(rows_file)]
    versions = [
        subprocess.Popen(called, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(source.resolve())})
        for source in (before, AFTER)
    ]
    figures = [json.loads(version.communicate()[0]) for version in versions]
    first, second = ({(a, b): alike for a, b, alike in one.pop("pairs")} for one in figures)
    changes = [abs(first[pair] - second[pair]) for pair in first.keys() & second.keys()]
    return {
        "before": figures[0] | {"pairs": len(first)},
        "after": figures[1] | {"pairs": len(second)},
        "ratio": round(figures[0]["cpu_seconds"] / figures[1]["cpu_seconds"], 2),
        "no_longer_named": [[*pair, first[pair]] for pair in sorted(first.keys() - second.keys())],
        "named_anew": [[*pair, second[pair]] for pair in sorted(second.keys() - first.keys())],
        "largest_change_of_a_similarity": round(max(changes, default=0), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, nargs="?")
    parser.add_argument("--before", type=Path, help="the folder src of another checkout")
    parser.add_argument("--images", type=int)
    parser.add_argument("--bent", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--search", type=Path, nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.search:
        print(json.dumps(searched(*asked.search)))
        return
    if not asked.dataset or not asked.before or (asked.bent and not asked.images):
        parser.error("DATASET and --before are needed, and --images with --bent")
    now = Dataset.open(asked.dataset).snapshot()
    with tempfile.TemporaryDirectory() as folder:
        pixels_file, rows_file = Path(folder) / "pixels.npy", Path(folder) / "rows.npy"
        if asked.bent:
            many(now.whole[now.usable], asked.images, pixels_file)
            rows = np.arange(asked.images)
        else:
            np.save(pixels_file, now.whole)
            count = min(asked.images or len(now.usable), len(now.usable))
            rows = np.sort(np.random.default_rng(0).choice(now.usable, count, replace=False))
        np.save(rows_file, rows)
        figures = side_by_side(asked.before, pixels_file, rows_file)
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "load": round(os.getloadavg()[0], 1), "images": len(rows)}
    text = json.dumps(about | {"bent": asked.bent, "size_px": now.spec.size_px} | figures, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
