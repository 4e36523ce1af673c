"""Which views make a network right where scans look processed otherwise: accuracy under every corruption of `fewscan stress`.

    python -m benchmarks.robust_views PLAIN [--shown CROPPED] [--only NAME ...] [--csv FILE] [KEY=VALUE ...]

PLAIN is an audited dataset with README's split. Its test set and what is held together with it are left out; of the rest a
leak-free split is drawn with each seed: so many labels teach, other groups are scored. CROPPED, if given, shows the same scans
otherwise. The scored scans are changed as their files show them, at the middle strength. One line a training and corruption.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.command_line import parsed, training_parser
from benchmarks.crop_accuracy import carried, drawn
from benchmarks.gpu.screen import SCORED
from benchmarks.in_memory import trained
from fewscan.config import merge
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.predictor import Predictor
from fewscan.images.readers import fitted
from fewscan.progress import say, track
from fewscan.stressing.corruption import MIDDLE
from fewscan.stressing.corruptions import CORRUPTIONS
from fewscan.stressing.scans import scans_of

UNCHANGED = "none"

CANDIDATES: dict[str, dict[str, float]] = {
    "as they are": {},
    "field": {"field_probability": 0.3},
    "equalization": {"equalization_probability": 0.3},
    "both": {"field_probability": 0.3, "equalization_probability": 0.3},
    "both in half as many": {"field_probability": 0.15, "equalization_probability": 0.15},
    "both and inversion": {"field_probability": 0.15, "equalization_probability": 0.15, "inversion_probability": 0.1},
}

Pixels = npt.NDArray[np.uint8]


def changed(dataset: Snapshot) -> Iterator[tuple[str, Pixels]]:
    """Yield the scored scans as they are and under each corruption, (N, C, S, S)."""
    rows = dataset.rows("test")
    scans = list(scans_of(dataset, rows, stored=False))
    yield UNCHANGED, dataset.pixels[rows]
    for name, corruption in track(CORRUPTIONS.items(), "corruptions", total=len(CORRUPTIONS)):
        copies = (corruption.applied(scan, MIDDLE, int(row)) for scan, row in zip(scans, rows, strict=True))
        yield name, np.stack([fitted(copy, dataset.spec) for copy in copies])


def scores(dataset: Snapshot, copies: dict[str, Pixels], method: str, changes: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Train and yield a line for each kind of copy."""
    rows = dataset.rows("test")
    labels = dataset.labels[rows]
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor.of(trained(dataset, Path(folder) / "run", method=method, **changes))
    for name, pixels in copies.items():
        probabilities = predictor.predict(pixels).probabilities
        right = probabilities.argmax(axis=1) == labels
        by_class = [right[labels == label].mean() for label in np.unique(labels)]
        sure = probabilities.max(axis=1).mean()
        figures = {"accuracy": right.mean(), "balanced": np.mean(by_class), "mean_probability": sure}
        yield {"corruption": name} | {f"{key}_percent": round(100 * float(value), 2) for key, value in figures.items()}


def main() -> None:
    parser = training_parser(__doc__, seeds=[0], csv_line="training and corruption")
    parser.add_argument("--shown", type=Path, help="the same scans in another dataset, such as cropped")
    parser.add_argument("--only", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--methods", nargs="+", default=["supervised"])
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
                lines += [about | line for line in scores(dataset, copies, method, asked)]
                if arguments.csv:
                    pd.DataFrame(lines).to_csv(arguments.csv, index=False)
    by = ["views", "method"]
    table = pd.DataFrame(lines).pivot_table(index="corruption", columns=by, values="accuracy_percent", sort=False)
    table.loc["mean of corruptions"] = table.drop(index=UNCHANGED).mean()
    print(table.round(1).to_string())


if __name__ == "__main__":
    main()
