"""Tables made of what benchmarks/gpu.sh left: README's, with means, spreads and tests of significance, and the study's.

    python -m benchmarks.gpu.table [FOLDER] [--csv FILE] [--study-csv FILE] [--study-pairs-csv FILE] [--heads-csv FILE]

FOLDER (docs/results/gpu) holds efficiency, efficiency_later (further seeds, run on another day), adapted, propagated and
finetuned_224 where they were run, study, study_supervised and study_128, each .json and .csv, and test_images.csv. Methods are
compared over the seeds that both have, p-values corrected for the methods that are held against the baseline with so many
labels. The table of heads scores the same networks on parts of the test set: test_images.csv (heads.py makes it) says of which
test images `audit --same-head` found a slice of the same head among the images learned from.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewscan.comparison.significance import holm, seeds_p_value

ROOT = Path(__file__).parents[2]
BASELINE = "supervised"
STUDY_LABELS = 1235
SCORES = ("accuracy", "balanced_accuracy", "auroc")


def hits(predictions: pd.DataFrame, labels: int, method: str) -> pd.DataFrame:
    """Return whether each test image (columns) was called right by the network of each seed (rows)."""
    of_method = predictions[(predictions["labels"] == labels) & (predictions["method"] == method)]
    right = of_method.assign(right=(of_method["label"] == of_method["predicted"]).astype(float))
    return right.pivot_table(index="seed", columns="row", values="right")


def against_baseline(predictions: pd.DataFrame, labels: int, methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return each method's difference to the baseline in points, over the seeds that both have; p-values corrected for all."""
    found = {}
    for method in methods:
        ours, baseline = (hits(predictions, labels, name) for name in (method, BASELINE))
        seeds = ours.index.intersection(baseline.index)
        first, second = ours.loc[seeds].to_numpy(), baseline.loc[seeds].to_numpy()
        groups = predictions.drop_duplicates("row").set_index("row")["group"].loc[ours.columns].to_numpy()
        found[method] = len(seeds), 100 * (first.mean() - second.mean()), seeds_p_value(first, second, groups)
    corrected = holm([p_value for *_, p_value in found.values()])
    return {
        method: {
            "paired_runs": str(seeds),
            "less_supervised_points": f"{points:.2f}",
            "corrected_p_value": f"{p_value:.4f}",
            "verdict": f"{'' if p_value < 0.05 else 'not '}statistically significant",
        }
        for (method, (seeds, points, _)), p_value in zip(found.items(), corrected, strict=True)
    }


# README's rows: what a part calls `supervised` is another way of learning where another recipe makes it one.
ADAPTED = "simclr, then finetune"
FINETUNED = "finetune"
ADAPTED_PROPAGATION = "simclr, then propagation"
PARTS: dict[str, dict[str, str]] = {
    "efficiency": {},
    "efficiency_later": {},
    "propagated": {},
    "propagated_first": {"propagation": ADAPTED_PROPAGATION},
    "adapted": {BASELINE: ADAPTED},
    "finetuned_224": {BASELINE: FINETUNED},
}


def scored(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the trainings of README's table and their predictions, of those of its parts that were run."""
    runs, predictions = [], []
    for part, called in PARTS.items():
        if (folder / f"{part}.json").exists():
            of_part = json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))["runs"]
            runs.append(pd.DataFrame(of_part).replace({"method": called}))
            predictions.append(pd.read_csv(folder / f"{part}.csv").replace({"method": called}))
    return pd.concat(runs), pd.concat(predictions)


def table(folder: Path) -> pd.DataFrame:
    runs, predictions = scored(folder)
    lines = []
    for labels in sorted(runs["labels"].unique(), reverse=True):
        others = sorted(set(runs.loc[runs["labels"] == labels, "method"]) - {BASELINE})
        against = against_baseline(predictions, labels, others)
        for method in (BASELINE, *others):
            chosen = runs[(runs["labels"] == labels) & (runs["method"] == method)]
            line: dict[str, Any] = {"labels": labels, "method": method, "runs": len(chosen)}
            for score in SCORES:
                line |= {f"{score}_percent_mean": f"{100 * chosen[score].mean():.2f}"}
                line |= {f"{score}_percent_sd": f"{100 * np.std(chosen[score], ddof=1):.2f}"}
            lines.append(line | against.get(method, {}))
    return pd.DataFrame(lines)


