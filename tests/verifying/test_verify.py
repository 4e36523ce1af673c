"""What was edited, cut short or copied from elsewhere is noticed: by verify, and by every verb where that is cheap."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from fewscan import api
from fewscan.comparison.plan import Comparison
from fewscan.comparison.planning import make_plan
from fewscan.datasets.dataset import DATASET_FILE, SPLITS_FOLDER, Dataset
from fewscan.datasets.pairs import PAIRS_FILE
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibrate import calibrate
from fewscan.evaluation.evaluate import EVALUATION_FILE, PREDICTIONS_FILE, Evaluation
from fewscan.folders import MODEL_FILE, SNAPSHOT_FILE
from fewscan.images.patient_keys import KEYS_FILE
from fewscan.images.store import IMAGES_FOLDER, PIXELS_FILE
from fewscan.labels.log import LABELS_FILE, LabelLog
from fewscan.training.run import CONFIG_FILE, METRICS_FILE, RECORD_FILE, TIES, Run
from fewscan.training.settings import RunSettings
from fewscan.training.train import train_new
from tests.made import pairs_table

Command = Callable[..., CompletedProcess[str]]
QUICK = {"encoder": {"name": "study_cnn", "dense_units": 16}, "batch_size": 16, "epochs": 2, "device": "cpu", "probe_images": 0}


def trained(dataset: Snapshot, folder: Path, seed: int) -> Run:
    settings = RunSettings.resolve("supervised", "fewscan", {**QUICK, "seed": seed}, labeled=12, unlabeled=40)
    run = train_new(dataset, settings, folder)
    calibrate(run, dataset, folds=2)
    api.evaluate(run)
    return run


@pytest.fixture(scope="module")
def originals(make_dataset: Callable[..., Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    """Change an entry past the log's own guards, as an editor of SQLite files would."""
    with closing(sqlite3.connect(place / "data" / LABELS_FILE)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE entry SET label = (SELECT label FROM entry WHERE row = 1) WHERE row = 0")
        connection.commit()


def pair(place: Path) -> None:
    path = place / "data" / PAIRS_FILE
    pairs_table([(0, 4, "near", 0.9)]).to_parquet(path, index=False)


def regroup(place: Path) -> None:
    path = place / "run" / SNAPSHOT_FILE
    table = pq.read_table(path)
    alone = pa.array(np.arange(table.num_rows) % 3, table.schema.field("group").type)
    pq.write_table(table.set_column(table.schema.get_field_index("group"), "group", alone), path)


def reassign(place: Path) -> None:
    path = place / "data" / SPLITS_FOLDER / "main.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, "role", table["role"].take(pa.array(np.arange(table.num_rows)[::-1]))), path)


def blacken(place: Path) -> None:
    path = place / "data" / IMAGES_FOLDER / PIXELS_FILE
    content = bytearray(path.read_bytes())
    content[5 * 256 : 6 * 256] = bytes(256)
    path.write_bytes(content)


def rename_patients(place: Path) -> None:
    path = place / "data" / IMAGES_FOLDER / "0000.parquet"
    pd.read_parquet(path).assign(patient="1").to_parquet(path, index=False)


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


def other_labels(place: Path) -> None:
    path = place / "data" / LABELS_FILE
    path.unlink()
    LabelLog.create(path, "of other images")


def other_images(place: Path) -> None:
    path = place / "data" / DATASET_FILE
    content = json.loads(path.read_text())
    content["shards"][0]["chain"] = "0" * 64
    path.write_text(json.dumps(content))


# What is done -> what the verbs `label` or `report` of the run then say, None where only `verify` looks.
TAMPERING: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "a label edited": (relabel, None),
    "a pair of copies invented": (pair, None),
    "groups of the run's images changed": (regroup, "changed since"),
    "the split turned round": (reassign, None),
    "an image blackened": (blacken, None),
    "facts of images edited": (rename_patients, "changed or damaged"),
    "the labels of another dataset": (other_labels, None),
    "images of another dataset": (other_images, "not the dataset"),
    "what patients are recognized by damaged": (lambda place: (place / "data" / KEYS_FILE).write_bytes(b"PAR1"), None),
    "the run's classes turned": (classes_turned("run", RECORD_FILE), "classes"),
    "a setting edited": (add(f"run/{CONFIG_FILE}", "\n# mine\n"), "another training"),
    "weights of another run": (of_the_other(MODEL_FILE), "another training"),
    "weights that are no numbers": (not_numbers, "not numbers"),
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
# What `label` has no use for; it would label all scans.
OF_THE_REPORT = list(TAMPERING)[-5:]


@pytest.mark.slow
def test_a_folder_as_it_was_written_passes_also_where_it_was_copied(place: Path) -> None:
    for name in ("data", "run"):
        found = api.verify(place / name)
        assert found.faults == []
        assert len(found.checks) > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found_by_verify_and_by_the_verbs_where_that_is_cheap(name: str, place: Path, fewscan: Command) -> None:
    tamper, said = TAMPERING[name]
    tamper(place)
    done = fewscan("verify", place / "run")
    assert (done.returncode, done.stderr) == (2, "")
    if said is not None:
        with pytest.raises(FewscanError, match=said) as caught:
            if name in OF_THE_REPORT:
                api.report(place / "run")
            else:
                api.label(place / "run", out=place / "labels.csv")
        assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["calibration.json", EVALUATION_FILE, RECORD_FILE, CONFIG_FILE, f"../data/{DATASET_FILE}"])
