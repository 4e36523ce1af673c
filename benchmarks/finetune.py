"""What a training from pretrained weights reaches outside the test set: for choosing settings of the recipe `finetune`.

    python -m benchmarks.finetune DATASET [--labels 124 988] [--draws 0 1 2] [--seeds 0 1] [--scored 2700] [--csv FILE]
        [--recipe finetune] [KEY=VALUE ...]

DATASET is audited. The test images of README's split are left out; of the others whole groups are drawn until there are so many
labels, and up to `--scored` images of the groups that are left are scored, once, at the end. Learns by `supervised`.
"""

import time

import numpy as np
import pandas as pd

from benchmarks.command_line import keep, parsed, training_parser
from benchmarks.in_memory import taught, with_parts
from benchmarks.scenarios import drawn
from fewscan.config import spelled_out
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot

LABELS = 1235  # of README's split, whose test images are left out


def screened(dataset: Snapshot, labels: int, draw: int, scored: int) -> tuple[Snapshot, np.ndarray]:
    """Return the dataset with `labels` labeled images outside the test set and nothing else, and the rows to score."""
    rows = dataset.rows("labeled", "unlabeled")
    rows = rows[dataset.labels[rows] >= 0]
    groups = np.unique(dataset.groups[rows])
    place = np.random.default_rng(draw).permutation(len(groups))
    order = np.argsort(place[np.searchsorted(groups, dataset.groups[rows])], kind="stable")
    learned = rows[order[:labels]]
    rest = rows[~np.isin(dataset.groups[rows], dataset.groups[learned])]
    parts = pd.Series([None] * len(dataset.manifest), dtype=object)
    parts[learned] = "labeled"
    return with_parts(dataset, parts), np.random.default_rng(draw).permutation(rest)[:scored]


def main() -> None:
    parser = training_parser(__doc__, seeds=[0], csv_line="training")
    parser.add_argument("--labels", type=int, nargs="+", default=[124])
    parser.add_argument("--draws", type=int, nargs="+", default=[0])
    parser.add_argument("--scored", type=int, default=2700)
    parser.add_argument("--recipe", default="finetune")
    arguments, changes = parsed(parser)
    dataset = drawn(Dataset.open(arguments.dataset).unsplit(), LABELS)
    lines = pd.read_csv(arguments.csv).to_dict("records") if arguments.csv and arguments.csv.exists() else []
    for labels in arguments.labels:
        for draw in arguments.draws:
            part, rows = screened(dataset, labels, draw, arguments.scored)
            for seed in arguments.seeds:
                began = time.process_time()
                settings = {"probe_images": 0, **changes, "seed": seed}
                run, predictor = taught(part, method="supervised", recipe=arguments.recipe, **settings)
                seconds = time.process_time() - began
                called = predictor.predict(part.pixels, rows).probabilities.argmax(axis=1)
                right = called == dataset.labels[rows]
                line = {
                    "size_px": part.spec.size_px,
                    "labels": labels,
                    "draw": draw,
                    "seed": seed,
                    "recipe": arguments.recipe,
                    "settings": " ".join(spelled_out(changes)),
                    "images_trained": run.settings.images_trained(labels, 0),
                    "scored": len(rows),
                    "accuracy_percent": round(100 * right.mean(), 2),
                    "cpu_seconds": round(seconds),
                }
                keep(lines, line, arguments.csv)


if __name__ == "__main__":
    main()
