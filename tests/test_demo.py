"""What practice scans are for: a pile to label, whose classes only the table beside it tells, and the whole way on them."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pandas as pd
import pytest

import fewscan
from fewscan import demo
from fewscan.datasets.dataset import Dataset
from fewscan.demo import pile


@pytest.mark.slow
def test_a_pile_has_no_labels_and_a_table_that_tells_them(tmp_path: Path) -> None:
    folder, classes = pile(tmp_path / "demo", images=24)
    dataset = Dataset.open(folder)
    assert dataset.description.audit is not None
    assert dataset.labels.last == 0
    names = dataset.images.table(["path"])["path"]
    assert not any(label in name for label in classes for name in names)
    truth = pd.read_csv(tmp_path / "demo" / "truth.csv")
    assert set(truth["label"]) == set(classes)
    assert fewscan.set_labels(folder, tmp_path / "demo" / "truth.csv").changes.unusable == 0
    assert dataset.labels.current(len(names))["label"].notna().all()


@pytest.mark.slow  # two trainings, and all that follows one
def test_the_whole_way_on_practice_scans_leaves_a_score_labels_and_a_page(
    fewscan: Callable[..., CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = demo.DemoSize(images=64, labeled=32, test=16, supervised_epochs=1, mixmatch_epochs=1)
    monkeypatch.setattr(demo, "QUICK", size)
    monkeypatch.setattr(demo, "SIZE_PX", 32)
    done = fewscan("demo", "--quick", "--out", "way", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["chosen"] in ("supervised", "mixmatch")
    assert said["supervised"]["images"] == said["mixmatch"]["images"] == 16
    unlabeled = Dataset.open(tmp_path / "way" / "dataset").snapshot().rows("unlabeled")
    assert len(pd.read_csv(tmp_path / "way" / "labels.csv")) == len(unlabeled)
    assert (tmp_path / said["report"]).is_file()
    assert fewscan("demo", "--quick", "--out", "way", cwd=tmp_path).returncode == 2
