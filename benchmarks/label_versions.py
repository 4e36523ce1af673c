"""What two versions of fewscan take to read scans and to look for near copies, in turns, so that both meet the same load.

    python -m benchmarks.label_versions RUN FOLDER --before OTHER/src [--scans 512] [--out docs/results/label_versions.json]

RUN is a finished run, FOLDER holds scans. Each version has a process of its own, of one thread, and both take turns block by
block; of the seconds of CPU that a block takes in ROUNDS the least counts, and the median. `found_the_same`: whether pixels,
hashes and marks of all blocks are equal.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch

import fewscan
from fewscan.images.listing import list_place
from fewscan.images.readers import Image, read_images
from fewscan.labeling.seen import Seen
from fewscan.training.run import Run

BLOCK = 256
ROUNDS = 5
AFTER = Path(fewscan.__file__).parents[1]


def answer(run: Run, folder: Path, scans: int) -> None:
    """Say how many blocks there are, then for each line `STEP BLOCK` the seconds of CPU and a digest of what was found."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    spec = run.record.spec
    files = [file for file in list_place(folder, spec, follow_links=False) if file.set_aside is None]
    files = [files[place] for place in np.sort(np.random.default_rng(0).permutation(len(files))[:scans])]
    blocks = [files[start : start + BLOCK] for start in range(0, len(files), BLOCK)]
    read = [[image for image in read_images(block, spec, workers=1) if isinstance(image, Image)] for block in blocks]
    seen = Seen(run, run.open_dataset())
    seen.scans(read[0])
    steps: dict[str, Callable[[int], str]] = {
        "reading": lambda block: _digest(list(read_images(blocks[block], spec, workers=1))),
        "near copies": lambda block: repr(seen.scans(read[block])),
    }
    print(json.dumps([len(block) for block in blocks]), flush=True)
    for line in sys.stdin:
        step, block = json.loads(line)
        began = time.process_time()
        found = steps[step](block)
        print(json.dumps([time.process_time() - began, hashlib.sha256(found.encode()).hexdigest()]), flush=True)


def _digest(images: list[object]) -> str:
    return repr([[one.pixels.tobytes(), one.whole.tobytes(), one.pixels_sha256] for one in images if isinstance(one, Image)])


def compared(words: list[str], before: Path, rounds: int = ROUNDS) -> dict[str, object]:
    """Let both versions take turns, and return for each step the milliseconds of CPU a scan of both, and their ratio."""
    called = [sys.executable, "-m", "benchmarks.label_versions", *words, "--answer"]
    versions = [
        subprocess.Popen(
            called,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(source.resolve()), "OMP_NUM_THREADS": "1"},
        )
        for source in (before, AFTER)
    ]

    def told(version: "subprocess.Popen[str]") -> list[object]:
        assert version.stdout is not None
        return list(json.loads(version.stdout.readline()))

    def asked(version: "subprocess.Popen[str]", step: str, block: int) -> list[object]:
        assert version.stdin is not None
        version.stdin.write(json.dumps([step, block]) + "\n")
        version.stdin.flush()
        return told(version)

    sizes, _ = (told(version) for version in versions)
    figures: dict[str, object] = {"scans": sum(int(str(size)) for size in sizes)}
    for step in ("reading", "near copies"):
        seconds = np.zeros((len(versions), rounds, len(sizes)))
        same = True
        for turn in range(rounds):
            for block in range(len(sizes)):
                order = (0, 1) if (turn + block) % 2 else (1, 0)
                answers = {number: asked(versions[number], step, block) for number in order}
                seconds[:, turn, block] = [float(str(answers[number][0])) for number in (0, 1)]
                same &= answers[0][1] == answers[1][1]
        least, middle = seconds.min(axis=1).sum(axis=1), [sum(map(median, one.T.tolist())) for one in seconds]
        before_ms, after_ms = (round(1000 * float(one) / float(str(figures["scans"])), 3) for one in least)
        figures[step] = {
            "before_ms": before_ms,
            "after_ms": after_ms,
            "ratio": round(float(least[1] / least[0]), 3),
            "ratio_of_medians": round(middle[1] / middle[0], 3),
            "found_the_same": same,
        }
    for version in versions:
        version.communicate()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=512)
    parser.add_argument("--before", type=Path, help="the folder src of another checkout")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.answer:
        answer(Run.open(asked.run), asked.folder, asked.scans)
        return
    figures = compared([str(asked.run), str(asked.folder), "--scans", str(asked.scans)], asked.before)
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "load": round(os.getloadavg()[0], 1)}
    text = json.dumps(about | figures, indent=2)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
