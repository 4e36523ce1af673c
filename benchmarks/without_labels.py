"""What methods that need no labels learn in a short time: `python -m benchmarks.without_labels DATASET [--csv FILE]`.

DATASET is audited and split. Each method learns from what the split leaves to learn from, labels and test set left out, for so
many images. Then the nearest neighbor by its features, of another group, is asked for the label: among the images of the
labeled and the validation part, whose labels nobody has learned. The test set is not looked at.
"""

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import fewscan
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.learnable import without_labels
from fewscan.evaluation.predictor import Predictor
from fewscan.training.probes import leave_group_out_calls
from fewscan.training.run import Run

# What is compared, each by its name: the method, with settings of its own.
CANDIDATES: dict[str, dict[str, Any]] = {
    "simclr": {"method": "simclr"},
    "vicreg": {"method": "vicreg"},
    "barlow_twins": {"method": "barlow_twins"},
    "nnclr": {"method": "nnclr"},
    "vicreg, covariance 1": {"method": {"name": "vicreg", "covariance_weight": 1.0}},
    "vicreg, covariance 1, copies": {"method": {"name": "vicreg", "covariance_weight": 1.0}, "positives": "copies"},
    "simclr, copies": {"method": "simclr", "positives": "copies"},
    "untrained": {"method": "simclr", "optimizer": {"learning_rate": 1e-12}, "training_images": 1},
}
SAID = ("loss", "live_features", "live_projections", "c_acc", "r_acc", "alignment", "uniformity")


def nearest_neighbor_accuracy(run: Run, dataset: Dataset) -> tuple[float, int]:
    """Return how often the nearest image of another group has the same label, in [0, 1], and of how many images."""
    labeled = dataset.snapshot()
    rows = labeled.rows("labeled", "validation")
    features = torch.from_numpy(Predictor.of(run).predict(labeled.pixels, rows).features)
    labels, groups = (torch.from_numpy(numbers[rows]) for numbers in (labeled.labels, labeled.groups))
    calls, found, _ = leave_group_out_calls(features - features.mean(dim=0), labels, groups)
    return float((calls == labels)[found].float().mean()), len(rows)


def main() -> None:
    """Train each candidate and write a line on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--images", type=int, default=30_000, help="through the network, counted as in training_images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(CANDIDATES), choices=list(CANDIDATES))
    parser.add_argument("--csv", type=Path)
    asked = parser.parse_args()
    dataset = Dataset.open(asked.dataset)
    fields = ("candidate", "seed", "training_images", "epochs", "scans", "seconds", "nearest_neighbor", *SAID, "symptoms")
    with asked.csv.open("a", newline="") if asked.csv else sys.stdout as file:
        writer = csv.DictWriter(file, fields)
        if asked.csv is None or not asked.csv.stat().st_size:
            writer.writeheader()
        for name in asked.only:
            with tempfile.TemporaryDirectory() as folder:
                settings = {"training_images": asked.images, "seed": asked.seed, "device": "cpu"} | CANDIDATES[name]
                run = fewscan.train(without_labels(dataset.snapshot()), out=Path(folder) / "run", **settings)
                accuracy, scans = nearest_neighbor_accuracy(run, dataset)
                metrics = run.metrics()
                numbers = {key: metrics[-1][key] for key in SAID}
                said = [symptom["name"] for epoch in metrics for symptom in epoch["symptoms"]]
                told = {"seconds": round(run.training_seconds), "nearest_neighbor": accuracy, "symptoms": json.dumps(said)}
                length = {"training_images": settings["training_images"], "epochs": run.settings.epochs, "scans": scans}
                writer.writerow({"candidate": name, "seed": asked.seed} | length | told | numbers)
                file.flush()


if __name__ == "__main__":
    main()
