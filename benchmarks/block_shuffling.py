"""Does shuffling by blocks cost accuracy: `python -m benchmarks.block_shuffling --csv docs/results/block_shuffling.csv`.

Practice scans lie in the file class after class, as folders have them: the worst order for blocks, as classes are not balanced.
The same training is made with all images shuffled; and by blocks, in a window of a tenth of the images that holds 64 blocks, as
fewscan has it, or 9; and, to show that the benchmark can see harm, in windows of one block, so that nearly every batch is of
one class. Each seed has a split of its own, and is scored on the test set of that.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import fewscan
from benchmarks.in_memory import split_in_memory, trained
from fewscan.auditing.audit import audit
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.predictor import Predictor
from fewscan.phantoms import write_practice_scans
from fewscan.training import shuffling

IMAGES, SIZE_PX = 2400, 32
LABELED, TEST = 1400, 900
# Images of a window, and blocks in it.
WINDOWS = {"all images": (None, 0), "a tenth": (144, shuffling.LEAST_BLOCKS), "few blocks": (144, 9), "one block": (200, 1)}


def accuracy(dataset: Snapshot, seed: int, window: int | None, blocks: int, epochs: int) -> float:
    """Train by `supervised`, and return the share of right calls on the test set."""
    shuffling.LEAST_BLOCKS = blocks
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {
            "epochs": epochs,
            "seed": seed,
            "shuffle_buffer": window,
            "probe_images": 0,
            "batch_size": 64,
            "class_balance": 0.0,
        }
        run = trained(dataset, Path(folder) / "run", method="supervised", **settings)
        rows = dataset.rows("test")
        called = Predictor.of(run).predict(dataset.pixels, rows).probabilities.argmax(axis=1)
    return float(np.mean(called == dataset.labels[rows]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--csv", type=Path, required=True)
    asked = parser.parse_args()
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_practice_scans(folder / "scans", images=IMAGES, size_px=SIZE_PX)
        audit(fewscan.import_scans(folder / "scans", folder / "dataset", size_px=SIZE_PX, crop="none"))
        whole = Dataset.open(folder / "dataset").snapshot()
        for seed in asked.seeds:
            dataset = split_in_memory(whole, labeled=LABELED, test=TEST, validation=0, seed=seed)
            for name, (images, blocks) in WINDOWS.items():
                right = accuracy(dataset, seed, images, blocks, asked.epochs)
                about = {"images": images or LABELED, "blocks": blocks, "tested": TEST, "epochs": asked.epochs}
                lines.append({"window": name, "seed": seed, **about, "accuracy": round(right, 4)})
                print(lines[-1], flush=True)
                pd.DataFrame(lines).to_csv(asked.csv, index=False)
    by_seed = pd.DataFrame(lines).pivot_table(index="seed", columns="window", values="accuracy")
    print(by_seed.describe().loc[["mean", "std"]].round(4).to_string())
    for name in list(WINDOWS)[1:]:
        lost = by_seed["all images"] - by_seed[name]
        print(f"lost by {name}, seed by seed: {lost.mean():.4f} +- {lost.std() / len(lost) ** 0.5:.4f}")


if __name__ == "__main__":
    main()
