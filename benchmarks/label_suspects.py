"""How many of the wrong labels that were planted in real scans stand first in the list of labels to check?

    python -m benchmarks.label_suspects DATASET WORK [--seed 0] [--folds 3] [--csv FILE]

DATASET: the scans of `sartaj` and `nickparvar`, imported at 64 px and audited; it is copied, and stays as it is. A share of the
labels is made wrong: sets of copies, drawn at random, get one of the other classes, all copies of a scan the same one, since
copies with several labels are in conflict, which the audit says and which leaves them out. Then all labels but those of a tiny
test set are split, a small network is trained, and `labels suspects` lists what to check. Counted is how many of the planted
errors stand in that list before it is as long as a tenth of all labels that were checked. Called again, it goes on in WORK; the
line of a seed is added to the CSV.

The scans have errors of their own, which nobody knows: what stands first and was not planted is not wrong for certain.
"""

import argparse
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER
from fewscan.evaluation.label_suspects import LabelSuspects
from fewscan.training.run import Run

SHARE = 0.05  # of the labels are made wrong
TEST_IMAGES = 8
FIRST = (0.05, 0.1, 0.2)  # shares of the list that are looked at
SETTINGS: dict[str, Any] = {"encoder": {"width": 16}, "training_images": 60_000, "device": "cpu"}


def plant(dataset: Dataset, seed: int) -> dict[int, str]:
    """Make labels wrong until SHARE of the labeled images have a wrong one; return what each row's was."""
    manifest = dataset.unsplit().manifest
    usable = manifest[manifest["label"].notna() & manifest["set_aside"].isna() & ~manifest["conflict"]]
    classes = sorted(usable["label"].unique())
    sets = usable["copy_set"].fillna(-1 - usable.index.to_series()).astype(np.int64)
    random = np.random.default_rng(seed)
    wrong: dict[int, str] = {}
    for one in random.permutation(sets.unique()):
        if len(wrong) >= SHARE * len(usable):
            break
        rows = usable.index[sets == one]
        label = random.choice([name for name in classes if name != usable.loc[rows[0], "label"]])
        wrong |= dict.fromkeys(rows.tolist(), str(label))
    rows = sorted(wrong)
    dataset.labels.set(rows, [wrong[row] for row in rows])
    return dict(zip(rows, usable.loc[rows, "label"], strict=True))


def prepared(dataset: Path, work: Path, seed: int) -> Path:
    """Return the folder of a seed with the dataset, `planted.json` and the finished run."""
    folder = work / f"seed{seed}"
    if not (folder / "planted.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(dataset, folder / "dataset")
        copied = Dataset.open(folder / "dataset")
        truth = plant(copied, seed)
        labels = int((copied.unsplit().manifest["label"].notna() & ~copied.unsplit().manifest["conflict"]).sum())
        api.split(copied, labeled=labels - TEST_IMAGES - 4, test=TEST_IMAGES, seed=seed)
        (folder / "planted.json").write_text(json.dumps(truth))
    run = folder / "run"
    api.train(folder / "dataset", out=run, method="supervised", resume=run.exists(), seed=seed, **SETTINGS)
    return folder


def measured(found: LabelSuspects, checked: set[int], truth: dict[int, str]) -> dict[str, Any]:
    """Return what was found of the planted errors among the rows checked; truth: the labels of the planted before."""
    planted = checked & truth.keys()
    row, predicted = found.table["row"], found.table["predicted"]
    listed = row.isin(planted).to_numpy()
    right = int((predicted == row.map(truth)).sum()) + len(checked) - len(row) - len(planted - set(row))

    def within(share: float) -> float:
        return round(100 * float(listed[: round(share * len(checked))].sum()) / len(planted), 1)

    return {
        "labels_checked": len(checked),
        "planted": len(planted),
        "contradicted": len(row),
        "planted_contradicted_percent": round(100 * float(listed.sum()) / len(planted), 1),
        **{f"planted_in_first_{100 * share:.0f}_percent": within(share) for share in FIRST},
        "predicted_as_before_planting_percent": round(100 * right / len(checked), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    asked = parser.parse_args()
    folder = prepared(asked.dataset, asked.work, asked.seed)
    truth = {int(row): label for row, label in json.loads((folder / "planted.json").read_text()).items()}
    found = api.label_suspects(folder / "run", out=folder / "labels_to_check.csv", folds=asked.folds, overwrite=True)
    run = Run.open(folder / "run")
    checked = set(run.open_dataset().rows("labeled", "validation").tolist())
    seconds = sum(Run.open(fold).training_seconds for fold in (run.folder, *(run.folder / FOLDS_FOLDER).iterdir()))
    line = {"seed": asked.seed, "folds": asked.folds, **measured(found, checked, truth)}
    line |= {"training_minutes": round(seconds / 60, 1), "date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": run.record.machine}
    print(json.dumps(line))
    if asked.csv is not None:
        table = pd.DataFrame([line])
        if asked.csv.exists():
            table = pd.concat([pd.read_csv(asked.csv).query("seed != @asked.seed"), table]).sort_values("seed")
        table.to_csv(asked.csv, index=False)


if __name__ == "__main__":
    main()
