"""What label propagation among unlabeled scans is worth over logistic regression on the same features.

    python -m benchmarks.propagation DATASET [--score rest|test] [--draws 5] [--drawn N ...] [--suggested N ...]
        [--encoder NAME] [--weights FILE] [--csv FILE] [method.KEY=VALUE ...]

DATASET, pile and scored scans are those of `benchmarks.suggest`: with `--score rest` README's test set stays closed, a quarter
of the pile's groups is kept out and one scan of each scored. Labels are drawn at random, one of a group, or asked for as
`suggest` asks.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.command_line import keep, parsed
from benchmarks.encoder_stages import drawn
from benchmarks.suggest import Pile, asked, deviation_of, pile_of, readme_scans
from benchmarks.suggest_ways import SHIPPED
from fewscan.choosing.model import alike
from fewscan.config import spelled_out
from fewscan.learning.logistic_regression import regression
from fewscan.learning.method import CHANGED, VIEWS, LabeledFeatures, Solution
from fewscan.learning.propagation import Propagation
from fewscan.models.efficientnet_lite import EfficientNetLite0Middle

DRAWN, SUGGESTED = (20, 40, 124, 320, 988), (20, 40, 80, 160, 320)


def labeled_features(pile: Pile, rows: np.ndarray) -> LabeledFeatures:
    """Return what a method solves on: classes weigh alike, all else of the pile is unlabeled."""
    dataset = pile.dataset
    found = alike(pile.features[rows], dataset.labels[rows], dataset.groups[rows], dataset.classes, deviation_of(pile))
    return found._replace(unlabeled=pile.features[np.setdiff1d(pile.rows, rows)])


def accuracy_percent(pile: Pile, solution: Solution) -> float:
    """Return the score of a classifier on the scored scans as they are."""
    called = solution.logits(pile.features[pile.scored, 0]).argmax(axis=1)
    return round(100 * float(np.mean(called == pile.dataset.labels[pile.scored])), 2)


def propagated(labeled: LabeledFeatures, probe: Solution, seed: int, changes: dict[str, Any]) -> Solution:
    """Return what `propagation` finds that begins as strong as `probe`; `changes` are settings of it."""
    settings = Propagation.settings_type(**{"strength": probe.numbers["strength"], **changes})
    shares = torch.ones(len(labeled.classes)) / len(labeled.classes)
    # A solver does not ask how large the images are.
    return Propagation(settings, labeled.features.shape[2], 64, shares).solve(labeled, seed)


def scores_of(pile: Pile, rows: np.ndarray, seed: int, changes: dict[str, Any]) -> dict[str, float]:
    """Return what both call right where these rows have labels; `changes` are settings of `propagation`."""
    labeled = labeled_features(pile, rows)
    probe = regression(labeled.first_views(len(VIEWS)), None, seed=0)
    began = time.process_time()
    found = propagated(labeled, probe, seed, changes)
    return {
        "probe_percent": accuracy_percent(pile, probe),
        "propagation_percent": accuracy_percent(pile, found),
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def lines_of(
    pile: Pile, draw: int, counts: Sequence[int], suggested: Sequence[int], changes: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield a line for each budget of labels of a draw: so many drawn at random, then so many suggested."""
    order = drawn(pile.dataset, pile.rows, draw)
    chosen = asked(pile, SHIPPED["auto"], draw, suggested)
    for way, budgets in (("drawn", (order[:count] for count in counts)), ("suggested", chosen)):
        for rows in budgets:
            known = {"labels_are": way, "draw": draw, "labels": len(rows), "scored": len(pile.scored)}
            yield known | scores_of(pile, rows, draw, changes)


def main() -> None:
    """Solve by both at each budget, and write a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--score", choices=("rest", "test"), default="rest")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--drawn", type=int, nargs="*", default=list(DRAWN))
    parser.add_argument("--suggested", type=int, nargs="*", default=list(SUGGESTED))
    parser.add_argument("--encoder", default=EfficientNetLite0Middle.name)
    parser.add_argument("--weights", help="of the encoder; by default the first that it knows")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("settings", nargs="*", metavar="method.KEY=VALUE", help="of `propagation`")
    arguments, changes = parsed(parser)
    as_asked = Propagation.settings_type(**changes.get("method", {}))
    others = (CHANGED,) if as_asked.changed_view else ()
    dataset, features = readme_scans(arguments.dataset, arguments.encoder, arguments.weights, others)
    seen_by = arguments.encoder if arguments.weights is None else f"{arguments.encoder} {Path(arguments.weights).stem}"
    known = {"score": arguments.score, "settings": " ".join(spelled_out(changes)), "encoder": seen_by}
    lines: list[dict[str, Any]] = []
    for draw in range(arguments.draws):
        pile = pile_of(dataset, features, arguments.score, draw)
        for line in lines_of(pile, draw, arguments.drawn, arguments.suggested, changes.get("method", {})):
            keep(lines, known | line, arguments.csv)
    table = pd.DataFrame(lines).groupby(["labels_are", "labels"], sort=False)[["probe_percent", "propagation_percent"]]
    print(table.agg(["mean", "min"]).round(1).to_string())


if __name__ == "__main__":
    main()
