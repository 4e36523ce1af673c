"""Whether heat maps hit the tumor, on practice scans, whose tumors' places are known; and whether hiding them matters.

    python -m benchmarks.evidence runs/demo/supervised [--scans 200] [--json]

The run is one of `fewscan demo`, whose practice scans are drawn again to learn where the tumors are. Unlabeled scans are
looked at, so the sealed test set stays closed: of those with a tumor that are called rightly, `--scans` drawn at random. A
hit is a map whose largest value lies in the tumor's box; chance is the box's share of the scan.
"""

import argparse
import hashlib
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.explaining.attribution import heat_map
from fewscan.explaining.hiding import hiding_check, top_tenth, untrained_predictor
from fewscan.phantoms import PracticeScan, write_practice_scans
from fewscan.progress import track
from fewscan.training.run import Run


def drawn_again(dataset: Snapshot) -> list[PracticeScan]:
    """Return what is true of every row of a dataset of practice scans; raises FewscanError where they are other scans."""
    with tempfile.TemporaryDirectory() as name:
        written = write_practice_scans(Path(name) / "scans", images=len(dataset.manifest))
        digests = {scan.path: hashlib.sha256((written.folder / scan.path).read_bytes()).hexdigest() for scan in written.scans}
    manifest = dataset.manifest
    if any(digests.get(path) != sha256 for path, sha256 in zip(manifest["path"], manifest["sha256"], strict=True)):
        raise FewscanError("the run's dataset is not of today's practice scans: make one with 'fewscan demo'")
    truth = {scan.path: scan for scan in written.scans}
    return [truth[path] for path in manifest["path"]]


def box_mask(scan: PracticeScan, width_px: int, height_px: int, size_px: int) -> np.ndarray:
    """Return (size_px, size_px), true in the tumor's box; width_px, height_px: of the file, whose pixels the box is in."""
    assert scan.tumor_box_px is not None
    left, top, right, bottom = scan.tumor_box_px
    mask = np.zeros((size_px, size_px), dtype=np.bool_)
    rows = slice(int(top * size_px / height_px), int(np.ceil(bottom * size_px / height_px)))
    mask[rows, int(left * size_px / width_px) : int(np.ceil(right * size_px / width_px))] = True
    return mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    dataset = run.open_dataset()
    truth = drawn_again(dataset)
    predictor = Predictor.of(run)
    rows = dataset.rows("unlabeled")
    calls = predictor.predict(dataset.pixels, rows).probabilities.argmax(axis=1)
    right = [
        truth[row].tumor_box_px is not None and truth[row].label == dataset.classes[call]
        for row, call in zip(rows, calls, strict=True)
    ]
    chosen = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(right))[: arguments.scans])
    hits, inside, chance = [], [], []
    began = time.perf_counter()
    for place in track(chosen, "explain", total=len(chosen)):
        row = rows[place]
        file = dataset.manifest.iloc[row]
        box = box_mask(truth[row], int(file["width_px"]), int(file["height_px"]), run.record.spec.size_px)
        found = heat_map(predictor, dataset.pixels[row], int(calls[place]))
        hits.append(box.flat[found.argmax()])
        inside.append(box[top_tenth(found)].mean())
        chance.append(box.mean())
    seconds = time.perf_counter() - began
    shown = rows[chosen]
    untrained = untrained_predictor(run, predictor.device)
    hiding = hiding_check(predictor, untrained, dataset.pixels, shown, dataset.labels[shown], dataset.groups[shown])
    figures = {
        "scans": len(chosen),
        "hits_percent": round(100 * float(np.mean(hits)), 1),
        "hits_by_chance_percent": round(100 * float(np.mean(chance)), 1),
        "top_tenth_in_box_percent": round(100 * float(np.mean(inside)), 1),
        "top_tenth_in_box_at_best_percent": round(100 * float(np.mean(np.minimum(1, np.array(chance) / 0.1))), 1),
        "seconds_a_map": round(seconds / len(chosen), 2),
        "hiding": hiding.model_dump(),
    }
    if arguments.json:
        print(json.dumps(figures))
        return
    print("  ".join(f"{key} {value}" for key, value in figures.items() if key != "hiding"))
    print(hiding.verdict)
    for name, fallen in (("network", hiding.network), ("untrained", hiding.untrained)):
        falls = f"{fallen.map_drop.points} by the map, {fallen.searched_drop.points} by as long a search"
        print(f"{name}: probability falls by {falls}; difference {fallen.difference.points}")


if __name__ == "__main__":
    main()
