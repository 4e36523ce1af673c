"""What `probe` gains by knowing from all scans how much a feature varies, outside README's test set.

    python -m benchmarks.probe_units DATASET [--labels 988 124 40] [--draws 0 1 2 3 4] [--csv FILE]

DATASET is audited and keeps the features of efficientnet_lite0. README's test set and what is held together with it are
left out; of the rest a leak-free split is drawn for each number of labels and each draw, of which 1,000 images are
scored. One line for each: accuracy where features are standardized by the labeled scans alone, and by the larger of
their deviation and all scans'.
"""

import argparse
import tempfile
from pathlib import Path
from unittest.mock import patch

import pandas as pd

from benchmarks.crop_accuracy import drawn
from benchmarks.in_memory import split_in_memory, trained
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.predictor import Predictor
from fewscan.training import solve

SCORED = 1000


def accuracy(split: Snapshot) -> float:
    """Solve for the classifier, and return how often it is right on the scored images, in percent."""
    rows = split.rows("test")
    with tempfile.TemporaryDirectory() as folder:
        run = trained(split, Path(folder) / "run", method="probe")
        called = Predictor.of(run).of_rows(split, rows).probabilities.argmax(axis=1)
    return round(100 * float((called == split.labels[rows]).mean()), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[988, 124, 40])
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    plain = split_in_memory(Dataset.open(arguments.dataset).unsplit(), labeled=1235, test=308, validation=0)
    lines = []
    for labels in arguments.labels:
        for draw in arguments.draws:
            split = drawn(plain, labels, SCORED, draw)
            with patch.object(solve, "deviation", return_value=None):
                before = accuracy(split)
            line = {"labels": labels, "draw": draw, "scored": SCORED, "by_labeled": before, "by_all": accuracy(split)}
            print(line, flush=True)
            lines.append(line)
    table = pd.DataFrame(lines)
    print(table.groupby("labels", sort=False)[["by_labeled", "by_all"]].agg(["mean", "std"]).round(2))
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)


if __name__ == "__main__":
    main()
