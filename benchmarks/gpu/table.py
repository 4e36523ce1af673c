"""Tables made of what benchmarks/gpu.sh left: README's, with means, spreads and tests of significance, and the study's.

    python -m benchmarks.gpu.table [FOLDER] [--csv FILE] [--study-csv FILE] [--heads-csv FILE]

FOLDER holds efficiency.json, efficiency.csv, study.json and test_images.csv (docs/results/gpu). Methods are compared over the
seeds that both have; with two methods there is one test for each number of labels, so nothing is to be corrected. The table of
heads scores the same networks on parts of the test set: test_images.csv says of which test images a later, wider audit found a
near-duplicate among the images learned from, and of which `audit --same-head` found a slice of the same head.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewscan.comparison.significance import seeds_p_value

ROOT = Path(__file__).parents[2]
BASELINE = "supervised"
SCORES = ("accuracy", "balanced_accuracy", "auroc")


def hits(predictions: pd.DataFrame, labels: int, method: str) -> pd.DataFrame:
    """Return whether each test image (columns) was called right by the network of each seed (rows)."""
    of_method = predictions[(predictions["labels"] == labels) & (predictions["method"] == method)]
    right = of_method.assign(right=(of_method["label"] == of_method["predicted"]).astype(float))
    return right.pivot_table(index="seed", columns="row", values="right")


def against_baseline(predictions: pd.DataFrame, labels: int, method: str) -> dict[str, Any]:
    """Return the difference to the baseline in points, over the seeds that both have, and its p-value."""
    ours, baseline = (hits(predictions, labels, name) for name in (method, BASELINE))
    seeds = ours.index.intersection(baseline.index)
    first, second = ours.loc[seeds].to_numpy(), baseline.loc[seeds].to_numpy()
    groups = predictions.drop_duplicates("row").set_index("row")["group"].loc[ours.columns].to_numpy()
    p_value = seeds_p_value(first, second, groups)
    return {
        "paired_runs": str(len(seeds)),
        "less_supervised_points": f"{100 * (first.mean() - second.mean()):.2f}",
        "corrected_p_value": f"{p_value:.4f}",
        "verdict": f"{'' if p_value < 0.05 else 'not '}statistically significant",
    }


def table(folder: Path) -> pd.DataFrame:
    runs = pd.DataFrame(json.loads((folder / "efficiency.json").read_text(encoding="utf-8"))["runs"])
    predictions = pd.read_csv(folder / "efficiency.csv")
    lines = []
    for labels in sorted(runs["labels"].unique(), reverse=True):
        for method in (BASELINE, *sorted(set(runs["method"]) - {BASELINE})):
            chosen = runs[(runs["labels"] == labels) & (runs["method"] == method)]
            line: dict[str, Any] = {"labels": labels, "method": method, "runs": len(chosen)}
            for score in SCORES:
                line |= {f"{score}_percent_mean": f"{100 * chosen[score].mean():.2f}"}
                line |= {f"{score}_percent_sd": f"{100 * np.std(chosen[score], ddof=1):.2f}"}
            lines.append(line | ({} if method == BASELINE else against_baseline(predictions, labels, method)))
    return pd.DataFrame(lines)


def study_table(folder: Path) -> pd.DataFrame:
    """Return the study's four numbers of each method, in percent, and how long it trained."""
    runs = pd.DataFrame(json.loads((folder / "study.json").read_text(encoding="utf-8"))["runs"])
    lines = {
        "method": runs["method"],
        "val_p_acc": runs["accuracy"],
        **{name: runs[name] for name in ("c_acc", "p_acc", "r_acc")},
    }
    percent = pd.DataFrame(lines).set_index("method").mul(100).map("{:.2f}".format)
    return percent.assign(training_seconds=runs["training_seconds"].to_numpy()).sort_values("val_p_acc").reset_index()


def heads_table(folder: Path) -> pd.DataFrame:
    """Return accuracy and balanced accuracy, means over seeds in percent, on all test images and on two parts of them."""
    predictions = pd.read_csv(folder / "efficiency.csv").merge(pd.read_csv(folder / "test_images.csv"), on="row")
    duplicated, seen = predictions["near_duplicate_in_training"], predictions["head_in_training"]
    parts = {
        "all": pd.Series(True, predictions.index),
        "no near-duplicate": ~duplicated,
        "no slice of the head": ~duplicated & ~seen,
    }
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
    parser.add_argument("--heads-csv", type=Path, help="where the table of heads goes")
    arguments = parser.parse_args()
    tables = {table: arguments.csv, study_table: arguments.study_csv, heads_table: arguments.heads_csv}
    for make, file in tables.items():
        lines = make(arguments.folder)
        if file:
            lines.to_csv(file, index=False)
        print(lines.to_string(index=False))


if __name__ == "__main__":
    main()
