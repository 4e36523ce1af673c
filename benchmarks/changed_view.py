"""What `propagation` gains by being shown each scan also as it may come from elsewhere: on scans as they are, and changed ones.

    python -m benchmarks.changed_view DATASET [--labels N ...] [--draws 3] [--images 300] [--encoder NAME] [--weights FILE]
        [--csv FILE]

DATASET, pile and scored scans are those of `benchmarks.suggest --score rest`: README's test set stays closed, a quarter of the
pile's groups is kept out, one scan of each, so many of them, scored. These are scored as they are, and under every corruption
of `fewscan stress` at its middle strength, made of the pixels that the dataset stores. Labels are drawn at random, one a group.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.command_line import keep
from benchmarks.encoder_stages import drawn
from benchmarks.propagation import labeled_features, propagated
from benchmarks.suggest import Pile, features_of, pile_of, readme_dataset
from fewscan.images.readers import fitted
from fewscan.learning.logistic_regression import regression
from fewscan.learning.method import CHANGED, VIEWS, Solution
from fewscan.models.efficientnet_lite import EfficientNetLite0Middle
from fewscan.models.passes import passes_of
from fewscan.stressing.corruption import MIDDLE
from fewscan.stressing.corruptions import CORRUPTIONS
from fewscan.training.continuing import ReadyEncoder, asked_encoder, ready_encoder
from fewscan.training.encoding import Encoding
from fewscan.training.features import BATCH
from fewscan.training.images import usable_device

UNCHANGED = "none"


def corrupted(pile: Pile, ready: ReadyEncoder) -> dict[str, np.ndarray]:
    """Return the features (N, D) of the scored scans as they are, and under each corruption."""
    dataset, cpu = pile.dataset, usable_device("cpu")
    spec, count = dataset.spec, len(pile.scored) * len(CORRUPTIONS)
    encode = Encoding(ready.encoder, cpu, passes_of(ready.encoder, spec, cpu, count), VIEWS[:1])
    found = {UNCHANGED: pile.features[pile.scored, 0]}
    for name, corruption in CORRUPTIONS.items():
        scans = [np.moveaxis(dataset.pixels[row], 0, -1).squeeze() for row in pile.scored]
        changed = np.stack(
            [fitted(corruption.applied(scan, MIDDLE, int(row)), spec) for scan, row in zip(scans, pile.scored, strict=True)]
        )
        batches = [encode(changed[start : start + BATCH])[:, 0] for start in range(0, len(changed), BATCH)]
        found[name] = np.concatenate(batches)
    return found


def accuracies(solution: Solution, shown: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, float]:
    """Return the share of scans that are called right, in percent, under each corruption."""
    return {
        name: round(100 * float(np.mean(solution.logits(features).argmax(axis=1) == labels)), 2)
        for name, features in shown.items()
    }


def lines_of(pile: Pile, draw: int, budgets: list[int], shown: dict[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Yield a line for each budget and way to learn: `probe`, and `propagation` without the changed view and with it."""
    order, labels = drawn(pile.dataset, pile.rows, draw), pile.dataset.labels[pile.scored]
    for count in budgets:
        labeled = labeled_features(pile, order[:count])
        as_it_is = labeled.first_views(len(VIEWS))
        assert labeled.unlabeled is not None
        as_it_is = as_it_is._replace(unlabeled=labeled.unlabeled[:, : len(VIEWS)])
        probe = regression(as_it_is, None, seed=0)
        ways = {
            "probe": probe,
            "propagation, as it is": propagated(as_it_is, probe, draw, {}),
            "propagation, changed, too": propagated(labeled, probe, draw, {}),
        }
        for way, solution in ways.items():
            known = {"draw": draw, "labels": count, "scored": len(labels), "way": way}
            yield known | accuracies(solution, shown, labels)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return by budget and way the mean accuracy, the mean share of it that is kept, and the least under one corruption."""
    means = table.groupby(["labels", "way"], sort=False)[[UNCHANGED, *CORRUPTIONS]].mean()
    kept = 100 * means[list(CORRUPTIONS)].div(means[UNCHANGED], axis=0)
    worst = kept.idxmin(axis=1)
    return (
        pd.DataFrame({"unchanged": means[UNCHANGED], "kept": kept.mean(axis=1), "least": kept.min(axis=1)})
        .round(1)
        .assign(under=worst)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--labels", type=int, nargs="*", default=[40, 124, 988])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--encoder", default=EfficientNetLite0Middle.name)
    parser.add_argument("--weights", help="of the encoder; by default the first that it knows")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    changes = {} if arguments.weights is None else {"weights": arguments.weights}
    dataset = readme_dataset(arguments.dataset)
    ready = ready_encoder(asked_encoder(arguments.encoder, **changes), dataset.spec)
    features = features_of(dataset, arguments.encoder, device="cpu", others=(CHANGED,), **changes)
    lines: list[dict[str, Any]] = []
    for draw in range(arguments.draws):
        pile = pile_of(dataset, features, "rest", draw)
        scored = np.random.default_rng(draw).permutation(pile.scored)[: arguments.images]
        pile = pile._replace(scored=np.sort(scored))
        shown = corrupted(pile, ready)
        for line in lines_of(pile, draw, arguments.labels, shown):
            keep(lines, line, arguments.csv)
    print(summary(pd.DataFrame(lines)).to_string())


if __name__ == "__main__":
    main()
