"""How high `supervised` gets where every image outside the test part is labelled: a hint at what fewer labels can reach.

    python -m benchmarks.ceiling DATASET [--seeds 0 1 2] [--csv FILE] [KEY=VALUE ...]

DATASET is an audited dataset. Its split is that of `fewscan compare DATASET --labels-budget 1235 --test 308 --validation 0`
under leakfree, but that all unlabelled images keep their labels; the test images are the same. The test part is
opened once a seed.
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.scenarios import TEST_IMAGES, with_parts
from fewscan.config import parse_overrides
from fewscan.data.dataset import Dataset
from fewscan.data.splits import split
from fewscan.evaluation.evaluate import evaluate
from fewscan.training.settings import RunSettings
from fewscan.training.train import train_new

LABELS = 1235
# Endings of a score's columns, and the fields of the score that they hold.
ENDS = {"": "value", "_low": "low", "_high": "high"}


def all_labeled(dataset: Dataset) -> Dataset:
    """Return the dataset under README's split of 1,235 labels, with the unlabelled images labelled."""
    drawn = split(dataset, labeled=LABELS, test=TEST_IMAGES, validation=0)
    return with_parts(drawn, drawn.manifest["split"].replace("unlabeled", "labeled"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--csv", type=Path, help="write a line for every seed here")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="as for `fewscan train`")
    arguments = parser.parse_intermixed_args()
    changes = parse_overrides(arguments.settings)

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "dataset"
        place.mkdir()
        dataset = all_labeled(Dataset.open(arguments.dataset).sharing_pixels(place))
        labels = len(dataset.rows("labeled"))
        for seed in arguments.seeds:
            settings = RunSettings.resolve(
                "supervised", "fewscan", {**changes, "seed": seed}, labeled=labels, unlabeled=len(dataset.rows("unlabeled"))
            )
            run = train_new(dataset, settings, Path(folder) / f"run-{seed}")
            scores = evaluate(run, dataset)
            line: dict[str, object] = {"labels": labels, "seed": seed}
            for name in ("accuracy", "balanced_accuracy", "auroc"):
                score = getattr(scores, name)
                line |= {f"{name}_percent{end}": round(100 * getattr(score, value), 2) for end, value in ENDS.items()}
            lines.append(line)
            if arguments.csv:
                pd.DataFrame(lines).to_csv(arguments.csv, index=False)
    print(pd.DataFrame(lines).T.to_string(header=False))


if __name__ == "__main__":
    main()
