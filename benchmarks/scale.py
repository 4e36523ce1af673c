"""What every verb takes as scans grow in number: `python -m benchmarks.scale --rows 1000 10000 --out docs/results/scale.csv`.

Of so many rows a dataset is written that holds smooth random images, one in ten a copy of another, labeled by their folders;
and for import, add and label a folder of practice scans, 500 drawn ones linked over and over. Each verb is a command in a
process of its own: seconds on the wall and of CPU, peak of resident memory (into which pages of the images' file count, once
they were read), and what the verb left on the disk. Lines are added to the file, so that sizes can be measured one by one.
Without audit among --verbs the split is a random one.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.labels import _again, command, make_dataset
from benchmarks.measure import link_scans
from fewscan.images.stored import Pixels
from fewscan.phantoms import write_practice_scans

SIZE_PX = 32
DRAWN = 500
COARSE = 6  # random values a side, between which an image is smooth
COPIES = 0.1
LABELED, TEST = 300, 100
VERBS = ("import", "add", "audit", "split", "train", "embed", "map", "label")


def smooth_images(size_px: int = SIZE_PX) -> Iterator[Pixels]:
    """Yield images (1, S, S) without end: smooth noise in a frame; one in ten is the one before with another gamma."""
    random = np.random.default_rng(0)
    down, across = np.mgrid[-1 : 1 : size_px * 1j, -1 : 1 : size_px * 1j]
    head = np.clip(6 * (1 - np.hypot(down, across)), 0, 1).astype(np.float32)
    image = np.zeros((size_px, size_px), np.float32)
    first = True
    while True:
        if first or random.random() >= COPIES:
            coarse = random.random((COARSE, COARSE)).astype(np.float32)
            image = np.clip(cv2.resize(coarse, (size_px, size_px), interpolation=cv2.INTER_CUBIC), 0, 1) * head
            first = False
        else:
            image = image ** np.float32(np.exp(random.uniform(-0.4, 0.4)))
        yield np.asarray(255 * image, np.uint8)[None]


def bytes_in(folder: Path) -> int:
    """Return how many bytes a folder's files have."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measured(place: Path, rows: int, verbs: list[str], size_px: int = SIZE_PX) -> Iterator[dict[str, object]]:
    """Yield a line for every verb, in the order in which one needs what the one before left."""
    dataset, run, scans = place / "dataset", place / "run", place / "scans"
    if {"import", "add", "label"} & set(verbs):
        drawn = place / "drawn"
        write_practice_scans(drawn, images=DRAWN, size_px=2 * size_px)
        link_scans(drawn, scans, rows)
        link_scans(drawn, place / "more", rows // 10)
    if set(verbs) - {"import", "add"}:  # the others need those before them, too
        make_dataset(dataset, rows, size_px, smooth_images(size_px))
    drawn_how = [] if "audit" in verbs else ["--protocol", "random"]
    words = {
        "import": ["import", scans, "--out", place / "imported", "--size", size_px, "--crop", "none"],
        "add": ["add", place / "imported", place / "more"],
        "audit": ["audit", dataset],
        "split": ["split", dataset, "--labeled", LABELED, "--test", TEST, *drawn_how],
        "train": ["train", dataset, "--out", run, "--method", "supervised", "epochs=1"],
        "label": ["label", run, scans, "--out", place / "labels.csv", "--exact-copies-only"],
        "embed": ["embed", dataset, "--encoder", run],
        "map": ["map", dataset, "--encoder", run, "--out", place / "map.html"],
    }
    for verb in VERBS:
        if verb not in verbs:
            continue
        called = [sys.executable, "-m", "fewscan", *map(str, words[verb])]
        before = bytes_in(place)
        line = command(verb, partial(_again, called), times=1)
        shown = " ".join(str(word.name if isinstance(word, Path) else word) for word in words[verb])
        yield {
            "verb": verb,
            "rows": rows // 10 if verb == "add" else rows,
            "size_px": size_px,
            "cpu_seconds": line["cpu_seconds"],
            "wall_seconds": line["wall_seconds"],
            "peak_mb": line["peak_mb"],
            "left_mb": round((bytes_in(place) - before) / 1e6, 1),
            "load": round(os.getloadavg()[0], 1),
            "date": datetime.now(UTC).date().isoformat(),
            "command": f"fewscan {shown}",
        }


def exponents(lines: pd.DataFrame) -> pd.DataFrame:
    """Return for each verb and step from one size to the next the exponents of CPU seconds and of memory over rows."""
    newest = lines.drop_duplicates(["verb", "size_px", "rows"], keep="last").sort_values(["verb", "size_px", "rows"])
    found = []
    for (verb, size_px), own in newest.groupby(["verb", "size_px"], sort=False):
        for before, after in zip(own.itertuples(), own.iloc[1:].itertuples(), strict=False):
            grown = np.log(after.rows / before.rows)
            found.append(
                {
                    "verb": verb,
                    "size_px": size_px,
                    "from": before.rows,
                    "to": after.rows,
                    "cpu": round(np.log(after.cpu_seconds / before.cpu_seconds) / grown, 2),
                    "memory": round(np.log(after.peak_mb / before.peak_mb) / grown, 2),
                }
            )
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[])
    parser.add_argument("--size", type=int, default=SIZE_PX, help="side of a dataset's images; files are twice as large")
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=list(VERBS))
    parser.add_argument("--out", type=Path, required=True, help="the CSV that lines are added to")
    parser.add_argument("--work", type=Path, help="where datasets are written, and removed afterwards")
    asked = parser.parse_args()
    for rows in asked.rows:
        place = Path(tempfile.mkdtemp(dir=asked.work))
        for line in measured(place, rows, asked.verbs, asked.size):
            print(line, flush=True)
            pd.DataFrame([line]).to_csv(asked.out, mode="a", header=not asked.out.exists(), index=False)
        shutil.rmtree(place)
    print(exponents(pd.read_csv(asked.out)).to_string(index=False))


if __name__ == "__main__":
    main()
