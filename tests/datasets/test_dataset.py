import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot, snapshot_fingerprint
from fewscan.errors import FewscanError
from tests.made import remade

MakeDataset = Callable[..., Snapshot]


def test_an_opened_dataset_is_what_was_written(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(12)
    assert dataset.classes == ("glioma", "meningioma", "no_tumor", "pituitary")
    assert dataset.labels.tolist() == [0, 1, 2, 3] * 3
    assert dataset.pixels.shape == (12, 1, 16, 16)
    assert isinstance(dataset.pixels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        dataset.pixels[0] = 0
    assert dataset.usable.tolist() == list(range(12))


def test_a_fingerprint_stays_what_it_was() -> None:
    """Runs keep fingerprints: one of the same labels is the same with every version of pandas."""
    labels, set_aside = (pd.array(column, dtype="str") for column in (["glioma", None, "none"], [None, "blank", None]))
    state = pd.DataFrame({"label": labels, "set_aside": set_aside})
    kept = "f9481252ca99ff507519f0abba82c649948cec7ccd7b977bb4c79177c3127f65"
    assert snapshot_fingerprint("chain", ("glioma", "none"), state) == kept


def test_what_is_changed_of_a_table_changes_no_other_reading_of_it(make_dataset: MakeDataset) -> None:
    dataset = Dataset.open(make_dataset(12).folder)
    facts = dataset.images.table()
    facts.loc[0, "path"] = "another"
    facts["width_px"].array[0] = 7
    again = dataset.images.table()
    assert (again["path"][0], again["width_px"][0]) == ("glioma/0000.png", 16)


def test_a_row_that_was_not_grouped_is_a_group_by_itself(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(8, groups=[0, 0, 1, 1, 2, 2, 3, 3])
    group = dataset.manifest["group"].copy()
    group[4:] = None
    groups = remade(dataset, dataset.manifest.assign(group=group, copy_set=group, patient=None)).groups
    assert groups[0] == groups[1] != groups[2] == groups[3]
    assert len(set(groups.tolist())) == 6


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("dataset.json", "is not a dataset"),
        ("images/0000.parquet", "0000.parquet is missing"),
        ("images/pixels.raw", "pixels.raw is missing"),
        ("pairs.parquet", "pairs.parquet is missing"),
        ("labels.db", "labels.db"),
    ],
)
def test_a_missing_file_is_named(file: str, message: str, make_dataset: MakeDataset) -> None:
    folder = make_dataset().folder
    (folder / file).unlink()
    with pytest.raises(FewscanError, match=message):
        Dataset.open(folder).snapshot()


@pytest.mark.slow
@pytest.mark.parametrize("file", ["dataset.json", "images/0000.parquet", "images/pixels.raw", "pairs.parquet"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_file_cut_short_is_named(file: str, share: float, make_dataset: MakeDataset) -> None:
    folder = make_dataset().folder
    path = folder / file
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FewscanError, match=f"{file}.*(damaged|incomplete)"):
        Dataset.open(folder).snapshot()


def test_an_unknown_key_is_named(make_dataset: MakeDataset) -> None:
    folder = make_dataset(12).folder
    content = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(content | {"color": 1}))
    with pytest.raises(FewscanError, match=r"unknown setting 'dataset\.json\.color'"):
        Dataset.open(folder)


def test_a_dataset_of_the_first_format_names_the_command_that_converts_it(make_dataset: MakeDataset) -> None:
    folder = make_dataset(12).folder
    content = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(content | {"format": 1}))
    with pytest.raises(FewscanError, match="fewscan upgrade"):
        Dataset.open(folder)


def test_a_folder_that_is_no_dataset_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="fewscan import"):
        Dataset.open(tmp_path)
