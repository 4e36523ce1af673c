"""Which layers of EfficientNet-Lite0, as ImageNet taught it, tell scans apart by few labels.

    python -m benchmarks.encoder_stages DATASET [--draws 3] [--kept FILE.npz] [--csv FILE]

DATASET and what is scored are those of `benchmarks.suggest --score rest`: the test set stays closed. Labels are drawn, one of a
group; of each layer the mean of every map is taken, and its deviation, each standardized over the pile. Logistic regression, C
0.01, on the 400 main directions of them. --kept: where the features of all layers lie, or are to lie.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from benchmarks.suggest import pile_of, readme_dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.models.efficientnet_lite import EfficientNetLite0
from fewscan.progress import track
from fewscan.training.continuing import asked_encoder, ready_encoder

BUDGETS = (40, 124, 320)
DIRECTIONS = 400
STAGES = tuple(f"stage {number}" for number in range(1, 8))
# Name: layers, and whether the deviation of each map counts beside its mean.
SETS: dict[str, tuple[tuple[str, ...], bool]] = {
    "head": (("head",), False),
    "head, with deviation": (("head",), True),
    "stage 5, with deviation": (STAGES[4:5], True),
    "stages 4 to 6": (STAGES[3:6], False),
    "stages 4 to 6, with deviation": (STAGES[3:6], True),
    "stages 3 to 7, with deviation": (STAGES[2:], True),
    "stages 1 to 7 and head, with deviation": ((*STAGES, "head"), True),
}

Layers = dict[str, np.ndarray]  # (N, C): means of maps, or under "NAME deviation" their deviations


@torch.inference_mode()
def features_of_layers(dataset: Snapshot) -> Layers:
    ready = ready_encoder(asked_encoder(EfficientNetLite0.name), dataset.spec)
    encoder = ready.encoder.eval()
    assert isinstance(encoder, EfficientNetLite0)
    found: dict[str, list[np.ndarray]] = {}
    for start in track(range(0, len(dataset.pixels), 32), "layers"):
        images = torch.from_numpy(np.array(dataset.pixels[start : start + 32])).float() / 255
        maps = encoder.stage_maps(images.contiguous(memory_format=torch.channels_last))
        for name, values in zip((*STAGES, "head"), (*maps, encoder.head(maps[-1])), strict=True):
            found.setdefault(name, []).append(values.mean(dim=(2, 3)).numpy())
            found.setdefault(f"{name} deviation", []).append(values.std(dim=(2, 3), correction=0).numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def drawn(dataset: Snapshot, rows: np.ndarray, draw: int) -> np.ndarray:
    """Return rows in random order, one of each group."""
    random = np.random.default_rng(draw)
    mixed = random.permutation(rows)
    return random.permutation(mixed[np.unique(dataset.groups[mixed], return_index=True)[1]])


def main_directions(layers: Layers, names: list[str], rows: np.ndarray) -> np.ndarray:
    together = np.concatenate([layers[name] for name in names], axis=1)
    together = (together - together[rows].mean(axis=0)) / (together[rows].std(axis=0) + 1e-6)
    # As large as the head's, or a strength would be another one.
    together *= np.sqrt(layers["head"].shape[1] / together.shape[1])
    count = min(DIRECTIONS, together.shape[1])
    return np.asarray(PCA(count, svd_solver="randomized", random_state=0).fit(together[rows]).transform(together))


def scores(dataset: Snapshot, layers: Layers, draw: int) -> list[dict[str, Any]]:
    nothing = np.zeros((len(dataset.labels), 1, 1), np.float32)
    pile = pile_of(dataset, nothing, "rest", draw)
    order = drawn(dataset, pile.rows, draw)
    lines = []
    for name, (of, with_deviation) in SETS.items():
        names = [*of, *(f"{layer} deviation" for layer in of if with_deviation)]
        points = main_directions(layers, names, pile.rows)
        for budget in BUDGETS:
            rows = order[:budget]
            solver = LogisticRegression(C=1e-2, max_iter=1000, class_weight="balanced").fit(points[rows], dataset.labels[rows])
            right = solver.predict(points[pile.scored]) == dataset.labels[pile.scored]
            line = {"layers": name, "features": sum(layers[one].shape[1] for one in names), "draw": draw, "labels": budget}
            lines.append(line | {"scored": len(right), "accuracy_percent": round(100 * float(right.mean()), 2)})
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    dataset = readme_dataset(arguments.dataset)
    if arguments.kept and arguments.kept.exists():
        layers = dict(np.load(arguments.kept))
    else:
        layers = features_of_layers(dataset)
        if arguments.kept:
            np.savez(arguments.kept, allow_pickle=False, **layers)
    table = pd.DataFrame([line for draw in range(arguments.draws) for line in scores(dataset, layers, draw)])
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    print(table.groupby(["layers", "labels"], sort=False)["accuracy_percent"].agg(["mean", "min"]).round(1).to_string())


if __name__ == "__main__":
    main()