# The study does not give its batch: 512 is the recipe's (64 for `supervised`), 128 what its r_acc of 1/128 hints at.
STUDIES = {512: ("study", "study_supervised"), 128: ("study_128",)}


def study_table(folder: Path) -> pd.DataFrame:
    """Return the study's four numbers of each method, in percent, and how long it trained, for both readings of its batch."""
    lines = []
    for batch, names in STUDIES.items():
        runs = [run for name in names for run in json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["runs"]]
        for run in sorted(runs, key=lambda each: each["accuracy"]):
            numbers = {"val_p_acc": run["accuracy"], **{name: run[name] for name in ("c_acc", "p_acc", "r_acc")}}
            percent = {name: f"{100 * value:.2f}" for name, value in numbers.items()}
            lines.append({"batch": batch, "method": run["method"], **percent, "training_seconds": run["training_seconds"]})
    return pd.DataFrame(lines)


def study_pairs(folder: Path) -> pd.DataFrame:
    """Return how every two networks differ, for both readings of the batch; p-values are corrected for a reading's ten."""
    lines = []
    for batch, names in STUDIES.items():
        predictions = pd.concat([pd.read_csv(folder / f"{name}.csv") for name in names])
        # The files are of two machines, and groups are named by what an audit found: the latest file's are taken.
        groups = pd.read_csv(folder / "study_128.csv").drop_duplicates("row").set_index("row")["group"]
        right = {method: hits(predictions, STUDY_LABELS, method) for method in sorted(set(predictions["method"]))}
        found = []
        for first, second in combinations(right, 2):
            of_groups = groups.loc[right[first].columns].to_numpy()
            p_value = seeds_p_value(right[first].to_numpy(), right[second].to_numpy(), of_groups)
            found.append((first, second, 100 * (right[first].mean(axis=None) - right[second].mean(axis=None)), p_value))
        for (first, second, points, _), p_value in zip(found, holm([pair[3] for pair in found]), strict=True):
            pair = {"batch": batch, "first": first, "second": second, "first_less_second_points": f"{points:.2f}"}
            lines.append(pair | {"corrected_p_value": f"{p_value:.4f}"})
    return pd.DataFrame(lines)


def heads_table(folder: Path) -> pd.DataFrame:
    """Return accuracy and balanced accuracy, means over seeds in percent, on all test images and on a part of them."""
    predictions = scored(folder)[1].merge(pd.read_csv(folder / "test_images.csv"), on="row")
    seen = predictions["head_in_training"]
    parts = {"all": pd.Series(True, predictions.index), "no slice of the head": ~seen}
    lines = []
    for name, chosen in parts.items():
        of_part = predictions[chosen].assign(right=lambda table: (table["label"] == table["predicted"]).astype(float))
        for (labels, method), runs in of_part.groupby(["labels", "method"], sort=False):
            accuracy = runs.groupby("seed")["right"].mean()
            balanced = runs.groupby(["seed", "label"])["right"].mean().groupby("seed").mean()
            line = {"learned_from": name, "test_images": runs["row"].nunique(), "labels": labels, "method": method}
            line |= {"accuracy_percent": f"{100 * accuracy.mean():.1f}", "balanced_percent": f"{100 * balanced.mean():.1f}"}
            lines.append(line)
    return pd.DataFrame(lines).sort_values(["test_images", "labels", "method"], ascending=[False, False, False])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "docs/results/gpu")
    parser.add_argument("--csv", type=Path, help="where README's table goes")
    parser.add_argument("--study-csv", type=Path, help="where the study's goes")
    parser.add_argument("--study-pairs-csv", type=Path, help="where the differences between the study's go")
    parser.add_argument("--heads-csv", type=Path, help="where the table of heads goes")
    arguments = parser.parse_args()
    tables = {table: arguments.csv, study_table: arguments.study_csv}
    tables |= {study_pairs: arguments.study_pairs_csv, heads_table: arguments.heads_csv}
    for make, file in tables.items():
        lines = make(arguments.folder)
        if file:
            lines.to_csv(file, index=False)
        print(lines.to_string(index=False))


if __name__ == "__main__":
    main()
