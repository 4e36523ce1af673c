"""An audit of very many images, in as many sittings as it takes.

`python -m benchmarks.audit_of_many FOLDER --like DATASET --images 1000000 --out docs/results/audit_of_many.csv` writes into the
folder, unless it is there, a dataset of scans and of bent and copied ones as `benchmarks.audit --growth` has them, and audits
it by `fewscan audit`. Stopped by Ctrl-C, or killed, the same command goes on. A line is kept for every sitting: its seconds by
the clock and of CPU, and its peak of resident memory, into which pages of the images' file count once they were read. Where the
audit has come to its end, a line is added to --out: the sums, and how many of the copies were found.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.audit import many
from benchmarks.labels import make_dataset
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.pairs import components, ends

LOOKED_EVERY_S = 10
TICKS = os.sysconf("SC_CLK_TCK")
COPY_OF, SITTINGS = "copy_of.npy", "sittings.csv"


def written(folder: Path, like: Path, images: int) -> None:
    """Write the dataset, whole or not at all, and whose copy each image is."""
    if (folder / COPY_OF).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scans = Dataset.open(like).snapshot()
    pixels, copy_of = many(scans.whole[scans.usable], images, folder / "pixels.npy")
    make_dataset(folder / "dataset", images, pixels.shape[-1], iter(pixels))
    (folder / "pixels.npy").unlink()
    np.save(folder / COPY_OF, copy_of)


def spent(process: int) -> dict[str, float]:
    """Return a process's seconds of CPU and its peak of resident memory so far; Linux alone says them."""
    # The name, in parentheses, may hold spaces.
    after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    cpu = sum(int(ticks) for ticks in after_name[11:13]) / TICKS
    return {"cpu_seconds": cpu, "peak_mb": int(status["VmHWM"].split()[0]) * 1024 / 1e6}


def sit(folder: Path) -> bool:
    """Audit until it ends or is stopped; return whether the audit is whole."""
    before = pd.read_csv(folder / SITTINGS) if (folder / SITTINGS).exists() else pd.DataFrame()
    process = subprocess.Popen([sys.executable, "-m", "fewscan", "audit", str(folder / "dataset")])
    # Ctrl-C goes to both by itself.
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    began, date = time.monotonic(), datetime.now(UTC).isoformat(timespec="minutes")
    while process.poll() is None:
        try:
            line = {"began": date, "wall_seconds": time.monotonic() - began, **spent(process.pid), "load": os.getloadavg()[1]}
        except (FileNotFoundError, ProcessLookupError, KeyError):
            break  # it has just ended
        pd.concat([before, pd.DataFrame([line])]).round(1).to_csv(folder / SITTINGS, index=False)
        time.sleep(LOOKED_EVERY_S)
    return process.wait() == 0


def found(folder: Path) -> dict[str, object]:
    """Return what all sittings took, and what was found."""
    dataset, copy_of = Dataset.open(folder / "dataset"), np.load(folder / COPY_OF)
    sittings = pd.read_csv(folder / SITTINGS)
    sets = components(len(copy_of), ends(dataset.pairs))
    copies = np.flatnonzero(copy_of >= 0)
    return {
        "images": len(copy_of),
        "size_px": dataset.images.spec.size_px,
        "sittings": len(sittings),
        "wall_seconds": round(sittings["wall_seconds"].sum()),
        "cpu_seconds": round(sittings["cpu_seconds"].sum()),
        "peak_mb": round(sittings["peak_mb"].max()),
        "pairs": len(dataset.pairs),
        "copies": len(copies),
        "copies_found": int((sets[copies] == sets[copy_of[copies]]).sum()),
        "largest_set": int(np.bincount(sets).max()),
        "cores": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the dataset is, or is written")
    parser.add_argument("--like", type=Path, required=True, help="a dataset whose scans are bent and copied")
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the CSV that a line is added to")
    asked = parser.parse_args()
    written(asked.folder, asked.like, asked.images)
    if not sit(asked.folder):
        sys.exit("stopped: the same command goes on")
    line = found(asked.folder)
    print(line)
    pd.DataFrame([line]).to_csv(asked.out, mode="a", header=not asked.out.exists(), index=False)


if __name__ == "__main__":
    main()
