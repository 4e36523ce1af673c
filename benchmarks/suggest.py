"""What labels are worth that `fewscan suggest` chose: the accuracy of logistic regression on features, beside drawn labels.

    python -m benchmarks.suggest DATASET [--score rest|test] [--others] [--encoder NAME] [--draws 5] [--csv FILE]
        [--figure FILE.png]

DATASET is audited, and all its labels are known; features that it does not keep yet are computed first. Under README's split
(1,235 labels, 308 test images) all that is labeled or unlabeled is the pile that is chosen from, without a look at its labels
but those that were asked for, 20 at a time. `--score rest`, by which strategies were chosen, keeps a quarter of the pile's
groups out of it, drawn anew each time, and scores one scan of each; the test set stays closed. `--score test` opens it.

What is labeled is learned from as `--method probe` does, the image and its mirror image, strength by cross-validation; but
features are standardized over the whole pile, not over what is labeled.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from benchmarks.in_memory import split_in_memory
from benchmarks.suggest_ways import OTHERS, SHIPPED, Way
from fewscan.choosing.model import probed, solved
from fewscan.choosing.random_sample import random_order
from fewscan.choosing.scans import Scans, reduced
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.learning.method import VIEWS
from fewscan.models.efficientnet_lite import EfficientNetLite0Middle
from fewscan.progress import say
from fewscan.training.continuing import asked_encoder, ready_encoder
from fewscan.training.features import dataset_features
from fewscan.training.images import usable_device

LABELS, TEST_IMAGES = 1235, 308
BUDGETS = (20, 40, 80, 160, 320)
BATCH = 20
HELD_OUT = 0.25


class Pile(NamedTuple):
    """What is chosen from, and what is scored: rows of the dataset."""

    dataset: Snapshot
    features: np.ndarray  # (N, V, D)
    rows: np.ndarray
    scored: np.ndarray


def pile_of(dataset: Snapshot, features: np.ndarray, score: str, draw: int) -> Pile:
    rows = dataset.rows("labeled", "unlabeled")
    if score == "test":
        return Pile(dataset, features, rows, dataset.rows("test"))
    random = np.random.default_rng(1000 + draw)
    names = np.unique(dataset.groups[rows])
    held_out = np.isin(dataset.groups[rows], random.permutation(names)[: round(HELD_OUT * len(names))])
    others = random.permutation(rows[held_out])
    return Pile(dataset, features, rows[~held_out], others[np.unique(dataset.groups[others], return_index=True)[1]])


def deviation_of(pile: Pile) -> np.ndarray:
    """Return (D,) the deviation of each feature over all that is chosen from."""
    return np.asarray(pile.features[pile.rows, : len(VIEWS)].std(axis=(0, 1)))


def accuracy_percent(pile: Pile, labeled: np.ndarray) -> float:
    """Return the score of what `--method probe` learns of these rows."""
    dataset = pile.dataset
    labels, groups = dataset.labels[labeled], dataset.groups[labeled]
    found = solved(pile.features[labeled], labels, groups, dataset.classes, deviation_of(pile), strength=None)
    called = found.logits(pile.features[pile.scored, 0]).argmax(axis=1)
    return 100 * float(np.mean(called == dataset.labels[pile.scored]))


def asked(pile: Pile, way: Way, draw: int, budgets: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the rows that have a label, at each budget of labels that are asked for as a user of `suggest` would."""
    dataset = pile.dataset
    open_ = np.zeros(len(dataset.labels), bool)
    open_[pile.rows] = True
    points = reduced(pile.features[:, 0], pile.rows)
    labels = np.full(len(open_), -1)
    # The random sample is always the same; here it is drawn anew each time.
    order = np.random.default_rng(draw).permutation(random_order(dataset.groups, open_))
    for budget in sorted(budgets):
        while (left := budget - int((labels >= 0).sum())) > 0:
            scans = Scans(points, dataset.groups, labels, open_ & (labels < 0), np.zeros(len(open_), bool), order)
            says = probed(pile.features[:, 0], labels, dataset.groups, dataset.classes, deviation_of(pile))
            rows = way(scans, says, min(BATCH, left), draw)
            labels[rows] = dataset.labels[rows]
        yield np.flatnonzero(labels >= 0)


