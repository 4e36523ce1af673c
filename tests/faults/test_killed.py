"""States that a kill leaves: the same command goes on; `make faults` kills every verb at many moments."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fewscan.datasets import dataset as datasets
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.splits.split import split

Command = Callable[..., CompletedProcess[str]]


@pytest.mark.slow
def test_an_audit_that_was_killed_before_its_page_is_done_again(
    fewscan: Command, make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    shutil.copytree(make_dataset(images=16).folder, tmp_path / "data")
    assert fewscan("audit", tmp_path / "data", "--overwrite").returncode == 0
    assert fewscan("audit", tmp_path / "data").returncode == 2
    (tmp_path / "data/audit.html").unlink()
    assert fewscan("audit", tmp_path / "data").returncode == 0
    assert (tmp_path / "data/audit.html").exists()


@pytest.mark.parametrize("writes", [0, 1])
def test_a_split_that_was_killed_while_it_replaced_another_leaves_one_of_both(
    writes: int, split_dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def write_or_die(path: Path, text: str) -> None:
        if len(written) == writes:
            raise KeyboardInterrupt
        written.append(path)
        path.write_text(text, encoding="utf-8")

    before = split_dataset.rows("test").tolist()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(datasets, "write_text", write_or_die)
        split(split_dataset, labeled=8, test=20, seed=1)
    left = Dataset.open(split_dataset.folder).snapshot().rows("test").tolist()
    assert left == before if writes == 0 else len(left) == 20
    assert len(split(split_dataset, labeled=8, test=28).rows("test")) == 28