@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 1_100, b'{"a": 1' + b"0" * 5000 + b"}"])
def test_json_that_is_none_of_ours_is_one_line(name: str, content: bytes, place: Path) -> None:
    (place / "run" / name).write_bytes(content)
    with pytest.raises(FewscanError) as caught:
        api.report(place / "run")
    assert "\n" not in str(caught.value)
    assert api.verify(place / "run").faults


@pytest.mark.slow
def test_what_is_evaluated_again_is_whole_again(place: Path) -> None:
    better_score(place)
    api.evaluate(place / "run", overwrite=True)
    assert Evaluation.load(Run.open(place / "run")) is not None
    assert api.verify(place / "run").faults == []


def test_a_folder_of_no_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="dataset, run or comparison"):
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


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_dataset_is_whole_wherever_a_kill_stops_its_change(
    written: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Dataset.open(place / "data")
    assert dataset.description.audit is not None
    replace, done = Path.replace, []

    def killed(path: Path, target: Path) -> Path:
        if len(done) == written:
            raise KeyboardInterrupt
        done.append(target)
        return replace(path, target)

    pairs = pairs_table([(0, 4, "near", 0.9)])
    for _ in range(2):  # twice in a row, too
        done.clear()
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(Path, "replace", killed)
            Dataset.open(place / "data").with_pairs(pairs, dataset.description.audit)
        Dataset.open(place / "data").snapshot()
    again = Dataset.open(place / "data").with_pairs(pairs, dataset.description.audit)
    assert again.snapshot().groups[0] == again.snapshot().groups[4]
    assert len(Dataset.open(place / "data").description.pairs_sha256) == 1


@pytest.mark.slow
def test_a_run_is_what_it_was_whatever_became_of_labels_and_splits(place: Path) -> None:
    before = Run.open(place / "run").open_dataset()
    dataset = Dataset.open(place / "data")
    dataset.labels.enter([0, 1], ["pituitary", None], origin="review", who="a")
    api.split(place / "data", name="other", labeled=8, test=16, seed=5)
    api.audit(place / "data", overwrite=True)
    after = Run.open(place / "run").open_dataset()
    assert after.manifest.equals(before.manifest)
    assert after.description == before.description
    assert api.verify(place / "run").faults == []


@pytest.mark.slow
def test_of_a_comparison_the_plan_and_every_run_that_is_there_are_looked_at(place: Path) -> None:
    dataset = Dataset.open(place / "data").snapshot()
    plan = make_plan(dataset, methods=["supervised"], seeds=[0, 1], protocols=["leakfree"], recipe="fewscan", changes=QUICK)
    comparison = Comparison.begin(place / "comparison", plan)
    (one, other) = comparison.plan.trials
    shutil.copytree(place / "run", comparison.run_folder(one))
    found = api.verify(comparison.folder)
    assert found.faults == []
    of_run = [check.what for check in found.checks if str(one) in check.what]
    assert len(of_run) > 3
    assert not any(str(other) in check.what for check in found.checks)
    (comparison.run_folder(one) / MODEL_FILE).write_bytes(b"cut short")
    faults = api.verify(comparison.folder).faults
    assert faults
    assert all(str(one) in fault for fault in faults)
    (comparison.folder / "plan.json").write_text("{")
    assert len(api.verify(comparison.folder).checks) == len(api.verify(comparison.folder).faults) == 1


@pytest.mark.slow
def test_a_run_that_is_not_finished_and_a_dataset_that_cannot_be_opened_are_looked_at_as_far_as_they_go(place: Path) -> None:
    (place / "run" / MODEL_FILE).unlink()
    assert not any("the weights" in check.what for check in api.verify(place / "run").checks)
    (place / "data" / DATASET_FILE).write_text("{")
    found = api.verify(place / "data")
    assert len(found.checks) == len(found.faults) == 1
