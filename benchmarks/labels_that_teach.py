"""What held-out labels say of a network where a check of its surest labels gave some of them, and where these do not measure.

    python -m benchmarks.labels_that_teach DATASET [--draws 8] [--labels N ...] [--checked N] [--csv FILE]

DATASET, pile and labels are those of `benchmarks.seen_unlabeled`; README's test set stays closed. `probe`, at its usual
strength, learns from labels drawn at random and labels the rest of the pile; `--checked` of the half of these labels that it is
surest of, drawn at random, get their true label. Then labels are held out in five folds, as `calibrate` does it: all of them
(counted), or the drawn ones alone, the others being learned from in every fold that holds out none of their group (left out).
Beside what they say stands what is true of the pile that has no label, as a classifier that learned from all labels calls it.
"""

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.command_line import keep
from benchmarks.propagation import labeled_features
from benchmarks.seen_unlabeled import ERRORS, FOLDS, as_label_sets_it, judged, labeled_piles, labels_parser
from benchmarks.suggest import Pile
from fewscan.evaluation.held_out import group_folds
from fewscan.learning.logistic_regression import USUAL_STRENGTH, regression


def logits_of(pile: Pile, labeled: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return (N, K) of the rows `asked`, by a classifier that learned from the others."""
    found = regression(labeled_features(pile, labeled), USUAL_STRENGTH, seed=0)
    return np.asarray(found.logits(pile.features[asked, 0]))


def checked_rows(pile: Pile, labeled: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return so many rows of the surer half of the pile's labels, drawn at random."""
    rest = np.setdiff1d(pile.rows, labeled)
    scores, _ = judged(logits_of(pile, labeled, rest), pile.dataset.labels[rest])
    return np.random.default_rng(seed).permutation(rest[scores >= np.median(scores)])[:count]


def held_out(pile: Pile, labeled: np.ndarray, measuring: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return score and correctness of the rows `measuring`, each by a network that learned from nothing of its group."""
    dataset = pile.dataset
    found = np.empty((len(measuring), len(dataset.classes)), np.float32)
    for fold in group_folds(dataset.labels[measuring], dataset.groups[measuring], FOLDS, seed):
        together = dataset.groups[measuring[fold]]
        taught = labeled[~np.isin(dataset.groups[labeled], together)]
        found[fold] = logits_of(pile, taught, measuring[fold])
    return judged(found, dataset.labels[measuring])


def lines_of(pile: Pile, labeled: np.ndarray, checked: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Return a line for each way to hold labels out and error that is asked for."""
    both = np.concatenate([labeled, checked])
    rest = np.setdiff1d(pile.rows, both)
    scores, correct = judged(logits_of(pile, both, rest), pile.dataset.labels[rest])
    lines = []
    for how, measuring in (("counted", both), ("left out", labeled)):
        own = held_out(pile, both, measuring, seed)
        for error in ERRORS:
            accepted = scores >= as_label_sets_it(*own, error)
            lines.append(
                {
                    "checked_labels": how,
                    "error": error,
                    "held_out": len(measuring),
                    "held_out_right": round(float(own[1].mean()), 4),
                    "pile_right": round(float(correct.mean()), 4),
                    "held_out_score_less_right": round(float(own[0].mean() - own[1].mean()), 4),
                    "pile_score_less_right": round(float(scores.mean() - correct.mean()), 4),
                    "accepted": round(float(accepted.mean()), 4),
                    "accepted_wrong": round(float((~correct[accepted]).mean()), 4) if accepted.any() else None,
                }
            )
    return lines


def main() -> None:
    parser = labels_parser(__doc__, draws=8)
    parser.add_argument("--checked", type=int, default=80)
    arguments = parser.parse_args()
    lines: list[dict[str, Any]] = []
    for draw, pile, labeled in labeled_piles(arguments):
        checked = checked_rows(pile, labeled, arguments.checked, draw)
        for line in lines_of(pile, labeled, checked, draw):
            keep(lines, {"draw": draw, "labels": len(labeled), "checked": len(checked)} | line, arguments.csv)
    table = pd.DataFrame(lines)
    table["passed"] = table["accepted_wrong"] > table["error"]
    print(table.groupby(["labels", "error", "checked_labels"], sort=False).mean(numeric_only=True).round(3).to_string())


if __name__ == "__main__":
    main()
