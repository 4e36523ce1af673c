"""How many answers of a reader show what share of a run's labels is wrong, as `fewscan check` asks for them.

    python -m benchmarks.checked_labels DATASET [--draws 8] [--labels N ...] [--suggested] [--weights FILE] [--csv FILE]

DATASET, pile and labels are those of `benchmarks.seen_unlabeled`; README's test set stays closed. `propagation` learns from the
labels and labels the rest of the pile. The labels that are checked are those of which it expects a share of the error that is
to be shown, by probabilities that are calibrated as `calibrate --pile` does it; several such shares are tried. The checks are
drawn anew forty times, and end where the error is shown, or after 300. Beside it: what `label` accepts without a check.
"""

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax

from benchmarks.command_line import keep
from benchmarks.encoder_stages import drawn
from benchmarks.propagation import labeled_features, propagated
from benchmarks.seen_unlabeled import FOLDS, as_label_sets_it
from benchmarks.suggest import Pile, pile_of, readme_scans
from benchmarks.suggest import asked as asked_for
from benchmarks.suggest_ways import SHIPPED
from fewscan.evaluation.calibration import fit_temperature
from fewscan.evaluation.held_out import group_folds
from fewscan.labeling.check import MOST_CHECKS, worth_checking
from fewscan.labeling.wrong_share import most_wrong
from fewscan.learning.logistic_regression import regression

ERRORS = (0.05, 0.1)
EXPECTED = (1 / 3, 2 / 3, 1.0)
CHECKED_AGAIN = 40


def logits_of(pile: Pile, labeled: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    """Return (N, K) of the rows `asked`, by a network that learned from these labels and all other scans of the pile."""
    features = labeled_features(pile, labeled)
    found = propagated(features, regression(features, None, seed=0), seed, {})
    return np.asarray(found.logits(pile.features[asked, 0]))


def held_out_logits(pile: Pile, labeled: np.ndarray, seed: int) -> np.ndarray:
    """Return (M, K) of the labeled rows, each by a network that learned from it without its label."""
    dataset, found = pile.dataset, np.empty((len(labeled), len(pile.dataset.classes)), np.float32)
    for fold in group_folds(dataset.labels[labeled], dataset.groups[labeled], FOLDS, seed):
        found[fold] = logits_of(pile, np.delete(labeled, fold), labeled[fold], seed)
    return found


def answers_until_shown(wrong: np.ndarray, error: float, seed: int) -> int | None:
    """Return how many labels in random order are checked until it is shown that at most a share `error` of all is wrong."""
    order, allowed = np.random.default_rng(seed).permutation(wrong), int(error * len(wrong))
    return next(
        (checks for checks in range(min(MOST_CHECKS, len(wrong)) + 1) if most_wrong(order[:checks], len(wrong)) <= allowed),
        None,
    )


def lines_of(pile: Pile, labeled: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Return a line for each error that is to be shown and share of it that is expected."""
    truth = pile.dataset.labels
    rest = np.setdiff1d(pile.rows, labeled)
    own, logits = held_out_logits(pile, labeled, seed), logits_of(pile, labeled, rest, seed)
    temperature = fit_temperature(own, truth[labeled])
    scores, correct = softmax(logits, axis=1).max(axis=1), logits.argmax(axis=1) == truth[rest]
    surest = softmax(own, axis=1).max(axis=1), own.argmax(axis=1) == truth[labeled]
    calibrated = softmax(logits / temperature, axis=1)
    lines = []
    for error, expected in product(ERRORS, EXPECTED):
        accepted = scores >= as_label_sets_it(*surest, error)
        least = worth_checking(calibrated, error * expected)
        checked = np.zeros(len(rest), bool) if least is None else calibrated.max(axis=1) >= least
        answers = (
            [answers_until_shown(~correct[checked], error, again) for again in range(CHECKED_AGAIN)] if checked.any() else []
        )
        ended = [one for one in answers if one is not None]
        lines.append(
            {
                "error": error,
                "expected_of_it": round(expected, 2),
                "scans": len(rest),
                "right": round(float(correct.mean()), 4),
                "held_out_right": round(float(surest[1].mean()), 4),
                "accepted_by_label": round(float(accepted.mean()), 4),
                "checked_labels": round(float(checked.mean()), 4),
                "of_them_wrong": round(float((~correct[checked]).mean()), 4) if checked.any() else None,
                "shown": round(len(ended) / CHECKED_AGAIN, 3),
                "answers": float(np.median(ended)) if ended else None,
                "answers_most": max(ended) if ended else None,
            }
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--labels", type=int, nargs="+", default=[124, 320])
    parser.add_argument("--suggested", action="store_true", help="labels that `suggest` asks for, not drawn ones")
    parser.add_argument("--weights", help="of the encoder; by default ImageNet's")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dataset, features = readme_scans(arguments.dataset, weights=arguments.weights)
    lines: list[dict[str, Any]] = []
    for draw in range(arguments.draws):
        pile = pile_of(dataset, features, "rest", draw)
        order = drawn(dataset, pile.rows, draw)
        chosen = asked_for(pile, SHIPPED["auto"], draw, arguments.labels) if arguments.suggested else None
        for count in arguments.labels:
            labeled = order[:count] if chosen is None else next(chosen)
            known = {"labels_are": "suggested" if arguments.suggested else "drawn", "draw": draw, "labels": count}
            for line in lines_of(pile, labeled, draw):
                keep(lines, known | line, arguments.csv)
    table = pd.DataFrame(lines).groupby(["labels", "error", "expected_of_it"], sort=False)
    print(table[["accepted_by_label", "checked_labels", "of_them_wrong", "shown", "answers"]].mean().round(3).to_string())


if __name__ == "__main__":
    main()
