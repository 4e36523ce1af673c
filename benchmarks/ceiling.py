"""How high `supervised` gets where every image outside the test set is labeled: a hint at what fewer labels can reach.

    python -m benchmarks.ceiling DATASET [--seeds 0 1 2] [--csv FILE] [KEY=VALUE ...]

DATASET is an audited dataset. Its split is that of `fewscan compare DATASET --labels-budget 1235 --test 308 --validation 0`
under leakfree, but that all unlabeled images keep their labels; the test images are the same. The test set is
opened once a seed.
"""

import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.command_line import parsed, training_parser
from benchmarks.in_memory import trained, with_parts
from benchmarks.scenarios import drawn
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.evaluate import evaluate

LABELS = 1235
# Endings of a score's columns, and the fields of the score that they hold.
ENDS = {"": "value", "_low": "low", "_high": "high"}


def all_labeled(dataset: Snapshot) -> Snapshot:
    """Return the dataset under README's split of 1,235 labels, with the unlabeled images labeled."""
    split_dataset = drawn(dataset, LABELS)
    return with_parts(split_dataset, split_dataset.manifest["split"].replace("unlabeled", "labeled"))


def main() -> None:
    arguments, changes = parsed(training_parser(__doc__, seeds=[0], csv_line="seed"))

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        dataset = all_labeled(Dataset.open(arguments.dataset).unsplit())
        labels = len(dataset.rows("labeled"))
        for seed in arguments.seeds:
            run = trained(dataset, Path(folder) / f"run-{seed}", method="supervised", **{**changes, "seed": seed})
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
