"""A pile of practice scans to label: nothing tells its classes but the table beside it."""

from pathlib import Path

import pandas as pd
import pytest

import fewscan
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
