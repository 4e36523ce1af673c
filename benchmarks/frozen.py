"""What a frozen encoder's features are worth: logistic regression on them, outside the test set.

    python -m benchmarks.frozen DATASET [--encoder efficientnet_lite0] [--labels 1235 124 40] [--draws 5] [--scored 600]
        [--csv FILE]

DATASET is audited. Of README's split the labeled images are learned from, for fewer labels some of them, drawn anew, and
unlabeled ones, whose labels are known here, are scored; the test set stays closed.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.scenarios import drawn
from fewscan.datasets.dataset import Dataset
from fewscan.learning.views import plain
from fewscan.models.encoder import Encoder
from fewscan.training.continuing import asked_encoder, ready_encoder

LABELS = 1235
BATCH = 32


@torch.no_grad()
def features(encoder: Encoder, pixels: np.ndarray) -> np.ndarray:
    """Return (N, D) features of pixels (N, C, S, S)."""
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's annotations
    parts = [encoder(plain(torch.from_numpy(pixels[at : at + BATCH]))).numpy() for at in range(0, len(pixels), BATCH)]
    return np.concatenate(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--encoder", default="efficientnet_lite0", help="a name, a run's folder or a file of weights")
    parser.add_argument("--labels", type=int, nargs="+", default=[1235, 124, 40])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--scored", type=int, default=600)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    dataset = drawn(Dataset.open(arguments.dataset).unsplit(), LABELS)
    rest = dataset.rows("unlabeled")
    rest = rest[dataset.labels[rest] >= 0]
    scored = np.sort(np.random.default_rng(0).permutation(rest)[: arguments.scored])
    learned = dataset.rows("labeled")
    ready = ready_encoder(asked_encoder(arguments.encoder), dataset.spec)
    known, unknown = (features(ready.encoder, dataset.pixels[rows]) for rows in (learned, scored))
    lines = []
    for labels in arguments.labels:
        for draw in range(1 if labels >= len(learned) else arguments.draws):
            some = np.random.default_rng(draw).permutation(len(learned))[:labels]
            classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
            called = classifier.fit(known[some], dataset.labels[learned][some]).predict(unknown)
            accuracy = 100 * (called == dataset.labels[scored]).mean()
            line = {"encoder": arguments.encoder, "size_px": dataset.spec.size_px, "labels": labels, "draw": draw}
            lines.append(line | {"scored": len(scored), "accuracy_percent": round(accuracy, 2)})
    table = pd.DataFrame(lines)
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    print(table.groupby(["size_px", "labels"], sort=False)["accuracy_percent"].agg(["mean", "std", "size"]).round(1))


if __name__ == "__main__":
    main()
