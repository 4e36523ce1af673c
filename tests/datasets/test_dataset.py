import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError

MakeDataset = Callable[..., Dataset]


def test_an_opened_dataset_is_what_was_written(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(12)
    assert dataset.classes == ("glioma", "meningioma", "no_tumor", "pituitary")
    assert dataset.labels.tolist() == [0, 1, 2, 3] * 3
    assert dataset.pixels.shape == (12, 1, 16, 16)
    assert isinstance(dataset.pixels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        dataset.pixels[0] = 0
    assert dataset.usable.tolist() == list(range(12))


def test_a_row_that_was_not_grouped_is_a_group_by_itself(make_dataset: MakeDataset) -> None:
    dataset = make_dataset(8, groups=[0, 0, 1, 1, 2, 2, 3, 3])
    group = dataset.manifest["group"].copy()
    group[4:] = None
    groups = dataset.updated(dataset.manifest.assign(group=group)).groups
    assert groups[:4].tolist() == [0, 0, 1, 1]
    assert len(set(groups[4:].tolist()) | {0, 1}) == 6


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("dataset.json", "is not a dataset"),
        ("manifest.parquet", "cut short: manifest.parquet is missing"),
        ("pixels.npy", "cut short: pixels.npy is missing"),
    ],
)
def test_a_missing_file_is_named(file: str, message: str, make_dataset: MakeDataset) -> None:
    folder = make_dataset().folder
    (folder / file).unlink()
    with pytest.raises(FewscanError, match=message):
        Dataset.open(folder)


@pytest.mark.parametrize("file", ["dataset.json", "manifest.parquet", "pixels.npy"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_file_cut_short_is_named(file: str, share: float, make_dataset: MakeDataset) -> None:
    path = make_dataset().folder / file
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FewscanError, match=f"{file}.*(damaged|cut short)"):
        Dataset.open(path.parent)


def test_parts_that_do_not_fit_each_other_are_refused(make_dataset: MakeDataset) -> None:
    folder = make_dataset(12).folder
    np.save(folder / "pixels.npy", np.zeros((11, 1, 16, 16), dtype=np.uint8))
    with pytest.raises(FewscanError, match="cut short"):
        Dataset.open(folder)


def test_an_unknown_key_and_an_unknown_class_are_named(make_dataset: MakeDataset) -> None:
    folder = make_dataset(12).folder
    content = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(content | {"color": 1}))
    with pytest.raises(FewscanError, match=r"unknown setting 'dataset\.json\.color'"):
        Dataset.open(folder)
    (folder / "dataset.json").write_text(json.dumps(content | {"classes": ["glioma"]}))
    with pytest.raises(FewscanError, match="meningioma"):
        Dataset.open(folder)


def test_pixels_that_would_be_unpickled_are_refused(make_dataset: MakeDataset) -> None:
    folder = make_dataset(12).folder
    np.save(folder / "pixels.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(FewscanError, match="damaged"):
        Dataset.open(folder)


def test_a_folder_that_is_no_dataset_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="fewscan import"):
        Dataset.open(tmp_path)
