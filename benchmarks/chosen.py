"""What a training makes of labels that `fewscan suggest` chose, beside logistic regression on features from the same labels.

    python -m benchmarks.chosen DATASET [--score rest|test] [--draws 2] [--budgets 40 124 400] [--recipe finetune]
        [--method supervised] [--csv FILE] [KEY=VALUE ...]

DATASET, the pile and what is scored are those of `benchmarks.suggest`: labels are asked for 20 at a time, as `suggest` asks by
itself, and all else of the pile is unlabeled. `--score test` opens README's test set, once a training.
"""

import time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from benchmarks.command_line import keep, parsed, training_parser
from benchmarks.in_memory import taught, with_parts
from benchmarks.suggest import Pile, accuracy_percent, asked, pile_of, readme_scans
from benchmarks.suggest_ways import SHIPPED
from fewscan.config import spelled_out
from fewscan.datasets.snapshot import Snapshot


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
    lines: list[dict[str, Any]] = []
    for draw in range(arguments.draws):
        pile = pile_of(dataset, features, arguments.score, draw)
        for rows in asked(pile, SHIPPED["auto"], draw, arguments.budgets):
            began = time.process_time()
            part = labeled_alone(pile, rows)
            _, predictor = taught(part, method=arguments.method, recipe=arguments.recipe, **{**changes, "seed": draw})
            seconds = time.process_time() - began
            called = predictor.predict(part.pixels, pile.scored).probabilities.argmax(axis=1)
            labels = dataset.labels[pile.scored]
            line = {
                "scored": arguments.score,
                "draw": draw,
                "labels": len(rows),
                "by_class": " ".join(map(str, np.bincount(dataset.labels[rows], minlength=len(dataset.classes)))),
                "method": arguments.method,
                "recipe": arguments.recipe,
                "settings": " ".join(spelled_out(changes)),
                "accuracy_percent": round(100 * float((called == labels).mean()), 2),
                "balanced_accuracy_percent": round(100 * float(balanced_accuracy_score(labels, called)), 2),
                "probe_accuracy_percent": round(accuracy_percent(pile, rows), 2),
                "cpu_seconds": round(seconds),
            }
            keep(lines, line, arguments.csv)


if __name__ == "__main__":
    main()
