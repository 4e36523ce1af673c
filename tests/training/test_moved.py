"""A run finds its dataset where both were moved to, and says where it was looked for where it does not."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibration import CALIBRATION_FILE, Calibration
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation, read_predictions
from fewscan.explaining.evidence_check import EVIDENCE_FILE, EvidenceCheck
from fewscan.folders import MODEL_FILE
from fewscan.labels import content
from fewscan.labels.log import LABELS_FILE, LabelLog
from fewscan.stressing.stress import STRESS_FILE, StressTest
from fewscan.training.continuing import taught_by
from fewscan.training.run import Run
from tests.made import remade

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def project(split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path) -> Path:
    """A folder `here` with `data/scans` and, trained on it, `runs/first`."""
    (tmp_path / "here" / "data").mkdir(parents=True)
    shutil.copytree(split_dataset.folder, tmp_path / "here" / "data" / "scans")
    run = untrained_run(Dataset.open(tmp_path / "here" / "data" / "scans").snapshot())
    (tmp_path / "here" / "runs").mkdir()
    shutil.move(run.folder, tmp_path / "here" / "runs" / "first")
    return tmp_path / "here"


@pytest.mark.slow
def test_a_project_that_was_moved_as_a_whole_still_works(project: Path, fewscan: Command, tmp_path: Path) -> None:
    there = project.rename(tmp_path / "there")
    assert Run.open(there / "runs" / "first").open_dataset().folder == there / "data" / "scans"
    done = fewscan("label", there / "runs" / "first", "--out", tmp_path / "labels.csv")
    assert done.returncode == 0
    assert str(project / "data" / "scans") in done.stderr
    assert "--data" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_dataset_of_another_name_beside_the_run_is_known_by_its_images(project: Path) -> None:
    moved = (project / "data" / "scans").rename(project / "renamed")
    shutil.copytree(moved, project / "a_copy_of_other_images")
    other = Dataset.open(project / "a_copy_of_other_images").snapshot()
    remade(other, pixels=255 - np.array(other.pixels))
    assert Run.open(project / "runs" / "first").open_dataset().folder == moved


@pytest.mark.slow
@pytest.mark.parametrize("labeled", [False, True])
def test_a_dataset_of_the_same_images_with_other_labels_is_not_taken_for_the_run_s(project: Path, labeled: bool) -> None:
    scans, run = project / "data" / "scans", project / "runs" / "first"
    other = shutil.copytree(scans, project / "a_pile")  # its name comes before that of the run's own, when that was moved
    (other / LABELS_FILE).unlink()
    dataset = Dataset.open(scans)
    LabelLog.create(other / LABELS_FILE, dataset.images.identity)
    if labeled:
        Dataset.open(other).labels.set(list(range(dataset.images.rows)), dataset.snapshot().classes[0])
    moved = scans.rename(project / "moved")
    # A label that came later makes it no other dataset.
    Dataset.open(moved).labels.set(0, "another")
    assert Run.open(run).open_dataset().folder == moved
    shutil.rmtree(moved)
    with pytest.raises(FewscanError, match="--data"):
        Run.open(run).open_dataset()
    assert Run.open(run).dataset_word == "DATASET"


def labeled_anew(scans: Path, folder: Path, label: str | None) -> Path:
    """A dataset of the same images in `folder`, with one label for all, or none."""
    shutil.copytree(scans, folder)
    (folder / LABELS_FILE).unlink()
    dataset = Dataset.open(scans)
    LabelLog.create(folder / LABELS_FILE, dataset.images.identity)
    if label is not None:
        for _ in range(2):  # more entries than the run saw
            Dataset.open(folder).labels.enter(range(dataset.images.rows), [label] * dataset.images.rows, origin="folder")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("labeled", [False, True])
def test_nor_is_it_where_the_run_s_own_lay_or_where_it_is_named(
    project: Path, fewscan: Command, labeled: bool, tmp_path: Path
) -> None:
    scans, run = project / "data" / "scans", project / "runs" / "first"
    other = labeled_anew(scans, project / "other", Dataset.open(scans).snapshot().classes[0] if labeled else None)
    own = scans.rename(tmp_path / "own")
    other.rename(scans)
    for named in ([], ["--data", scans]):
        for verb in ("evaluate", "label", "report", "calibrate"):
            refused = fewscan(verb, run, *named, *(["--out", tmp_path / "no.csv"] if verb == "label" else []))
            assert (refused.returncode, refused.stdout) == (2, "")
            assert str(scans) in refused.stderr.splitlines()[-1]
            assert "--data" in refused.stderr.splitlines()[-1]
    assert not (tmp_path / "no.csv").exists()
    assert fewscan("label", run, "--data", own, "--out", tmp_path / "labels.csv").returncode == 0


def test_whatever_is_said_later_of_labels_or_taken_back_the_dataset_stays_the_run_s(project: Path) -> None:
    run, dataset = Run.open(project / "runs" / "first"), Dataset.open(project / "data" / "scans")
    before = run.open_dataset().manifest
    dataset.labels.undo()
    dataset.labels.set([0, 1], "another")
    dataset.labels.enter([2], [before["label"].dropna().iloc[0]], origin="review", who="Ada")
    assert Run.open(run.folder).open_dataset().manifest.equals(before)


def test_a_run_finds_its_dataset_without_reading_the_whole_label_log(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.open((project / "runs").rename(project / "elsewhere") / "first")
    monkeypatch.setattr(content, "read", lambda *_: pytest.fail("the log was read"))
    assert run.open_dataset().folder == project / "data" / "scans"


def test_a_dataset_that_lost_its_labels_is_refused_and_one_to_which_they_were_given_anew_is_the_run_s(project: Path) -> None:
    scans, run = project / "data" / "scans", Run.open(project / "runs" / "first")
    before, labels = run.open_dataset(), Dataset.open(scans).labels.entries()
    anew = labeled_anew(scans, project / "anew", None)
    (scans / LABELS_FILE).unlink()
    with pytest.raises(FewscanError, match=r"labels\.db is missing.*import.*--data"):
        run.open_dataset()
    Dataset.open(anew).labels.enter(labels["row"], labels["label"].where(labels["label"].notna(), None), origin="folder")
    assert run.open_dataset(anew).manifest.equals(before.manifest)


def test_a_run_on_the_same_images_with_other_labels_teaches_an_encoder_and_is_known_to_have_seen_them(project: Path) -> None:
    scans, run = project / "data" / "scans", Run.open(project / "runs" / "first")
    other = Dataset.open(labeled_anew(scans, project / "other", None))
    taught = taught_by(run, other.unsplit(), encoder_alone=True).manifest
    assert np.flatnonzero(taught["taught_before"]).tolist() == run.open_dataset().rows("labeled").tolist()


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_named_place_without_the_dataset_says_what_it_should_be(project: Path, fewscan: Command, tmp_path: Path) -> None:
    run = project / "runs" / "first"
    with pytest.raises(FewscanError, match="is not a dataset"):
        Run.open(run).open_dataset(tmp_path)
    resumed = fewscan("train", tmp_path, "--out", run, "--resume")
    assert resumed.returncode == 2
    assert str(project / "data" / "scans") in resumed.stderr


@pytest.mark.slow
def test_a_command_that_is_advised_of_damage_works_as_printed_where_the_dataset_was_moved(
    project: Path, fewscan: Command, tmp_path: Path
) -> None:
    moved, run = (project / "data" / "scans").rename(tmp_path / "far"), project / "runs" / "first"
    Run.open(run).log({"epoch": 1, "seconds": 1.0})
    (run / EVALUATION_FILE).write_text("{")
    refused = fewscan("report", run, "--data", moved)
    assert refused.returncode == 2
    (command,) = advised(refused.stderr)
    assert fewscan(*command).returncode == 0
    assert fewscan("report", run, "--data", moved).returncode == 0


@pytest.mark.parametrize("named", [False, True])
def test_every_command_that_a_run_advises_names_its_dataset_where_that_was_named(named: bool, project: Path) -> None:
    folder, place = project / "runs" / "first", project / "data" / "scans"
    if named:
        place = place.rename(project.parent / "elsewhere")
    run = Run.open(folder, place if named else None)
    for name, load in {
        EVALUATION_FILE: Evaluation.load,
        CALIBRATION_FILE: Calibration.load,
        STRESS_FILE: StressTest.load,
        EVIDENCE_FILE: EvidenceCheck.load,
        PREDICTIONS_FILE: read_predictions,
    }.items():
        (folder / name).write_text("damaged")
        with pytest.raises(FewscanError) as refused:
            load(run)
        (command,) = advised(str(refused.value))
        assert ("--data" in command) == named
        assert (str(place) in command) == named
    (folder / MODEL_FILE).unlink()
    with pytest.raises(FewscanError) as refused:
        run.require_finished()
    assert advised(str(refused.value)) == [["train", str(place), "--out", str(folder), "--resume"]]


def test_a_run_that_does_not_find_its_dataset_asks_for_it_in_the_command_that_goes_on(project: Path, tmp_path: Path) -> None:
    shutil.move(project / "data" / "scans", tmp_path / "far")
    run = Run.open(project / "runs" / "first")
    (run.folder / MODEL_FILE).unlink()
    with pytest.raises(FewscanError) as refused:
        run.require_finished()
    assert advised(str(refused.value)) == [["train", "DATASET", "--out", str(run.folder), "--resume"]]


def advised(message: str) -> list[list[str]]:
    """The commands that a message advises, as words behind the program's name."""
    return [shlex.split(part)[1:] for part in message.split("'") if part.startswith("fewscan ")]
