"""How well `fewscan audit --same-head` tells heads apart, held against pairs of real scans that were judged by eye.

python -m benchmarks.heads DATASET [--judged docs/results/same_head_pairs.csv] [--split PLAIN]

DATASET is sartaj and nickparvar at 64 px, audited with --same-head. PLAIN is the same import, audited without it and split
as for README's table: how many of its test images have a slice of their head, no copy, to learn from. The CSV has a row a
pair: `a` and `b` (source/path), what was `judged` (same, different, unsure), and how the pair was `drawn`:

- `row`: at random from all of sartaj's files that follow each other: of these that are of one head, how many are joined?
- `borderline`: files that follow each other, of both sources, whose descriptors are about as alike as the threshold
- `named in a row`: 60 of what an earlier descriptor named of files in a row (a `cosine` of 0.65 by the audit's own)
- `named alike`: what a similarity of 0.8 joins beyond those, wherever files lie; right two times in three, so it was left out
- `left over`: test images of PLAIN that nothing joined then, and what is most alike to them in training; the 50 most alike

Thresholds were chosen on every other pair of the first two drawings, so those in between say how well they do.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot

JUDGED = Path("docs/results/same_head_pairs.csv")


def rates(judged: pd.DataFrame) -> dict[str, Any]:
    """Return what became of judged pairs: of each kind of drawing and each half, how many are joined, by what was judged."""
    halves = np.where(np.arange(len(judged)) % 2, "reported", "chosen on")
    halves[~judged["drawn"].isin(["row", "borderline"])] = "reported"
    table = judged.assign(half=halves).groupby(["half", "drawn", "judged"])["joined"].agg(["sum", "count"])
    return {" / ".join(key): f"{int(joined)} of {int(pairs)} joined" for key, (joined, pairs) in table.iterrows()}


def crossing(heads: Snapshot, plain: Snapshot) -> dict[str, int]:
    """Return how many test images of `plain` have a slice of their head, as `heads` groups them, among what is learned from."""
    known = np.unique(heads.groups[plain.rows("labeled", "unlabeled", "validation")])
    test = plain.rows("test")
    return {"test images": len(test), "with a slice of their head to learn from": int(np.isin(heads.groups[test], known).sum())}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--judged", type=Path, default=JUDGED)
    parser.add_argument("--split", type=Path)
    arguments = parser.parse_args()
    heads = Dataset.open(arguments.dataset).snapshot()
    group = dict(zip(heads.manifest["source"] + "/" + heads.manifest["path"], heads.groups, strict=True))
    judged = pd.read_csv(arguments.judged)
    judged["joined"] = judged["a"].map(group) == judged["b"].map(group)
    sizes = np.sort(np.unique(heads.groups, return_counts=True)[1])[::-1]
    found = {"judged": rates(judged), "groups": len(sizes), "largest": sizes[:10].tolist()}
    if arguments.split:
        found["split"] = crossing(heads, Dataset.open(arguments.split).snapshot())
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
