"""Of which of README's test images another slice of the head is learned from, as `audit --same-head` says.

    python -m benchmarks.gpu.heads CARRIED --csv docs/results/gpu/test_images.csv

CARRIED is what pack.py made. Learned from are the labeled and the unlabeled images of README's split.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.gpu.datasets import make_all
from benchmarks.gpu.trainings import PARTS, comparisons
from fewscan.datasets.dataset import Dataset


def heads_in_training(scratch: Path) -> pd.DataFrame:
    """Return a line for each test image: its row, and whether a slice of its head is learned from."""
    (comparison, *_) = comparisons(PARTS["efficiency"], scratch, scratch / "drawn", tiny=False)
    split = comparison.dataset("leakfree")
    heads = Dataset.open(scratch / "mri_heads").snapshot().groups
    rows = np.sort(split.rows("test"))
    learned_from = np.isin(heads[rows], heads[split.rows("labeled", "unlabeled")])
    return pd.DataFrame({"row": rows, "head_in_training": learned_from})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("carried", type=Path)
    parser.add_argument("--csv", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_all({"mri", "mri_heads"}, arguments.carried, Path(folder))
        found = heads_in_training(Path(folder))
    found.to_csv(arguments.csv, index=False)
    print(f"{found['head_in_training'].sum()} of {len(found)}")


if __name__ == "__main__":
    main()