def scores(pile: Pile, way: Way, draw: int) -> dict[int, float]:
    """Return the accuracy at each budget."""
    return {len(rows): accuracy_percent(pile, rows) for rows in asked(pile, way, draw, BUDGETS)}


def figure(table: pd.DataFrame, out: Path, labels: str = "labels") -> None:
    """Draw mean and worst draw of every way over the labels, an axis of which `labels` says what it is."""
    drawing, axes = plt.subplots(figsize=(7.5, 4.5))
    for name, lines in table.groupby("choice", sort=False):
        of = lines.groupby("labels")["accuracy_percent"]
        (line,) = axes.plot(of.mean().index, of.mean(), marker="o", label=name)
        axes.plot(of.min().index, of.min(), linestyle=":", linewidth=1, color=line.get_color())
    axes.set_xscale("log")
    axes.set_xticks(BUDGETS, map(str, BUDGETS))
    axes.minorticks_off()
    axes.set(xlabel=labels, ylabel="accuracy in %", title="line: mean of the draws; dots: worst draw")
    axes.grid(alpha=0.3)
    axes.legend()
    drawing.savefig(out, dpi=120, bbox_inches="tight")


def readme_dataset(folder: Path) -> Snapshot:
    """Return README's scans under README's split, in memory."""
    return split_in_memory(Dataset.open(folder).unsplit(), labeled=LABELS, test=TEST_IMAGES, validation=0)


def readme_scans(
    folder: Path,
    encoder: str = EfficientNetLite0Middle.name,
    weights: str | None = None,
    others: tuple[str, ...] = (),
) -> tuple[Snapshot, np.ndarray]:
    """Return README's scans under README's split, in memory, and what an encoder makes of each, as `features_of` has it.

    weights: of the encoder; None for the first that it knows.
    """
    dataset, given = readme_dataset(folder), {} if weights is None else {"weights": weights}
    return dataset, features_of(dataset, encoder, device="cpu", others=others, **given)


def features_of(dataset: Snapshot, encoder: str, *, device: str, others: tuple[str, ...] = (), **changes: Any) -> np.ndarray:
    """Return what an encoder, with `changes` of its settings, makes of each scan, its mirror image and `others` of its views.

    The dataset keeps it.
    """
    ready, rows = ready_encoder(asked_encoder(encoder, **changes), dataset.spec), np.arange(len(dataset.labels))
    kept = dataset_features(dataset.folder, dataset.store, ready, usable_device(device), other_views=others).kept
    return np.concatenate([each.of(rows) for each in kept], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--score", choices=("rest", "test"), default="rest")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--encoder", default=EfficientNetLite0Middle.name)
    parser.add_argument("--others", action="store_true", help="ways that the package does not have")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    dataset, features = readme_scans(arguments.dataset, arguments.encoder)
    ways = OTHERS if arguments.others else SHIPPED
    lines = []
    for draw in range(arguments.draws):
        pile = pile_of(dataset, features, arguments.score, draw)
        for name, way in ways.items():
            for labels, accuracy in scores(pile, way, draw).items():
                line = {"encoder": arguments.encoder, "size_px": dataset.spec.size_px, "scored_on": arguments.score}
                line |= {"scored": len(pile.scored)}
                lines.append(line | {"choice": name, "draw": draw, "labels": labels, "accuracy_percent": round(accuracy, 2)})
        say(f"draw {draw + 1} of {arguments.draws}")
    table = pd.DataFrame(lines)
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)
    if arguments.figure:
        figure(table, arguments.figure)
    print(table.groupby(["choice", "labels"], sort=False)["accuracy_percent"].agg(["mean", "min"]).round(1).to_string())


if __name__ == "__main__":
    main()
