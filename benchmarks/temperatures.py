"""Which temperature makes probabilities mean what they say: the likeliest of the called class, or of every image's label?

    python -m benchmarks.temperatures DATASET [--weights FILE] [--draws 5] [--runs RUN ...] [--csv FILE]

DATASET, pile and new scans are those of `benchmarks.propagation`; README's test set stays closed. Of each draw some scans have
labels to learn from, by `probe` and `propagation`; others, of other groups, are held out, and not learned from without a label
either; by so many of these a temperature is fitted, eight times anew. Of each RUN, a trained network, the unlabeled scans whose
labels are known and whose groups it has not learned from are held out by half, five times anew. The calibration error is of 15
bins, and not less what chance adds, of which all temperatures have the same share on the same new scans.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from benchmarks.command_line import keep
from benchmarks.encoder_stages import drawn
from benchmarks.propagation import labeled_features, propagated
from benchmarks.suggest import pile_of, readme_scans
from fewscan.evaluation.calibration import TEMPERATURES, fit_temperature
from fewscan.evaluation.metrics import calibration_error
from fewscan.evaluation.predictor import Predictor
from fewscan.learning.logistic_regression import regression
from fewscan.training.run import Run

LABELS, HELD_OUT, RESAMPLES = (40, 124, 320, 988), (75, 150, 300), 8
Said = tuple[np.ndarray, np.ndarray]  # (N, K) logits, (N,) labels


def likeliest_labels(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature that was taken before: of the least cross-entropy, Guo et al. 2017, with Platt's shares."""
    images, classes = logits.shape
    own = labels[:, None] == np.arange(classes)
    shares = np.where(own, (images + 1) / (images + 2), 1 / (images + 2) / (classes - 1))
    exact = logits.astype(np.float64)
    found = minimize_scalar(
        lambda place: -(shares * log_softmax(exact / np.exp(place), axis=1)).sum(),
        bounds=tuple(np.log(TEMPERATURES)),
        method="bounded",
    )
    return float(np.exp(found.x))


FITS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "none": lambda logits, labels: 1.0,
    "every label": likeliest_labels,
    "called class": fit_temperature,
}


def errors(held_out: Said, new: Said, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield a line for each number of held-out scans: of each fit the mean calibration error on new ones, and cross-entropy."""
    for count in HELD_OUT:
        if count > len(held_out[1]):
            continue
        line: dict[str, Any] = {"held_out": count, "new": len(new[1])}
        some = [random.choice(len(held_out[1]), count, replace=False) for _ in range(RESAMPLES)]
        for name, fit in FITS.items():
            fitted = [softmax(new[0].astype(np.float64) / fit(held_out[0][at], held_out[1][at]), axis=1) for at in some]
            own = [sure[np.arange(len(sure)), new[1]] for sure in fitted]
            line[f"error_percent_{name}"] = round(100 * float(np.mean([calibration_error(each, new[1]) for each in fitted])), 2)
            line[f"cross_entropy_{name}"] = round(float(-np.log(np.maximum(own, 1e-12)).mean()), 4)
        yield line


def solved(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the lines of classifiers that are solved on an encoder's features."""
    dataset, features = readme_scans(arguments.dataset, weights=arguments.weights)
    encoder = "imagenet" if arguments.weights is None else Path(arguments.weights).stem
    for draw in range(arguments.draws):
        whole = pile_of(dataset, features, "rest", draw)
        order = drawn(dataset, whole.rows, draw)
        for count in LABELS:
            held_out = order[count:][: HELD_OUT[-1]]
            others = ~np.isin(dataset.groups[whole.rows], dataset.groups[held_out])
            labeled = labeled_features(whole._replace(rows=whole.rows[others]), order[:count])
            probe = regression(labeled, None, seed=0)
            for method, solution in (("probe", probe), ("propagation", propagated(labeled, probe, draw, {}))):
                said = [(solution.logits(features[rows, 0]), dataset.labels[rows]) for rows in (held_out, whole.scored)]
                known = {"encoder": encoder, "method": method, "labels": count, "draw": draw}
                for line in errors(said[0], said[1], np.random.default_rng(draw)):
                    yield known | line


def trained(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a run's network."""
    run = Run.open(folder)
    dataset = run.open_dataset()
    rows = dataset.rows("unlabeled")
    taught = dataset.groups[dataset.rows("labeled", "validation")]
    rows = rows[(dataset.labels[rows] >= 0) & ~np.isin(dataset.groups[rows], taught)]
    logits, labels, groups = Predictor.of(run).of_rows(dataset, rows).logits, dataset.labels[rows], dataset.groups[rows]
    for draw in range(5):
        random = np.random.default_rng(draw)
        mixed = random.permutation(np.unique(groups))
        half = np.isin(groups, mixed[: len(mixed) // 2])
        known = {"encoder": folder.name, "method": run.settings.method.name, "draw": draw}
        known["labels"] = len(dataset.rows("labeled"))
        for line in errors((logits[half], labels[half]), (logits[~half], labels[~half]), random):
            yield known | line


def main() -> None:
    """Write a line for each classifier and number of held-out scans, and print the means over draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--weights", help="of the encoder; by default ImageNet's")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--runs", type=Path, nargs="*", default=[])
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    lines: list[dict[str, Any]] = []
    for line in (*solved(arguments), *(line for folder in arguments.runs for line in trained(folder))):
        keep(lines, line, arguments.csv)
    found = pd.DataFrame(lines).groupby(["encoder", "method", "labels", "held_out"], sort=False)
    print(found[[f"error_percent_{name}" for name in FITS]].mean().round(1).to_string())


if __name__ == "__main__":
    main()
