"""Why the first labels through the review page bring what they bring: its way to ask and its learner, each exchanged alone.

    python -m benchmarks.review_first DATASET [--draws 5] [--ways suggest page] [--csv FILE]

DATASET is README's, as `benchmarks.suggest` takes it, and scores are of the quarter of the groups that is kept out there,
another one in each draw; the test set stays closed. Asked: as `suggest` does, 20 at a time; or as the page does, which plans
so many scans ahead and anew after every fifth answer, one scan in five of the random sample. Learned: as the page does, from
each scan as it is with the usual strength; or as `--method probe` does, from its mirror image, too, with the strength that
labels choose; or with one of the two.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.suggest import BATCH, Pile, deviation_of, pile_of, readme_scans
from fewscan.choosing.model import probed, solved
from fewscan.choosing.random_sample import random_order
from fewscan.choosing.scans import Scans, reduced
from fewscan.choosing.suggest import RANDOM_SHARE, Suggestion, choose
from fewscan.learning.logistic_regression import USUAL_STRENGTH
from fewscan.progress import say
from fewscan.reviewing.suggestions import LEFT, PLANNED, mixed, planned

BUDGETS = (20, 40, 80)


def scans_of(pile: Pile, points: np.ndarray, order: np.ndarray, labels: np.ndarray) -> Scans:
    open_ = np.zeros(len(labels), bool)
    open_[pile.rows] = True
    return Scans(points, pile.dataset.groups, labels, open_ & (labels < 0), np.zeros(len(labels), bool), order)


class Ahead(NamedTuple):
    """How many scans the page plans ahead, with how many of them left it plans anew, and whether also with the first model."""

    planned: int
    left: int
    at_first_model: bool = False
    keeps: bool = False  # what is left of the plan, and knows what is drawn at random in between: as the page does today


# Before 2026-11-27 the page planned 40, and anew after every fifth answer.
WAYS = {
    "suggest": None,
    "page, 40 planned, 35 left": Ahead(40, 35, True),
    "page, 20 planned, 15 left": Ahead(20, 15, True),
    "page, 10 planned, 5 left": Ahead(10, 5, True),
    "page, 16 planned, 2 left": Ahead(16, 2),
    "page, 16 planned, 4 left": Ahead(16, 4),
    "page, 16 planned, 8 left": Ahead(16, 8),
    "page, 10 planned, 2 left": Ahead(10, 2),
    "page, 24 planned, 8 left": Ahead(24, 8),
    "page": Ahead(PLANNED, LEFT, keeps=True),
}
LEARNERS = {"page": (1, USUAL_STRENGTH), "strength chosen": (1, None), "mirror images": (2, USUAL_STRENGTH), "probe": (2, None)}


def asked(pile: Pile, ahead: Ahead | None, draw: int) -> Iterator[np.ndarray]:
    """Yield (N,) the labels after each budget; None: as `suggest` asks."""
    dataset = pile.dataset
    labels = np.full(len(dataset.labels), -1)
    everything = np.zeros(len(labels), bool)
    everything[pile.rows] = True
    points = reduced(pile.features[:, 0], pile.rows)
    order = np.random.default_rng(draw).permutation(random_order(dataset.groups, everything))
    sample = np.isin(np.arange(len(labels)), order[: min(300, round(RANDOM_SHARE * len(order)))])
    plan = list[Suggestion]()
    blind = True  # made without a model
    while (count := int((labels >= 0).sum())) < BUDGETS[-1]:
        scans = scans_of(pile, points, order, labels)
        left = sum(bool(scans.open[one.row]) for one in plan)
        modeled = len(np.unique(labels[labels >= 0])) > 1
        if ahead is None or left <= ahead.left or (ahead.at_first_model and blind and modeled):
            says = probed(pile.features[:, 0], labels, dataset.groups, dataset.classes, deviation_of(pile))
            if ahead is None:
                plan = choose(scans, BATCH, probabilities=says, seed=draw)
            elif ahead.keeps:
                plan = planned(scans, sample, says, plan)
            else:
                not_drawn = scans._replace(open=scans.open & ~sample)
                plan = choose(not_drawn, ahead.planned, probabilities=says, random_share=0.0, seed=draw)
            blind = says is None
        rows = [one.row for one in plan] if ahead is None else [next(mixed(plan, scans.open, order, sample, count)).row]
        labels[rows] = dataset.labels[rows]
        if int((labels >= 0).sum()) in BUDGETS:
            yield labels.copy()


def accuracy_percent(pile: Pile, labels: np.ndarray, views: int, strength: float | None) -> float:
    rows, dataset = np.flatnonzero(labels >= 0), pile.dataset
    features = pile.features[rows][:, :views]
    found = solved(features, labels[rows], dataset.groups[rows], dataset.classes, deviation_of(pile), strength)
    called = found.logits(pile.features[pile.scored, 0]).argmax(axis=1)
    return 100 * float(np.mean(called == dataset.labels[pile.scored]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first draw")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="to ask")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    dataset, features = readme_scans(arguments.dataset)
    lines = []
    for draw in range(arguments.first, arguments.first + arguments.draws):
        pile = pile_of(dataset, features, "rest", draw)
        for asks in arguments.ways:
            for labels in asked(pile, WAYS[asks], draw):
                line = {"draw": draw, "asked_as": asks, "labels": int((labels >= 0).sum())}
                for learner, (views, strength) in LEARNERS.items():
                    score = round(accuracy_percent(pile, labels, views, strength), 2)
                    lines.append(line | {"learned_as": learner, "accuracy_percent": score})
        say(f"draw {draw} is done")
        table = pd.DataFrame(lines)
        if arguments.csv:
            table.to_csv(arguments.csv, index=False)
    print(table.pivot_table(index=["asked_as", "learned_as"], columns="labels", values="accuracy_percent", sort=False).round(1))


if __name__ == "__main__":
    main()
