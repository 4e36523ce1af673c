"""A year of a dataset: labels come, change and are taken back, scans come, splits are drawn; every run stays whole."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import fewscan
from fewscan.evaluation.evaluate import read_predictions
from tests.fixtures import CLASSES, squares

QUICK = {"encoder": {"width": 16}, "batch_size": 64, "epochs": 2, "device": "cpu", "probe_images": 0}


def write_scans(folder: Path, pixels: np.ndarray, labeled: bool) -> None:
    """Scans in a folder for each class, or all in one folder; image k is of class k modulo 4."""
    for number, image in enumerate(pixels[:, 0]):
        place = folder / (CLASSES[number % 4] if labeled else "pile")
        place.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(place / f"{number:05}.png")


@pytest.mark.slow
def test_every_run_of_a_year_evaluates_and_every_number_traces_to_its_snapshot(tmp_path: Path) -> None:
    pixels = squares(300, 16, seed=5)
    write_scans(tmp_path / "labeled", pixels[:150], labeled=True)
    write_scans(tmp_path / "unlabeled", pixels[150:250], labeled=False)
    write_scans(tmp_path / "later", pixels[250:], labeled=False)
    place = tmp_path / "mri"
    dataset = fewscan.import_scans([tmp_path / "labeled"], place, unlabeled=[str(tmp_path / "unlabeled")], size_px=16)
    fewscan.audit(place)
    drawn = fewscan.split(place, labeled=80, test=40)
    first = fewscan.train(place, method="supervised", out=tmp_path / "first", **QUICK)
    scored = fewscan.evaluate(first)
    snapshot = first.open_dataset()

    # Five labels are corrected: two to learn from, two that test, one that is hidden.
    rows = [*drawn.rows("labeled")[:2], *drawn.rows("test")[:2], np.flatnonzero(snapshot.labels >= 0)[-1]]
    truth = [CLASSES[(CLASSES.index(snapshot.manifest["label"].iloc[row]) + 1) % 4] for row in rows]
    dataset.labels.set([int(row) for row in rows], truth, who="reader")
    # Fifty scans come, twenty-five are labeled by a reader, and two of these labels are taken back.
    fewscan.add_scans(place, [tmp_path / "later"])
    dataset = fewscan.open_dataset(place)
    assert dataset.images.rows == 300
    waiting = dataset.snapshot("main").rows("unlabeled")
    waiting = waiting[dataset.snapshot("main").labels[waiting] < 0][:25]
    dataset.labels.set([int(row) for row in waiting], [CLASSES[int(row) % 4] for row in waiting], who="reader")
    for row in waiting[:2]:
        fewscan.undo_labels(place, scan=int(row))
    now = fewscan.open_dataset(place).snapshot("main")
    assert set(waiting[2:]) <= set(now.rows("labeled"))
    assert not set(waiting[:2]) & set(now.rows("labeled"))

    fewscan.split(place, name="second", labeled=100, test=30, seed=3)
    second = fewscan.train(place, split="main", begin=first, out=tmp_path / "second", batch_size=64, epochs=1, device="cpu")
    third = fewscan.train(place, split="second", method="supervised", out=tmp_path / "third", **QUICK)

    assert first.open_dataset().manifest.equals(snapshot.manifest)
    again = fewscan.evaluate(first, overwrite=True)
    assert again.since_training.relabeled == 2
    assert again.images == scored.images
    for run in (first, second, third):
        run = fewscan.open_run(run.folder)
        evaluation = fewscan.evaluate(run, overwrite=True)
        predictions = read_predictions(run)
        assert evaluation.accuracy.value == pytest.approx((predictions["label"] == predictions["predicted"]).mean())
        seen = run.open_dataset()
        # What is scored is scored by today's labels, and nothing of it, or of its group, was ever learned from.
        current = fewscan.open_dataset(place).table()["label"].iloc[predictions["row"]]
        assert predictions["label"].tolist() == current.tolist()
        learned = np.union1d(seen.rows("labeled", "unlabeled"), np.flatnonzero(seen.manifest["taught_before"]))
        assert not np.isin(seen.groups[learned], seen.groups[seen.rows("test")]).any()
        assert fewscan.report(run, overwrite=True).is_file()
        assert fewscan.label(run, out=run.folder / "labels.csv").scans > 0
        assert fewscan.verify(run.folder).faults == []
    assert second.open_dataset().manifest["taught_before"].any()
