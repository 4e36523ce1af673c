"""What does it cost to draw the budget of labels without knowing the classes' shares? (`fewscan split --shares unknown`)

    python -m benchmarks.shares DATASET [--draws 200] [--csv FILE]

DATASET is an audited dataset. Every draw splits it twice from one seed, with known and with unknown shares: the same test
images, other labels. On each, a linear classifier learns the labels: logistic regression on the 50 main components of the
thumbnails (16 x 16, standardized) of all images outside the test part. The same again with a class of which only so many labels
are left as make 5 % of all. The test parts are scored; nothing is chosen by them.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from fewscan.data.dataset import Dataset
from fewscan.data.splits import split
from fewscan.progress import track

BUDGETS = (40, 124, 1235)
TEST_IMAGES = 308
THUMBNAIL_SIDE = 16
COMPONENTS = 50
RARE_SHARE = 0.05


def thumbnails(dataset: Dataset) -> np.ndarray:
    """Return (N, THUMBNAIL_SIDE ** 2) gray values of all images, each standardized."""
    part = dataset.pixels.shape[-1] // THUMBNAIL_SIDE
    blocks = dataset.pixels.mean(axis=1).reshape(-1, THUMBNAIL_SIDE, part, THUMBNAIL_SIDE, part)
    gray = blocks.mean(axis=(2, 4)).reshape(len(blocks), -1)
    return (gray - gray.mean(axis=1, keepdims=True)) / (gray.std(axis=1, keepdims=True) + 1)


def with_a_rare_class(dataset: Dataset, folder: Path) -> Dataset:
    """Return the dataset where the last class has one in 20 of all labels that are known."""
    labels = dataset.manifest["label"].to_numpy(dtype=object).copy()
    theirs = np.flatnonzero(dataset.labels == len(dataset.classes) - 1)
    others = (dataset.labels >= 0).sum() - len(theirs)
    kept = round(RARE_SHARE / (1 - RARE_SHARE) * others)
    labels[np.random.default_rng(0).permutation(theirs)[kept:]] = None
    return dataset.sharing_pixels(folder).updated(dataset.manifest.assign(label=pd.array(labels, dtype="str")))


def draws(dataset: Dataset, labels: int, number: int) -> Iterator[dict[str, object]]:
    gray = thumbnails(dataset)
    for seed in track(range(number), f"{labels} labels", total=number):
        for shares in ("known", "unknown"):
            drawn = split(dataset, labeled=labels, test=TEST_IMAGES, validation=0, seed=seed, shares=shares)
            learned, tested = drawn.rows("labeled"), drawn.rows("test")
            if shares == "known":
                components = PCA(COMPONENTS, random_state=0).fit(gray[np.setdiff1d(drawn.usable, tested)])
                seen = components.transform(gray)
            model = LogisticRegression(max_iter=1000).fit(seen[learned], drawn.labels[learned])
            called = model.predict(seen[tested])
            yield {
                "seed": seed,
                "shares": shares,
                "accuracy": 100 * (called == drawn.labels[tested]).mean(),
                "balanced_accuracy": 100 * balanced_accuracy_score(drawn.labels[tested], called),
                "missing": len(np.unique(drawn.labels[learned])) < len(drawn.classes),
            }


def summary(classes: str, labels: int, table: pd.DataFrame) -> list[dict[str, object]]:
    known, unknown = (table[table["shares"] == shares].set_index("seed") for shares in ("known", "unknown"))
    lines = []
    for shares, drawn in (("known", known), ("unknown", unknown)):
        line: dict[str, object] = {"classes": classes, "labels": labels, "shares": shares, "draws": len(drawn)}
        for score in ("accuracy", "balanced_accuracy"):
            line |= {f"{score}_percent_mean": drawn[score].mean(), f"{score}_percent_sd": drawn[score].std()}
            difference = drawn[score] - known[score]
            half_width = 1.96 * difference.std() / np.sqrt(len(difference))
            line |= {f"{score}_less_known": difference.mean(), f"{score}_less_known_half_width": half_width}
        lines.append(line | {"draws_without_a_class_percent": 100 * drawn["missing"].mean()})
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--csv", type=Path, help="write a line for every budget and kind of draw here")
    arguments = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / name for name in ("as they are", "one of 5 %")}
        for classes, place in places.items():
            place.mkdir()
            opened = Dataset.open(arguments.dataset)
            dataset = opened.sharing_pixels(place) if classes == "as they are" else with_a_rare_class(opened, place)
            for labels in BUDGETS:
                lines += summary(classes, labels, pd.DataFrame(draws(dataset, labels, arguments.draws)))
    table = pd.DataFrame(lines).round(2)
    print(table.T.to_string(header=False))
    if arguments.csv:
        table.to_csv(arguments.csv, index=False)


if __name__ == "__main__":
    main()
