"""Tables made of what benchmarks/gpu.sh left: README's, with means, spreads and tests of significance, and the study's.

    python -m benchmarks.gpu.table [FOLDER] [--csv FILE] [--study-csv FILE]

FOLDER holds efficiency.json, efficiency.csv and study.json (docs/results/gpu). Methods are compared over the seeds that both
have; with two methods there is one test for each number of labels, so nothing is to be corrected.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "docs/results/gpu")
    parser.add_argument("--csv", type=Path, help="where README's table goes")
    parser.add_argument("--study-csv", type=Path, help="where the study's goes")
    arguments = parser.parse_args()
    for lines, file in ((table(arguments.folder), arguments.csv), (study_table(arguments.folder), arguments.study_csv)):
        if file:
            lines.to_csv(file, index=False)
        print(lines.to_string(index=False))


if __name__ == "__main__":
    main()
