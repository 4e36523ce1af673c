"""What it is worth to crop scans before they are made small: accuracy on scans as they are, and on copies that were changed.

    python -m benchmarks.crop_accuracy PLAIN CROPPED [--labels 988] [--test 2000] [--seeds 0] [--csv FILE] [KEY=VALUE ...]

PLAIN is an audited dataset with a split, CROPPED the same sources imported with --crop foreground, in the same order. The test
set of PLAIN's newest split is left out. Of all other scans a leak-free split is drawn with each seed; the same scans teach and
are scored in both datasets, by `supervised`. The scored scans are read again from their files for the changes of
`benchmarks/corrupted.py`, and become pixels as the run's dataset says. One line for each dataset, seed and change.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.command_line import parsed, training_parser
from benchmarks.corrupted import CORRUPTIONS
from benchmarks.in_memory import split_in_memory, trained, with_labels
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.predictor import Predictor
from fewscan.images.readers import fitted, read_image
from fewscan.progress import say, track

UNCHANGED = "none"


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


def scored(dataset: Snapshot, predictor: Predictor) -> dict[str, tuple[float, float, float]]:
    """Return for every change of the scored scans accuracy, balanced accuracy and mean probability of what is predicted."""
    rows = dataset.rows("test")
    labels = dataset.labels[rows]
    folders = {source.name: Path(source.folder) for source in dataset.description.sources}
    places = dataset.manifest.loc[rows, ["source", "path"]].itertuples(index=False)
    originals = [read_image(folders[source] / path).pixels for source, path in places]
    scores = {}
    for name in track((UNCHANGED, *CORRUPTIONS), "changes", total=1 + len(CORRUPTIONS)):
        if name == UNCHANGED:
            pixels = dataset.pixels[rows]
        else:
            random = np.random.default_rng(0)
            pixels = np.stack([fitted(CORRUPTIONS[name](scan, random)[0], dataset.spec) for scan in originals])
        probabilities = predictor.predict(pixels).probabilities
        right = probabilities.argmax(axis=1) == labels
        by_class = [right[labels == label].mean() for label in np.unique(labels)]
        scores[name] = float(right.mean()), float(np.mean(by_class)), float(probabilities.max(axis=1).mean())
    return scores


def main() -> None:
    parser = training_parser(__doc__, seeds=[0], csv_line="dataset, seed and change")
    parser.add_argument("cropped", type=Path)
    parser.add_argument("--labels", type=int, default=988)
    parser.add_argument("--test", type=int, default=2000)
    arguments, changes = parsed(parser)
    lines = []
    for seed in arguments.seeds:
        split = drawn(Dataset.open(arguments.dataset).snapshot(), arguments.labels, arguments.test, seed)
        for dataset in (split, carried(split, Dataset.open(arguments.cropped).unsplit())):
            say(f"{dataset.spec.crop}, seed {seed}: {split.require_split()}")
            with tempfile.TemporaryDirectory() as folder:
                run = trained(dataset, Path(folder) / "run", method="supervised", **{**changes, "seed": seed})
                scores = scored(dataset, Predictor.of(run))
            about = {"labels": len(dataset.rows("labeled")), "scored": len(dataset.rows("test")), "seed": seed}
            for name, (accuracy, balanced, probability) in scores.items():
                line = {"crop": dataset.spec.crop, **about, "images": run.settings.training_images, "change": name}
                figures = {"accuracy": accuracy, "balanced_accuracy": balanced, "mean_probability": probability}
                lines.append(line | {key: round(100 * value, 2) for key, value in figures.items()})
            if arguments.csv:
                pd.DataFrame(lines).to_csv(arguments.csv, index=False)
    print(pd.DataFrame(lines).to_string(index=False))


if __name__ == "__main__":
    main()
