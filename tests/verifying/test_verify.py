"""What was edited, cut short or copied from elsewhere is noticed: by verify, and by every verb where that is cheap."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from fewscan import api
from fewscan.datasets.dataset import DATASET_FILE, PIXELS_FILE, Dataset
from fewscan.errors import FewscanError
from fewscan.evaluation.calibrate import calibrate
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation
from fewscan.images.manifest import MANIFEST_FILE
from fewscan.training.run import CONFIG_FILE, METRICS_FILE, MODEL_FILE, RECORD_FILE, TIES, Run
from fewscan.training.settings import RunSettings
from fewscan.training.train import train_new

Command = Callable[..., CompletedProcess[str]]
QUICK = {"encoder": {"width": 16}, "batch_size": 16, "epochs": 2, "device": "cpu", "probe_images": 0}


def trained(dataset: Dataset, folder: Path, seed: int) -> Run:
    settings = RunSettings.resolve("supervised", "fewscan", {**QUICK, "seed": seed}, labeled=12, unlabeled=40)
    run = train_new(dataset, settings, folder)
    calibrate(run, dataset, folds=2)
    api.evaluate(run)
    return run


@pytest.fixture(scope="module")
def originals(make_dataset: Callable[..., Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset and two runs on it, `run` and `other`."""
    place = tmp_path_factory.mktemp("originals")
    made = make_dataset(seed=3)
    shutil.copytree(made.folder, place / "data")
    dataset = api.split(place / "data", labeled=16, test=24, validation=0.25)
    for number, name in enumerate(("run", "other")):
        trained(dataset, place / name, number)
    return place


@pytest.fixture
def place(originals: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "place"
    shutil.copytree(originals, copy)
    for name in ("run", "other"):
        edit(copy / name / RECORD_FILE, dataset=str(copy / "data"))
    return copy


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def relabel(place: Path) -> None:
    path = place / "data" / MANIFEST_FILE
    table = pd.read_parquet(path)
    table.loc[0, "label"] = table["label"].iloc[1]
    table.to_parquet(path, index=False)


def ungroup(place: Path) -> None:
    path = place / "data" / MANIFEST_FILE
    pd.read_parquet(path).assign(group=pd.array([None] * 80, "Int64")).to_parquet(path, index=False)


def blacken(place: Path) -> None:
    pixels = np.load(place / "data" / PIXELS_FILE, mmap_mode="r+")
    pixels[5] = 0
    pixels.flush()


def not_numbers(place: Path) -> None:
    weights = load_file(place / "run" / MODEL_FILE)
    next(value for value in weights.values() if value.is_floating_point()).fill_(torch.nan)
    save_file(weights, place / "run" / MODEL_FILE)


def note_that_is_none(place: Path) -> None:
    path = place / "run" / MODEL_FILE
    save_file(load_file(path), path, {TIES: "[1, {"})


def of_the_other(name: str) -> Callable[[Path], object]:
    return lambda place: shutil.copy(place / "other" / name, place / "run" / name)


def classes_turned(folder: str, name: str) -> Callable[[Path], None]:
    def turn(place: Path) -> None:
        path = place / folder / name
        edit(path, classes=json.loads(path.read_text())["classes"][::-1])

    return turn


def better_score(place: Path) -> None:
    path = place / "run" / EVALUATION_FILE
    accuracy = json.loads(path.read_text())["accuracy"]
    edit(path, accuracy=accuracy | {"value": 0.99})


def add(name: str, text: str) -> Callable[[Path], object]:
    def append(place: Path) -> None:
        with (place / name).open("a") as file:
            file.write(text)

    return append


def cut(name: str) -> Callable[[Path], object]:
    return lambda place: (place / name).write_bytes((place / name).read_bytes()[:-7])


# What is done -> what the verbs `label` or `report` of the run then say, None where only `verify` looks.
TAMPERING: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "a label edited": (relabel, "changed or damaged"),
    "groups removed": (ungroup, "changed or damaged"),
    "an image blackened": (blacken, None),
    "the dataset's classes turned": (classes_turned("data", DATASET_FILE), "other classes"),
    "the run's classes turned": (classes_turned("run", RECORD_FILE), "classes"),
    "a setting edited": (add(f"run/{CONFIG_FILE}", "\n# mine\n"), "another training"),
    "weights of another run": (of_the_other(MODEL_FILE), "another training"),
    "weights that are no numbers": (not_numbers, "no numbers"),
    "weights whose note is none": (note_that_is_none, "damaged"),
    "weights cut short": (cut(f"run/{MODEL_FILE}"), "damaged"),
    "a calibration of another run": (of_the_other("calibration.json"), "other weights"),
    "held-out images of another run": (of_the_other("held_out.csv"), "changed since"),
    "an evaluation of another run": (of_the_other(EVALUATION_FILE), "other weights"),
    "a score edited": (better_score, "changed since"),
    "test predictions of another run": (of_the_other(PREDICTIONS_FILE), "changed since"),
    "a log line that is none": (add(f"run/{METRICS_FILE}", "junk}\n"), "damaged line"),
    "an opening that is none": (add("run/test_openings.jsonl", "{}\n"), "damaged line"),
}


