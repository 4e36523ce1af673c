"""What it is worth to crop scans before they are made small: accuracy on scans as they are, and on copies that were changed.

    python -m benchmarks.crop_accuracy PLAIN --cropped CROPPED [--no-network] [--labels 988] [--csv FILE] [KEY=VALUE ...]

PLAIN is an audited dataset with a split, CROPPED the same sources imported with --crop foreground, in the same order. The test
set of PLAIN's newest split is left out. Of all other scans a leak-free split is drawn with each seed; the same scans teach and
are scored in both datasets, by `supervised`. The scored scans are read again from their files for the changes of
`benchmarks/corrupted.py`, and become pixels as the run's dataset says. One line for each dataset, seed and change.

--no-network: a support vector machine on the first 100 principal components of the pixels, in seconds instead of half an hour.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.command_line import parsed, training_parser
from benchmarks.corrupted import CORRUPTIONS
from benchmarks.in_memory import split_in_memory, taught, with_labels
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.originals import originals
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.readers import fitted
from fewscan.progress import say, track

UNCHANGED = "none"

Pixels = npt.NDArray[np.uint8]
Classifier = Callable[[Pixels], npt.NDArray[np.floating]]  # (N, C, S, S) -> (N, K) probabilities


def drawn(plain: Snapshot, labels: int, test: int, seed: int) -> Snapshot:
    """Return a split of what is neither in the test set nor held together with it."""
    manifest = plain.manifest.copy()
    tested = plain.groups[plain.rows("test")]
    manifest.loc[np.isin(plain.groups, tested), "set_aside"] = "of the test set"
    return split_in_memory(with_labels(plain, manifest.assign(split=None)), labeled=labels, test=test, validation=0, seed=seed)


def carried(split: Snapshot, cropped: Snapshot) -> Snapshot:
    """Return the other dataset under the same split, with the same groups and labels."""
    facts = cropped.manifest
    if not (facts[["path", "source"]] == split.manifest[["path", "source"]]).all(axis=None):
        raise SystemExit("the two datasets do not hold the same scans in the same order")
    return with_labels(cropped, split.manifest).with_split(split.manifest["split"].to_numpy(object), split.require_split())


def by_network(dataset: Snapshot, changes: dict[str, Any]) -> Classifier:
    """Train `supervised` on the labeled part."""
    _, predictor = taught(dataset, method="supervised", **changes)
    return lambda pixels: predictor.predict(pixels).probabilities


def without_network(dataset: Snapshot) -> Classifier:
    """Fit a support vector machine to the labeled part, each image brought to mean 0 and deviation 1."""

    def features(pixels: Pixels) -> npt.NDArray[np.float64]:
        flat = pixels.reshape(len(pixels), -1).astype(np.float64)
        flat -= flat.mean(axis=1, keepdims=True)
        return np.asarray(flat / np.maximum(flat.std(axis=1, keepdims=True), 1e-6))

    rows = dataset.rows("labeled")
    machine = make_pipeline(
        PCA(min(100, len(rows) - 1), random_state=0), StandardScaler(), SVC(C=10, probability=True, random_state=0)
    )
    machine.fit(features(dataset.pixels[rows]), dataset.labels[rows])
    return lambda pixels: np.asarray(machine.predict_proba(features(pixels)))


def scored(dataset: Snapshot, classify: Classifier) -> dict[str, tuple[float, float, float]]:
    """Return for every change of the scored scans accuracy, balanced accuracy and mean probability of what is predicted."""
    rows = dataset.rows("test")
    labels = dataset.labels[rows]
    files = [pixels for _, pixels in originals(dataset, rows) if pixels is not None]
    if len(files) != len(rows):
        raise SystemExit("files that the scans were imported from are gone or others")
    scores = {}
    for name in track((UNCHANGED, *CORRUPTIONS), "changes", total=1 + len(CORRUPTIONS)):
        if name == UNCHANGED:
            pixels = dataset.pixels[rows]
        else:
            random = np.random.default_rng(0)
            pixels = np.stack([fitted(CORRUPTIONS[name](scan, random)[0], dataset.spec) for scan in files])
        probabilities = classify(pixels)
        called = probabilities.argmax(axis=1)
        balanced = float(balanced_accuracy_score(labels, called))
        scores[name] = float((called == labels).mean()), balanced, float(probabilities.max(axis=1).mean())
    return scores


def main() -> None:
    parser = training_parser(__doc__, seeds=[0], csv_line="dataset, seed and change")
    parser.add_argument("--cropped", type=Path, required=True)
    parser.add_argument("--no-network", action="store_true", help="in seconds")
    parser.add_argument("--labels", type=int, default=988)
    parser.add_argument("--test", type=int, default=2000)
    arguments, changes = parsed(parser)
    lines = []
    settings = ", ".join(f"{name}={value}" for name, value in changes.items())
    kind = "pixels, SVM" if arguments.no_network else f"supervised ({settings})" if settings else "supervised"
    for seed in arguments.seeds:
        split = drawn(Dataset.open(arguments.dataset).snapshot(), arguments.labels, arguments.test, seed)
        for dataset in (split, carried(split, Dataset.open(arguments.cropped).unsplit())):
            say(f"{dataset.spec.crop}, seed {seed}: {split.require_split()}")
            classify = without_network(dataset) if arguments.no_network else by_network(dataset, {**changes, "seed": seed})
            scores = scored(dataset, classify)
            about = {"labels": len(dataset.rows("labeled")), "scored": len(dataset.rows("test")), "seed": seed}
            for name, (accuracy, balanced, probability) in scores.items():
                line = {"crop": dataset.spec.crop, "classifier": kind, **about, "change": name}
                figures = {"accuracy": accuracy, "balanced_accuracy": balanced, "mean_probability": probability}
                lines.append(line | {key: round(100 * value, 2) for key, value in figures.items()})
            if arguments.csv:
                pd.DataFrame(lines).to_csv(arguments.csv, index=False)
    print(pd.DataFrame(lines).to_string(index=False))


if __name__ == "__main__":
    main()
