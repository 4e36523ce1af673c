"""What does it cost to draw the budget of labels without knowing the classes' shares? (`fewscan split --shares unknown`)

    python -m benchmarks.shares DATASET --csv FILE [--draws 40]

DATASET is an audited dataset. Every draw splits it twice from one seed, with known and with unknown shares: the same test
images, other labels. On each, a linear classifier learns the labels: logistic regression on thumbnails (8 x 8, standardized).
The same again with a class of which only so many labels are left as make 5 % of all. Test sets are scored; nothing is chosen
by them.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from benchmarks.in_memory import split_in_memory, with_labels
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot

LABELS = 40
TEST_IMAGES = 308
THUMBNAIL_SIDE = 8
RARE_SHARE = 0.05


def thumbnails(dataset: Snapshot) -> np.ndarray:
    """Return (N, THUMBNAIL_SIDE ** 2) gray values of all images, each standardized."""
    part = dataset.pixels.shape[-1] // THUMBNAIL_SIDE
    blocks = np.asarray(dataset.pixels).mean(axis=1).reshape(-1, THUMBNAIL_SIDE, part, THUMBNAIL_SIDE, part)
    gray = blocks.mean(axis=(2, 4)).reshape(len(blocks), -1)
    return np.asarray((gray - gray.mean(axis=1, keepdims=True)) / (gray.std(axis=1, keepdims=True) + 1))


def with_a_rare_class(dataset: Snapshot) -> Snapshot:
    """Return the dataset where the last class has one in 20 of all labels that are known."""
    labels = dataset.manifest["label"].to_numpy(dtype=object).copy()
    theirs = np.flatnonzero(dataset.labels == len(dataset.classes) - 1)
    others = (dataset.labels >= 0).sum() - len(theirs)
    kept = round(RARE_SHARE / (1 - RARE_SHARE) * others)
    labels[np.random.default_rng(0).permutation(theirs)[kept:]] = None
    return with_labels(dataset, dataset.manifest.assign(label=pd.array(labels, dtype="str")))


def drawn(dataset: Snapshot, gray: np.ndarray, seed: int) -> Iterator[dict[str, object]]:
    """Yield what comes of known and of unknown shares with one seed."""
    for shares in ("known", "unknown"):
        made = split_in_memory(dataset, labeled=LABELS, test=TEST_IMAGES, validation=0, seed=seed, shares=shares)
        learned, tested = made.rows("labeled"), made.rows("test")
        called = LogisticRegression(max_iter=1000).fit(gray[learned], made.labels[learned]).predict(gray[tested])
        yield {
            "seed": seed,
            "shares": shares,
            "accuracy": 100 * (called == made.labels[tested]).mean(),
            "balanced_accuracy": 100 * balanced_accuracy_score(made.labels[tested], called),
            "classes_without_a_label": len(made.classes) - len(np.unique(made.labels[learned])),
        }


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return means, standard deviations and paired differences with their 95 % half-widths, by kind of classes."""
    lines = []
    for classes, theirs in table.groupby("classes", sort=False):
        known, unknown = (theirs[theirs["shares"] == shares].set_index("seed") for shares in ("known", "unknown"))
        line: dict[str, object] = {"classes": classes, "draws": len(known)}
        for score in ("accuracy", "balanced_accuracy"):
            difference = unknown[score] - known[score]
            line |= {f"{score}_known": known[score].mean(), f"{score}_unknown": unknown[score].mean()}
            line |= {f"{score}_known_sd": known[score].std(), f"{score}_unknown_sd": unknown[score].std()}
            line |= {f"{score}_difference": difference.mean()}
            line |= {f"{score}_half_width": 1.96 * difference.std() / np.sqrt(len(difference))}
        lines.append(line | {"draws_without_a_class": int((unknown["classes_without_a_label"] > 0).sum())})
    return pd.DataFrame(lines).round(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--csv", type=Path, required=True, help="a line for every draw; the same command goes on with it")
    arguments = parser.parse_args()
    lines: list[dict[str, object]] = pd.read_csv(arguments.csv).to_dict("records") if arguments.csv.exists() else []
    done = {(line["classes"], line["seed"]) for line in lines}
    opened = Dataset.open(arguments.dataset).unsplit()
    gray = thumbnails(opened)
    for classes, dataset in (("as they are", opened), ("one of 5 %", with_a_rare_class(opened))):
        for seed in range(arguments.draws):
            if (classes, seed) not in done:
                lines += [{"classes": classes, **line} for line in drawn(dataset, gray, seed)]
                pd.DataFrame(lines).round(2).to_csv(arguments.csv, index=False)
    print(summary(pd.DataFrame(lines)).T.to_string(header=False))


if __name__ == "__main__":
    main()
