"""How often the review page's word on what the next 20 labels bring holds the truth.

    python -m benchmarks.review_forecast DATASET [--first 0] [--draws 5] [--csv FILE]

DATASET is audited, and all its labels are known. Labels are asked for 20 at a time, as
`suggest` does, of README's pile without a quarter of its groups, which is scored; the test set stays closed. Each step has what
the page would say, from scans that were drawn at random among the labeled ones, and by how much accuracy on the scored
quarter then grew; that has an error of its own, which counts against the interval.

parts_*: accuracy, cross-validated among all labels given so far, of models that learned from half of what they might, and from
all of it: what a learning curve fitted to these labels would go by.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.suggest import BATCH, Pile, deviation_of, pile_of, readme_scans
from benchmarks.suggest_ways import SHIPPED
from fewscan.choosing.forecast import next_gain
from fewscan.choosing.model import held_out_accuracy, probed, solved
from fewscan.choosing.random_sample import random_order
from fewscan.choosing.scans import Scans, reduced
from fewscan.choosing.suggest import honest_rows
from fewscan.learning.logistic_regression import FOLDS, USUAL_STRENGTH, folds
from fewscan.progress import say

MOST = 340


def right(pile: Pile, labeled: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Return for each of `scored` whether the page's model of `labeled` rows calls it rightly."""
    dataset = pile.dataset
    labels, groups = dataset.labels[labeled], dataset.groups[labeled]
    if len(np.unique(labels)) < 2:
        return np.zeros(len(scored), bool)
    found = solved(pile.features[labeled, :1], labels, groups, dataset.classes, deviation_of(pile), USUAL_STRENGTH)
    called = found.logits(pile.features[scored, 0]).argmax(axis=1)
    return np.asarray(called == dataset.labels[scored])


def by_parts(pile: Pile, labeled: np.ndarray, draw: int) -> dict[str, float]:
    """Return the accuracy among the labels themselves, from half of them and from all."""
    labels, groups = pile.dataset.labels[labeled], pile.dataset.groups[labeled]
    scores: dict[str, list[np.ndarray]] = {"parts_half": [], "parts_all": []}
    for learned, held_out in folds(labels, groups, FOLDS, draw):
        shuffled = np.random.default_rng(draw).permutation(labeled[learned])
        scores["parts_half"].append(right(pile, shuffled[: len(shuffled) // 2], labeled[held_out]))
        scores["parts_all"].append(right(pile, shuffled, labeled[held_out]))
    return {name: float(np.concatenate(parts).mean()) for name, parts in scores.items()}


def steps(pile: Pile, draw: int) -> list[dict[str, Any]]:
    dataset, deviation = pile.dataset, deviation_of(pile)
    open_ = np.zeros(len(dataset.labels), bool)
    open_[pile.rows] = True
    points, labels = reduced(pile.features[:, 0], pile.rows), np.full(len(open_), -1)
    order = np.random.default_rng(draw).permutation(random_order(dataset.groups, open_))
    lines: list[dict[str, Any]] = []
    while (count := int((labels >= 0).sum())) <= MOST:
        scans = Scans(points, dataset.groups, labels, open_ & (labels < 0), np.zeros(len(open_), bool), order)
        if count:
            labeled = np.flatnonzero(labels >= 0)
            line: dict[str, Any] = {"draw": draw, "labels": count, "accuracy": right(pile, labeled, pile.scored).mean()}
            honest = honest_rows(scans)
            now = held_out_accuracy(
                pile.features[:, 0], labels, dataset.groups, dataset.classes, deviation, honest, resamples=400
            )
            said = None if now is None else next_gain(now, count, BATCH)
            line |= by_parts(pile, labeled, draw) | {"honest": len(honest)}
            if said is not None:
                line |= {"said": said.value, "low": said.low, "high": said.high}
            lines.append(line)
        says = probed(pile.features[:, 0], labels, dataset.groups, dataset.classes, deviation)
        rows = SHIPPED["auto"](scans, says, BATCH, draw)
        labels[rows] = dataset.labels[rows]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    dataset, features = readme_scans(arguments.dataset)
    lines: list[dict[str, Any]] = []
    for draw in range(arguments.first, arguments.first + arguments.draws):
        lines += steps(pile_of(dataset, features, "rest", draw), draw)
        table = pd.DataFrame(lines)
        table["grew"] = table.groupby("draw")["accuracy"].shift(-1) - table["accuracy"]
        if arguments.csv:
            table.round(4).to_csv(arguments.csv, index=False)
        say(f"draw {draw}")
    told = table.dropna(subset=["grew", "low"])
    held = (told["grew"] >= told["low"]) & (told["grew"] <= told["high"])
    print(f"held in {int(held.sum())} of {len(told)}")
    print(told.assign(held=held).groupby("labels")[["said", "low", "high", "grew", "held"]].mean().round(3).to_string())
    print("parts:", told[["grew"]].assign(parts=told["parts_all"] - told["parts_half"]).corr().iloc[0, 1].round(2))


if __name__ == "__main__":
    main()
