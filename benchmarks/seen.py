"""Which scans `label` knows again: `python -m benchmarks.seen DATASET [--scans FOLDER] [--out FILE.csv]`.

DATASET is the real scans, imported, audited and split. Copies of scans that a run by `supervised` has seen are changed and
asked about; so are scans that it has not seen, and whose copies it has not seen either, as far as the audit knows.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.audit_changes import CHANGES
from benchmarks.measure import SCANS
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.readers import Image as ReadImage
from fewscan.images.readers import fit, fitted
from fewscan.labeling.seen import Seen
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings

NEW = "none: a new scan"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--scans", type=Path, default=SCANS, help="the folder that holds sartaj/ and nickparvar/")
    parser.add_argument("--each", type=int, default=100, help="scans for each change")
    parser.add_argument("--out", type=Path, help="write the figures as CSV")
    arguments = parser.parse_args()
    dataset = Dataset.open(arguments.dataset).snapshot()
    with tempfile.TemporaryDirectory() as folder:
        settings = RunSettings.resolve("supervised", "fewscan", {}, labeled=2, unlabeled=0)
        seen = Seen(Run.create(Path(folder) / "run", settings, dataset, 0), dataset)
    known = np.array([word is not None for word in seen.rows(np.arange(len(dataset.manifest)))])
    random = np.random.default_rng(0)
    usable = random.permutation(dataset.usable)
    lines = []
    for change in [NEW, *CHANGES]:
        rows = usable[known[usable] == (change != NEW)][: arguments.each]
        images = [_changed(dataset, arguments.scans, int(row), change, random) for row in rows]
        began = time.process_time()
        marked = sum(word is not None for word in seen.scans(images))
        cost_ms = 1000 * (time.process_time() - began) / len(rows)
        lines.append({"change": change, "scans": len(rows), "marked": marked, "cpu_ms_a_scan": round(cost_ms, 1)})
    print(json.dumps(lines, indent=1))
    if arguments.out:
        pd.DataFrame(lines).to_csv(arguments.out, index=False)


def _changed(dataset: Snapshot, scans: Path, row: int, change: str, random: np.random.Generator) -> ReadImage:
    """Return a scan as `label` would read its changed file: other bytes, other pixels."""
    line = dataset.manifest.iloc[row]
    image = Image.open(scans / line["source"] / line["path"]).convert("L")
    gray = np.asarray(image if change == NEW else CHANGES[change](image, random))
    whole = fit(gray, dataset.spec.size_px, dataset.spec.resize)
    sizes = {"width_px": gray.shape[1], "height_px": gray.shape[0]}
    return ReadImage(fitted(gray, dataset.spec), whole, sha256="", pixels_sha256="", color=False, **sizes)


if __name__ == "__main__":
    main()
