from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from fewscan.data.dataset import Dataset
from fewscan.data.splits import split
from fewscan.errors import FewscanError
from fewscan.evaluation.predictor import Predictor
from fewscan.labeling.label import label_folder, label_unlabeled
from fewscan.training.fit import fit
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    return split(make_dataset(300), labeled=160, test=40, validation=0.5)


@pytest.fixture
def run(dataset: Dataset, tmp_path: Path) -> Run:
    quick = {
        "encoder": {"width": 16},
        "batch_size": 16,
        "epochs": 15,
        "device": "cpu",
        "views": {"minimum_crop": 0.9, "flip_probability": 0},
    }
    settings = RunSettings.resolve("supervised", "fewscan", quick, labeled=80, unlabeled=100)
    made = Run.create(tmp_path / "run", settings, dataset, 0)
    fit(made, dataset, resume=False)
    return made


def test_the_unlabelled_rest_gets_labels_and_decisions(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    summary = label_unlabeled(run, dataset, out, target_error=0.1)
    table = pd.read_csv(out)
    rows = dataset.rows("unlabeled")
    assert len(table) == summary.scans == len(rows)
    assert list(table.columns) == ["path", "label", *(f"probability_{name}" for name in dataset.classes), "decision", "reason"]
    probabilities = table[[f"probability_{name}" for name in dataset.classes]].to_numpy()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert [dataset.classes[k] for k in probabilities.argmax(axis=1)] == table["label"].tolist()
    assert summary.threshold is not None
    accepted = table["decision"] == "accept"
    assert (accepted == (probabilities.max(axis=1) >= summary.threshold - 1e-6)).all()
    assert (accepted.sum(), (table["decision"] == "review").sum()) == (summary.accepted, summary.review)
    truth = [dataset.classes[k] for k in dataset.labels[rows]]
    assert (table["label"] == truth)[accepted].mean() > 0.9


def test_a_folder_is_labelled_as_the_same_pixels_in_the_dataset_are(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "deep"
    folder.mkdir(parents=True)
    for row in range(20):
        PIL.Image.fromarray(dataset.pixels[row, 0]).save(folder / f"{row:03}.png")
    (folder / "010b.jpg").write_text("not a picture")
    out = tmp_path / "labels.csv"
    summary = label_folder(run, dataset, tmp_path / "new", out)
    table = pd.read_csv(out)
    assert (summary.scans, summary.unreadable) == (21, 1)
    broken = table[table["path"] == "deep/010b.jpg"].iloc[0]
    assert broken["decision"] == "unreadable"
    assert "not an image" in broken["reason"]
    whole = table[table["decision"] != "unreadable"]
    assert whole["path"].tolist() == [f"deep/{row:03}.png" for row in range(20)]
    expected = Predictor.of(run).predict(dataset.pixels, np.arange(20)).probabilities
    found = whole[[f"probability_{name}" for name in dataset.classes]].to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_enough_validation_images_nothing_is_accepted_and_it_says_so(
    run: Run, dataset: Dataset, tmp_path: Path
) -> None:
    summary = label_unlabeled(run, dataset, tmp_path / "labels.csv", target_error=0.01)
    assert summary.accepted == 0
    assert summary.threshold is None
    assert "needs at least 299 validation images" in summary.reason


def test_nothing_is_overwritten_and_a_senseless_target_is_refused(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    out.write_text("mine")
    with pytest.raises(FewscanError, match="exists already"):
        label_unlabeled(run, dataset, out)
    assert out.read_text() == "mine"
    with pytest.raises(FewscanError, match="--target-error"):
        label_unlabeled(run, dataset, tmp_path / "other.csv", target_error=1.5)
