"""How sure `propagation` is of scans that it learned from without labels, and how often accepted ones of them are wrong.

    python -m benchmarks.seen_unlabeled DATASET [--score rest|test] [--draws 3] [--labels N ...] [--suggested]
        [--held-out "left out" unlabeled] [--weights FILE] [--csv FILE]

DATASET, pile and new scans are those of `benchmarks.propagation`: with `--score rest` README's test set stays closed. Labels
are drawn at random, one of a group, or with `--suggested` asked for as `suggest` asks. They are held out in turn: `left out`,
where no fold sees a held-out scan or another one of its group; `unlabeled`, where the folds learn from it without its label, as
the network learned from the pile: what `calibrate` does for new scans, and for the pile. Two thresholds: `share`, the lowest
score above which at most that share of the held-out scans is wrong; `label`, the one that `label` sets, which keeps a margin
for chance. Every group counts once.
"""

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax

from benchmarks.command_line import keep
from benchmarks.encoder_stages import drawn
from benchmarks.propagation import labeled_features, propagated
from benchmarks.suggest import Pile, pile_of, readme_scans
from benchmarks.suggest import asked as asked_for
from benchmarks.suggest_ways import SHIPPED
from fewscan.evaluation.held_out import group_folds
from fewscan.labeling.decisions import acceptance_threshold
from fewscan.learning.logistic_regression import regression

FOLDS = 5
ERRORS = (0.05, 0.1)
HELD_OUT = ("left out", "unlabeled")


def labels_parser(description: str | None, *, draws: int) -> argparse.ArgumentParser:
    """Return a parser for what labels `propagation` learns from: draws of README's scans, drawn or suggested, by an encoder."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--draws", type=int, default=draws)
    parser.add_argument("--labels", type=int, nargs="+", default=[124, 320])
    parser.add_argument("--suggested", action="store_true", help="labels that `suggest` asks for, not drawn ones")
    parser.add_argument("--weights", help="of the encoder; by default ImageNet's")
    parser.add_argument("--csv", type=Path)
    return parser


class Labeled(NamedTuple):
    """A draw's pile, and its rows that have a label: drawn at random, one of a group, or asked for as `suggest` asks."""

    draw: int
    pile: Pile
    rows: np.ndarray


def labeled_piles(arguments: argparse.Namespace, score: str = "rest") -> Iterator[Labeled]:
    """Yield each draw with each number of labels that `labels_parser` was told."""
    torch.set_num_threads(1)
    dataset, features = readme_scans(arguments.dataset, weights=arguments.weights)
    for draw in range(arguments.draws):
        pile = pile_of(dataset, features, score, draw)
        for count in arguments.labels:
            if arguments.suggested:
                (rows,) = asked_for(pile, SHIPPED["auto"], draw, [count])
            else:
                rows = drawn(dataset, pile.rows, draw)[:count]
            yield Labeled(draw, pile, rows)


def logits_of(pile: Pile, labeled: np.ndarray, unlabeled: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    """Return (N, K) of the rows `asked`, by a network that learned from the others."""
    features = labeled_features(pile, labeled)._replace(unlabeled=pile.features[unlabeled])
    found = propagated(features, regression(features, None, seed=0), seed, {})
    return np.asarray(found.logits(pile.features[asked, 0]))


def held_out_logits(pile: Pile, labeled: np.ndarray, how: str, seed: int) -> np.ndarray:
    """Return (M, K) of the labeled rows, each by a network that did not learn from its label."""
    dataset = pile.dataset
    found = np.empty((len(labeled), len(dataset.classes)), np.float32)
    for fold in group_folds(dataset.labels[labeled], dataset.groups[labeled], FOLDS, seed):
        unlabeled = np.setdiff1d(pile.rows, np.delete(labeled, fold))
        if how == "left out":
            unlabeled = unlabeled[~np.isin(dataset.groups[unlabeled], dataset.groups[labeled[fold]])]
        found[fold] = logits_of(pile, np.delete(labeled, fold), unlabeled, labeled[fold], seed)
    return found


def judged(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return score and correctness (N,)."""
    probabilities = softmax(logits, axis=1)
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def by_share(scores: np.ndarray, correct: np.ndarray, error: float) -> float:
    """Return the lowest score above which at most a share `error` is wrong; infinity where there is none."""
    order = np.argsort(-scores)
    wrong = np.cumsum(~correct[order]) / np.arange(1, len(order) + 1)
    supported = np.flatnonzero(wrong <= error)
    return float(scores[order][supported[-1]]) if len(supported) else float("inf")


def as_label_sets_it(scores: np.ndarray, correct: np.ndarray, error: float) -> float:
    """Return the threshold of `label`, the run being settled beforehand; infinity where nothing is accepted."""
    found = acceptance_threshold(scores.astype(np.float32), correct, error)
    return float("inf") if found is None else found


THRESHOLDS = {"share": by_share, "label": as_label_sets_it}


def line_of(known: dict[str, Any], groups: np.ndarray, scores: np.ndarray, correct: np.ndarray, least: float) -> dict[str, Any]:
    """Return what is accepted from a score of `least` on, and how much of that is wrong; every group counts once."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1 / counts[inverse]
    accepted = scores >= least
    wrong = np.average(~correct[accepted], weights=weights[accepted]) if accepted.any() else np.nan
    return known | {
        "images": len(scores),
        "mean_score": round(float(np.average(scores, weights=weights)), 4),
        "right": round(float(np.average(correct, weights=weights)), 4),
        "accepted": round(float(np.average(accepted, weights=weights)), 4),
        "accepted_wrong": round(float(wrong), 4),
    }


def main() -> None:
    """Hold labels out in both ways, and write a line for each draw, budget, way, error and kind of scans."""
    parser = labels_parser(__doc__, draws=3)
    parser.add_argument("--score", choices=("rest", "test"), default="rest")
    parser.add_argument("--held-out", choices=HELD_OUT, nargs="+", default=HELD_OUT)
    arguments = parser.parse_args()
    lines: list[dict[str, Any]] = []
    for draw, pile, labeled in labeled_piles(arguments, arguments.score):
        dataset = pile.dataset
        rest = np.setdiff1d(pile.rows, labeled)
        scans = {"seen without labels": rest, "new": pile.scored}
        asked = np.concatenate(list(scans.values()))
        scores, correct = judged(logits_of(pile, labeled, rest, asked, draw), dataset.labels[asked])
        for how in arguments.held_out:
            own = judged(held_out_logits(pile, labeled, how, draw), dataset.labels[labeled])
            for error, rule in product(ERRORS, THRESHOLDS):
                least = THRESHOLDS[rule](*own, error)
                known = {"draw": draw, "labels": len(labeled), "held_out": how, "error": error, "threshold": rule}
                of_labels = line_of(known | {"scans": "held out"}, dataset.groups[labeled], *own, least)
                keep(lines, of_labels, arguments.csv)
                for kind, rows in scans.items():
                    here = np.isin(asked, rows)
                    found = line_of(known | {"scans": kind}, dataset.groups[asked[here]], scores[here], correct[here], least)
                    keep(lines, found, arguments.csv)
    table = pd.DataFrame(lines)
    table["passed"] = table["accepted_wrong"] > table["error"]
    groups = table.groupby(["labels", "error", "held_out", "threshold", "scans"], sort=False)
    print(groups[["mean_score", "right", "accepted", "accepted_wrong", "passed"]].mean().round(3).to_string())


if __name__ == "__main__":
    main()