def test_a_folder_as_it_was_written_passes_also_where_it_was_copied(place: Path) -> None:
    for name in ("data", "run"):
        found = api.verify(place / name)
        assert found.faults == []
        assert len(found.checks) > 3


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found_by_verify_and_by_the_verbs_where_that_is_cheap(name: str, place: Path, fewscan: Command) -> None:
    tamper, said = TAMPERING[name]
    tamper(place)
    assert api.verify(place / "run").faults
    done = fewscan("verify", place / "run")
    assert (done.returncode, done.stderr) == (2, "")
    if said is not None:
        with pytest.raises(FewscanError, match=said) as caught:
            api.label(place / "run", out=place / "labels.csv")
            api.report(place / "run")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["calibration.json", EVALUATION_FILE, RECORD_FILE, CONFIG_FILE, f"../data/{DATASET_FILE}"])
@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}"])
def test_json_that_is_none_of_ours_is_one_line(name: str, content: bytes, place: Path) -> None:
    (place / "run" / name).write_bytes(content)
    with pytest.raises(FewscanError) as caught:
        api.report(place / "run")
    assert "\n" not in str(caught.value)
    assert api.verify(place / "run").faults


def test_what_is_evaluated_again_is_whole_again(place: Path) -> None:
    better_score(place)
    api.evaluate(place / "run", overwrite=True)
    assert Evaluation.load(Run.open(place / "run")) is not None
    assert api.verify(place / "run").faults == []


def test_a_folder_of_no_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="no dataset, run or comparison"):
        api.verify(tmp_path)


def test_a_folder_that_is_not_there_is_told_from_one_of_another_kind(place: Path) -> None:
    with pytest.raises(FewscanError, match="no such folder"):
        api.verify(place / "nowhere")
    with pytest.raises(FewscanError, match="no such folder"):
        Dataset.open(place / "nowhere")
    with pytest.raises(FewscanError, match="it is a dataset"):
        Run.open(place / "data")
    with pytest.raises(FewscanError, match="it is a run"):
        Dataset.open(place / "run")


def test_what_was_never_made_is_not_said_to_be_whole(place: Path) -> None:
    def looked_at() -> set[str]:
        return {check.what for check in api.verify(place / "run").checks}

    made = looked_at()
    assert any("the evaluation" in what for what in made)
    assert not any("check of evidence" in what for what in made)
    (place / "run" / EVALUATION_FILE).unlink()
    assert not any("the evaluation" in what for what in looked_at())


def test_a_dataset_of_before_is_opened_without_the_check(place: Path) -> None:
    description = json.loads((place / "data" / DATASET_FILE).read_text())
    del description["manifest_sha256"]
    (place / "data" / DATASET_FILE).write_text(json.dumps(description))
    assert len(Dataset.open(place / "data").manifest) == 80


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_dataset_is_whole_wherever_a_kill_stops_its_change(
    written: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Dataset.open(place / "data")
    replace, done = Path.replace, []

    def killed(path: Path, target: Path) -> Path:
        if len(done) == written:
            raise KeyboardInterrupt
        done.append(target)
        return replace(path, target)

    changed = dataset.manifest.assign(conflict=True)
    for _ in range(2):  # twice in a row, too
        done.clear()
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(Path, "replace", killed)
            Dataset.open(place / "data").updated(changed)
    again = Dataset.open(place / "data").updated(changed)
    assert again.manifest["conflict"].all()
    assert len(Dataset.open(place / "data").description.manifest_sha256) == 1
