"""Which views make a network right where scans look processed otherwise: accuracy under every corruption of `fewscan stress`.

    python -m benchmarks.robust_views PLAIN [--shown CROPPED] [--only NAME ...] [--csv FILE] [KEY=VALUE ...]

PLAIN is an audited dataset with README's split. Its test set and what is held together with it are left out; of the rest a
leak-free split is drawn with each seed: so many labels teach, other groups are scored. CROPPED, if given, shows the same scans
otherwise. The scored scans are changed as their files show them, at the middle strength. One line a training and corruption:
accuracy, and the share accepted at an error of 5 % and the share of these that are wrong, where a random half of the scored
scans as they are sets the threshold and the changed copies of the other half are decided on; means over HALVINGS such halves.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from benchmarks.command_line import parsed, training_parser
from benchmarks.crop_accuracy import carried, drawn
from benchmarks.gpu.screen import SCORED
from benchmarks.in_memory import taught
from fewscan.config import merge
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.readers import fitted
from fewscan.labeling.decisions import acceptance_threshold
from fewscan.progress import say, track
from fewscan.stressing.corruption import MIDDLE
from fewscan.stressing.corruptions import CORRUPTIONS
from fewscan.stressing.scans import scans_of
from fewscan.training.recipes import DEFAULT_RECIPE

UNCHANGED = "none"
TARGET_ERROR = 0.05
HALVINGS = 20

CANDIDATES: dict[str, dict[str, float]] = {
    "as they are": {},
    "field": {"field_probability": 0.3},
    "a little field": {"field_probability": 0.15},
    "equalization": {"equalization_probability": 0.3},
    "both": {"field_probability": 0.3, "equalization_probability": 0.3},
    "both in half as many": {"field_probability": 0.15, "equalization_probability": 0.15},
    # As they are by the recipe `finetune`, and without.
    "no lost details": {"detail_loss_probability": 0.0},
    "lost details": {"detail_loss_probability": 0.3},
    "more lost details": {"detail_loss_probability": 0.5},
    "both and inversion": {"field_probability": 0.15, "equalization_probability": 0.15, "inversion_probability": 0.1},
}

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]


def changed(dataset: Snapshot) -> Iterator[tuple[str, Pixels]]:
    """Yield the scored scans as they are and under each corruption, (N, C, S, S)."""
    rows = dataset.rows("test")
    scans = list(scans_of(dataset, rows, stored=False))
    yield UNCHANGED, dataset.pixels[rows]
    for name, corruption in track(CORRUPTIONS.items(), "corruptions", total=len(CORRUPTIONS)):
        copies = (corruption.applied(scan, MIDDLE, int(row)) for scan, row in zip(scans, rows, strict=True))
        yield name, np.stack([fitted(copy, dataset.spec) for copy in copies])


def accepted(plain: Floats, changed: Floats, labels: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return which share of changed scans is accepted, and which of these is wrong; probabilities (N, K) of the same N."""
    found = []
    for halving in range(HALVINGS):
        known, others = np.array_split(np.random.default_rng(halving).permutation(len(labels)), 2)
        sure = plain[known].max(axis=1).astype(np.float32)
        threshold = acceptance_threshold(sure, plain[known].argmax(axis=1) == labels[known], TARGET_ERROR)
        taken = changed[others].max(axis=1) >= (np.inf if threshold is None else threshold)
        found.append((len(others), taken.sum(), (taken & (changed[others].argmax(axis=1) != labels[others])).sum()))
    images, taken_in_all, wrong = np.sum(found, axis=0)
    return float(taken_in_all / images), float(wrong / max(1, taken_in_all))


def scores(probabilities: dict[str, Floats], labels: npt.NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """Yield a line for each kind of copy, from what a network says of all (N, K)."""
    for name, said in probabilities.items():
        called = said.argmax(axis=1)
        balanced = balanced_accuracy_score(labels, called)
        taken, wrong = accepted(probabilities[UNCHANGED], said, labels)
        figures = {"accuracy": (called == labels).mean(), "balanced": balanced, "mean_probability": said.max(axis=1).mean()}
        figures |= {"accepted": taken, "wrong_of_accepted": wrong}
        yield {"corruption": name} | {f"{key}_percent": round(100 * float(value), 2) for key, value in figures.items()}


def said(dataset: Snapshot, copies: dict[str, Pixels], method: str, recipe: str, changes: dict[str, Any]) -> dict[str, Floats]:
    """Train, and return what the network says of every kind of copy."""
    _, predictor = taught(dataset, method=method, recipe=recipe, **changes)
    return {name: predictor.predict(pixels).probabilities for name, pixels in copies.items()}


def main() -> None:
    parser = training_parser(__doc__, seeds=[0], csv_line="training and corruption")
    parser.add_argument("--shown", type=Path, help="the same scans in another dataset, such as cropped")
    parser.add_argument("--only", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--methods", nargs="+", default=["supervised"])
    parser.add_argument("--recipe", default=DEFAULT_RECIPE, help="%(default)s if not given")
    parser.add_argument("--labels", type=int, default=988)
    arguments, changes = parsed(parser)
    lines = []
    for seed in arguments.seeds:
        split = drawn(Dataset.open(arguments.dataset).snapshot(), arguments.labels, SCORED, seed)
        dataset = carried(split, Dataset.open(arguments.shown).unsplit()) if arguments.shown else split
        copies = dict(changed(dataset))
        for name in arguments.only:
            for method in arguments.methods:
                say(f"{name}, {method}, seed {seed}")
                about = {"views": name, "method": method, "crop": dataset.spec.crop, "labels": arguments.labels, "seed": seed}
                asked = merge({"views": CANDIDATES[name], "seed": seed, "probe_images": 0}, changes)
                labels = dataset.labels[dataset.rows("test")]
                lines += [about | line for line in scores(said(dataset, copies, method, arguments.recipe, asked), labels)]
                if arguments.csv:
                    pd.DataFrame(lines).to_csv(arguments.csv, index=False)
    by = ["views", "method"]
    table = pd.DataFrame(lines).pivot_table(index="corruption", columns=by, values="accuracy_percent", sort=False)
    table.loc["mean of corruptions"] = table.drop(index=UNCHANGED).mean()
    print(table.round(1).to_string())


if __name__ == "__main__":
    main()
