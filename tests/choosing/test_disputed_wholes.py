"""What is disputed of a whole study is one question, and its answer goes back into the log for all images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fewscan as package
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans
from tests.images.test_header_numbers import add_slices, elements, table

ENCODER = "resnet_small"
SLICES = 3


def disputed(place: Path, *, one_folder: bool = False) -> Path:
    """A dataset of studies `one`, labeled twice and differently by one table, `two` and `later`, without a label."""
    for study, slices in (("one", SLICES), ("two", 2), ("later", 1)):
        add_slices(place / "scans" if one_folder else place / "scans" / study / "series", study, slices)
    number = elements("one", 1)["AccessionNumber"]
    said = table(place / "scans", f"AccessionNumber,label\n{number},glioma\n{number},normal\n")
    made = import_scans([str(place / "scans")], place / "data", size_px=32, workers=1, labels=[said], labels_only=True)
    package.audit(made.folder)
    return made.folder


@pytest.mark.slow
def test_a_study_with_two_labels_is_asked_once_and_one_answer_is_for_all_its_images(tmp_path: Path) -> None:
    folder = disputed(tmp_path)
    found = package.suggest(folder, 4, encoder=ENCODER, out=tmp_path / "suggested.csv")
    assert [one.kind for one in found.suggestions].count("disputed") == 1
    assert found.suggestions[0].kind == "disputed"
    assert str(SLICES) in found.suggestions[0].why
    filled = pd.read_csv(tmp_path / "suggested.csv", keep_default_na=False)
    filled.loc[0, "label"] = "glioma"
    filled.to_csv(tmp_path / "suggested.csv", index=False)
    done = package.set_labels(folder, tmp_path / "suggested.csv")
    assert (done.disputed, done.summary()["changed"]) == (0, SLICES)
    labels = Dataset.open(folder).unsplit().manifest["label"]
    assert labels.value_counts().to_dict() == {"glioma": SLICES}
    again = package.suggest(folder, 4, encoder=ENCODER)
    assert "disputed" not in {one.kind for one in again.suggestions}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["one folder", "by image"])
def test_where_an_answer_for_all_would_say_more_every_image_is_asked_for(how: str, tmp_path: Path) -> None:
    folder = disputed(tmp_path, one_folder=how == "one folder")
    if how == "by image":  # people said it of images, not of the study
        rows = np.flatnonzero(Dataset.open(folder).labels.disputed(6)).tolist()
        for who, label in (("A", "glioma"), ("B", "normal")):
            package.set_labels(folder, rows, label, who=who)
    found = package.suggest(folder, 4, encoder=ENCODER)
    assert [one.kind for one in found.suggestions].count("disputed") == SLICES
    assert found.table["path"].str.endswith(".dcm").all()


@pytest.mark.slow
def test_fewer_suggestions_than_were_asked_for_say_of_what_there_is_one_at_most(tmp_path: Path) -> None:
    folder = disputed(tmp_path)
    few = package.suggest(folder, 40, encoder=ENCODER)
    assert len(few.suggestions) < 40
    assert any("40" in line and "each patient" in line for line in few.lines())
    enough = package.suggest(folder, 2, encoder=ENCODER)
    assert not any("each patient" in line for line in enough.lines())
