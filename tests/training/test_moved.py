"""A run finds its dataset where both were moved to, and says where it was looked for where it does not."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.splits.split import split
from fewscan.training.run import Run

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def project(split_dataset: Dataset, untrained_run: Callable[[Dataset], Run], tmp_path: Path) -> Path:
    """A folder `here` with `data/scans` and, trained on it, `runs/first`."""
    (tmp_path / "here" / "data").mkdir(parents=True)
    shutil.copytree(split_dataset.folder, tmp_path / "here" / "data" / "scans")
    run = untrained_run(Dataset.open(tmp_path / "here" / "data" / "scans"))
    (tmp_path / "here" / "runs").mkdir()
    shutil.move(run.folder, tmp_path / "here" / "runs" / "first")
    return tmp_path / "here"


def test_a_project_that_was_moved_as_a_whole_still_works(project: Path, fewscan: Command, tmp_path: Path) -> None:
    there = project.rename(tmp_path / "there")
    assert Run.open(there / "runs" / "first").open_dataset().folder == there / "data" / "scans"
    done = fewscan("label", there / "runs" / "first", "--out", tmp_path / "labels.csv")
    assert done.returncode == 0
    assert str(project / "data" / "scans") in done.stderr
    assert "--data" in done.stdout.splitlines()[-1]


def test_a_dataset_of_another_name_beside_the_run_is_known_by_its_fingerprint(project: Path) -> None:
    moved = (project / "data" / "scans").rename(project / "renamed")
    shutil.copytree(moved, project / "a_copy_with_another_split")
    split(Dataset.open(project / "a_copy_with_another_split"), labeled=12, test=20)
    assert Run.open(project / "runs" / "first").open_dataset().folder == moved


def test_a_dataset_that_is_nowhere_is_said_to_have_moved_and_can_be_named(
    project: Path, fewscan: Command, tmp_path: Path
) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    moved = (project / "data" / "scans").rename(tmp_path / "far" / "away" / "pile")
    run = project / "runs" / "first"
    for verb in ("evaluate", "label", "report", "export", "calibrate"):
        refused = fewscan(verb, run)
        assert refused.returncode == 2
        assert str(project / "data" / "scans") in refused.stderr
        assert "--data" in refused.stderr
        assert "import" not in refused.stderr
    assert fewscan("label", run, "--data", moved, "--out", tmp_path / "labels.csv").returncode == 0
    assert Run.open(run).open_dataset(moved).folder == moved


def test_a_named_place_without_the_dataset_says_what_it_should_be(project: Path, fewscan: Command, tmp_path: Path) -> None:
    run = project / "runs" / "first"
    with pytest.raises(FewscanError, match="holds no dataset"):
        Run.open(run).open_dataset(tmp_path)
    resumed = fewscan("train", tmp_path, "--out", run, "--resume")
    assert resumed.returncode == 2
    assert str(project / "data" / "scans") in resumed.stderr
