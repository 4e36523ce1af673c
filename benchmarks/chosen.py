"""What a training makes of labels that `fewscan suggest` chose, beside logistic regression on features from the same labels.

    python -m benchmarks.chosen DATASET [--score rest|test] [--draws 2] [--budgets 40 124 400] [--recipe finetune]
        [--method supervised] [--csv FILE] [KEY=VALUE ...]

DATASET, the pile and what is scored are those of `benchmarks.suggest`: labels are asked for 20 at a time, as `suggest` asks by
itself, and all else of the pile is unlabeled. `--score test` opens README's test set, once a training.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.command_line import parsed, training_parser
from benchmarks.in_memory import trained, with_parts
from benchmarks.suggest import BATCH, Pile, accuracy_percent, deviation_of, pile_of, readme_scans
from fewscan.choosing.model import probed
from fewscan.choosing.random_sample import random_order
from fewscan.choosing.scans import Scans, reduced
from fewscan.choosing.suggest import choose
from fewscan.config import spelled_out
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.predictor import Predictor


def chosen(pile: Pile, budgets: list[int], draw: int) -> Iterator[np.ndarray]:
    """Yield the rows that have a label, at each budget."""
    dataset = pile.dataset
    open_ = np.zeros(len(dataset.labels), bool)
    open_[pile.rows] = True
    points = reduced(pile.features[:, 0], pile.rows)
    labels = np.full(len(open_), -1)
    order = np.random.default_rng(draw).permutation(random_order(dataset.groups, open_))
    for budget in sorted(budgets):
        while (left := budget - int((labels >= 0).sum())) > 0:
            says = probed(pile.features[:, 0], labels, dataset.groups, dataset.classes, deviation_of(pile))
            scans = Scans(points, dataset.groups, labels, open_ & (labels < 0), np.zeros(len(open_), bool), order)
            rows = [one.row for one in choose(scans, min(BATCH, left), probabilities=says, seed=draw)]
            labels[rows] = dataset.labels[rows]
        yield np.flatnonzero(labels >= 0)


def labeled_alone(pile: Pile, rows: np.ndarray) -> Snapshot:
    """Return the dataset with labels of these rows, and the rest of the pile unlabeled."""
    parts = pd.Series([None] * len(pile.dataset.labels), dtype=object)
    parts[pile.rows] = "unlabeled"
    parts[rows] = "labeled"
    return with_parts(pile.dataset, parts)


def main() -> None:
    """Train at each budget, and write a line for each."""
    parser = training_parser(__doc__, seeds=[0], csv_line="training")
    parser.add_argument("--score", choices=("rest", "test"), default="rest")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--budgets", type=int, nargs="+", default=[40, 124, 400])
    parser.add_argument("--recipe", default="finetune")
    parser.add_argument("--method", default="supervised")
    arguments, changes = parsed(parser)
    dataset, features = readme_scans(arguments.dataset)
    lines = []
    for draw in range(arguments.draws):
        pile = pile_of(dataset, features, arguments.score, draw)
        for rows in chosen(pile, arguments.budgets, draw):
            with tempfile.TemporaryDirectory() as folder:
                began = time.process_time()
                settings = {**changes, "seed": draw}
                part = labeled_alone(pile, rows)
                run = trained(part, Path(folder) / "run", method=arguments.method, recipe=arguments.recipe, **settings)
                seconds = time.process_time() - began
                called = Predictor.of(run).predict(part.pixels, pile.scored).probabilities.argmax(axis=1)
            right = called == dataset.labels[pile.scored]
            by_class = [right[dataset.labels[pile.scored] == label].mean() for label in range(len(dataset.classes))]
            line = {
                "scored": arguments.score,
                "draw": draw,
                "labels": len(rows),
                "by_class": " ".join(map(str, np.bincount(dataset.labels[rows], minlength=len(dataset.classes)))),
                "method": arguments.method,
                "recipe": arguments.recipe,
                "settings": " ".join(spelled_out(changes)),
                "accuracy_percent": round(100 * right.mean(), 2),
                "balanced_accuracy_percent": round(100 * float(np.mean(by_class)), 2),
                "probe_accuracy_percent": round(accuracy_percent(pile, rows), 2),
                "cpu_seconds": round(seconds),
            }
            print(line, flush=True)
            lines.append(line)
            if arguments.csv:
                pd.DataFrame(lines).to_csv(arguments.csv, index=False)


if __name__ == "__main__":
    main()
