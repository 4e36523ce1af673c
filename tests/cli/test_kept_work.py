"""Ctrl-C in work that keeps what it has done says so and names the command that goes on; else the one that begins anew."""

import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

import pytest

from fewscan.comparison import trials
from fewscan.comparison.plan import Comparison, Trial
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation import cross_fitting
from fewscan.labeling import label
from fewscan.labeling.table import LabelTable
from fewscan.training import features
from fewscan.training.run import Run

Command = Callable[..., CompletedProcess[str]]


def last_line(done: CompletedProcess[str]) -> tuple[str, list[str]]:
    """How an interrupted verb ends: what is said of the command that follows, and its words."""
    assert done.returncode == 130, done.stderr
    said, _, command = done.stderr.strip().splitlines()[-1].partition(": ")
    return said, shlex.split(command)[1:]


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_labeling_that_is_stopped_says_what_it_keeps_and_goes_on(
    split_dataset: Snapshot,
    untrained_run: Callable[[Snapshot], Run],
    fewscan: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["label", str(untrained_run(split_dataset).folder), "--out", "labels.csv"]
    add = LabelTable.add
    monkeypatch.setattr(label, "PART_ROWS", 10)
    monkeypatch.setattr(LabelTable, "add", stop)
    done = fewscan(*words, cwd=tmp_path)
    assert last_line(done) == ("interrupted; start over with", words)

    # So another one may begin there.
    words += ["--target-error", "0.1"]
    monkeypatch.setattr(LabelTable, "add", lambda *arguments: (add(*arguments), stop()))
    done = fewscan(*words, cwd=tmp_path)
    assert last_line(done) == ("interrupted; continue with", words)
    scans = len(split_dataset.rows("unlabeled"))
    assert f"10 of {scans} scans" in done.stderr
    assert "labels.csv.partial" in done.stderr
    monkeypatch.setattr(LabelTable, "add", add)
    done = fewscan(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{scans - 10} left" in done.stderr


def begun_then_stopped(folder: Path, trial: Trial) -> None:
    Comparison.open(folder).run_folder(trial).mkdir(parents=True)
    stop()


def trained_then_stopped(run: Run, dataset: Snapshot, rows: object, folder: Path, as_pile: bool) -> None:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "module", "name", "kept"),
    [
        (["embed", "DATASET", "--encoder", "resnet_small"], features, "appended", "64 of 80 images"),
        (["calibrate", "RUN", "--folds", "3"], cross_fitting, "_train_without", "1 of 3 trainings"),
        (["labels", "suspects", "RUN", "--folds", "3"], cross_fitting, "_train_without", "1 of 3 trainings"),
        (
            ["compare", "DATASET", "--out", "c", "--methods", "supervised", "--seeds", "0,1", "device=cpu"],
            trials,
            "run_trial",
            "1 run of 2",
        ),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_what_is_kept_is_said(
    words: list[str],
    module: ModuleType,
    name: str,
    kept: str,
    split_dataset: Snapshot,
    untrained_run: Callable[[Snapshot], Run],
    fewscan: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = {"DATASET": str(split_dataset.folder), "RUN": str(untrained_run(split_dataset).folder)}
    words = [places.get(word, word) for word in words]
    monkeypatch.setattr(features, "PART_BATCHES", 1)
    works = {
        "appended": appended_once(),
        "_train_without": trained_then_stopped,
        "run_trial": begun_then_stopped,
    }
    monkeypatch.setattr(module, name, works[name])
    done = fewscan(*words, cwd=tmp_path)
    assert last_line(done) == ("interrupted; continue with", words)
    assert kept in done.stderr


@pytest.mark.slow
def test_trainings_are_kept_where_their_networks_are_asked(
    split_dataset: Snapshot,
    untrained_run: Callable[[Snapshot], Run],
    fewscan: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = untrained_run(split_dataset)

    def trained(_: Run, dataset: Snapshot, rows: object, folder: Path, as_pile: bool) -> Run:
        folder.mkdir(parents=True)
        (folder / "model.safetensors").touch()
        return run

    monkeypatch.setattr(cross_fitting, "_train_without", trained)
    monkeypatch.setattr(cross_fitting, "predict_held_out", stop)
    words = ["calibrate", str(run.folder), "--folds", "3"]
    done = fewscan(*words, cwd=tmp_path)
    assert last_line(done) == ("interrupted; continue with", words)
    assert "1 of 3 trainings" in done.stderr


def appended_once() -> Callable[..., object]:
    """Keep one part of the features, and be stopped at the next."""
    append, parts = features.appended, []

    def appended(*arguments: object) -> object:
        if parts:
            stop()
        parts.append(append(*arguments))
        return parts[0]

    return appended
