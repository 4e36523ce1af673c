"""Finished runs through the page's interface: what is there, what is made in the background, labels in doubt."""

import io
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient

import fewscan
from fewscan.atomic import refuse_existing
from fewscan.cli.app import app
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.evaluation.calibration import CALIBRATION_FILE, Calibration
from fewscan.folders import MODEL_FILE
from fewscan.labeling.table import partial_folder
from fewscan.models import graphs
from fewscan.reviewing import commands, taking
from fewscan.reviewing.app import Review
from fewscan.reviewing.commands import PASSED_ON, Commands
from fewscan.reviewing.seeing import Seen, pixel_features
from fewscan.reviewing.taking import PAGE_FOLDER
from fewscan.spreadsheet import write_csv
from fewscan.training.run import Run
from fewscan.training.unlabeled_first import first_folder
from fewscan.wording import ON_PAGE

ADA = {"reviewer": "Ada"}


@pytest.fixture
def dataset(run_on_pile: Path, tmp_path: Path) -> Dataset:
    shutil.copytree(run_on_pile, tmp_path, dirs_exist_ok=True)
    return Dataset.open(tmp_path / "dataset")


@pytest.fixture
def run(dataset: Dataset, review: Review, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "runs" / "first"
    review.makings.close()


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run here, as they would in processes of their own, whose starts take most of the time."""

    def run(self: Commands, *words: str | Path) -> str:
        if self.cancelled:
            raise FewscanError("cancelled")
        said = io.StringIO()
        with redirect_stdout(said), pytest.MonkeyPatch.context() as environment:
            if words[0] not in PASSED_ON:
                environment.setenv(ON_PAGE, "1")
            app(list(map(str, words)), standalone_mode=False)
        return said.getvalue()

    monkeypatch.setattr(Commands, "run", run)


@pytest.fixture
def threads_that_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def made(client: TestClient) -> dict:
    while (now := client.get("/api/making").json())["phase"] == "running":
        time.sleep(0.05)
    return now


def files_of(client: TestClient) -> list[str]:
    (run,) = client.get("/api/runs").json()["runs"]
    return run["files"]


def test_without_a_run_there_is_nothing_to_take(client: TestClient, run: Path) -> None:
    shutil.rmtree(run)
    assert client.get("/api/runs").json()["runs"] == []
    for name in ("none", "..", "%2e%2e%2fdata", "x" * 300):
        assert client.get(f"/api/runs/{name}/files/report").status_code in (404, 422)
        assert client.post("/api/making", json={"run": name, "what": "report"}).status_code in (404, 422)
    assert client.post("/api/making", json={"run": "none", "what": "anything"}).status_code == 422
    assert client.post("/api/making/cancel", json={}).status_code == 409
    assert client.get("/api/making").json()["phase"] == "none"


def test_what_a_run_does_not_know_yet_is_said_with_it(client: TestClient, run: Path, decide: Callable[..., dict]) -> None:
    def new() -> str | None:
        (told,) = client.get("/api/runs").json()["runs"]
        return told["news"]

    assert new() is None
    decide(30, "glioma")
    assert "1 new label" in str(new())
    client.post("/api/undo", json=ADA)
    assert new() is None


@pytest.mark.slow
def test_labels_report_and_weights_are_made_in_the_background_and_taken(
    client: TestClient, run: Path, review: Review, in_process: None, tmp_path: Path
) -> None:
    assert files_of(client) == []
    assert client.get("/api/runs/first/files/labels").status_code == 404
    assert client.post("/api/making", json={"run": "first", "what": "labels"}).json()["phase"] == "running"
    assert client.post("/api/making", json={"run": "first", "what": "report"}).status_code == 409
    now = made(client)
    assert now["phase"] == "finished", now["words"]
    (tmp_path / "page.csv").write_bytes(client.get("/api/runs/first/files/labels").content)
    by_hand = fewscan.label(run, out=tmp_path / "by_hand.csv", data=review.desk.dataset.folder)
    assert (tmp_path / "page.csv").read_text() == (tmp_path / "by_hand.csv").read_text()
    assert now["total"] == by_hand.scans
    assert client.post("/api/making", json={"run": "first", "what": "labels"}).status_code == 409
    client.post("/api/making", json={"run": "first", "what": "report"})
    assert made(client)["phase"] == "finished"
    page = client.get("/api/runs/first/files/report")
    assert page.text.startswith("<!doctype html>")
    assert page.headers["content-security-policy"].startswith("sandbox ")
    client.post("/api/making", json={"run": "first", "what": "weights"})
    assert made(client)["phase"] == "finished"
    assert client.get("/api/runs/first/files/weights_card").headers["content-type"].startswith("text/plain")
    assert set(files_of(client)) >= {"report", "labels", "weights", "weights_card", "weights_description"}
    assert client.post("/api/making", json={"run": "first", "what": "weights"}).status_code == 409


@pytest.mark.slow
def test_what_is_calibrated_in_seconds_is_before_labels_are_made(
    client: TestClient, run: Path, dataset: Dataset, in_process: None
) -> None:
    shutil.rmtree(run)
    first = {"encoder": {"name": "resnet_small"}, "unlabeled_first": True, "epochs": 1, "batch_size": 8}
    fewscan.train(dataset.folder, out=run, method={"name": "propagation", "steps": 5}, **first)
    assert not (run / CALIBRATION_FILE).exists()
    client.post("/api/making", json={"run": "first", "what": "labels"})
    now = made(client)
    assert now["phase"] == "finished", now["words"]
    calibration = Calibration.load(Run.open(run))
    assert calibration is not None
    assert calibration.pile is not None
    # The error to allow is the user's, and the score has a button, too.
    asked = {"run": "first", "what": "labels", "anew": True, "target_error": 0.45}
    assert client.post("/api/making", json=asked | {"target_error": 1}).status_code == 422
    client.post("/api/making", json=asked)
    assert "0.45" in made(client)["words"]
    client.post("/api/making", json={"run": "first", "what": "score"})
    assert made(client)["phase"] == "finished"
    (told,) = client.get("/api/runs").json()["runs"]
    assert told["accuracy"] is not None


@pytest.mark.slow
def test_a_process_that_is_cancelled_ends_and_leaves_nothing(client: TestClient, run: Path) -> None:
    client.post("/api/making", json={"run": "first", "what": "labels"})
    assert client.post("/api/making/cancel", json={}).status_code == 200
    assert made(client)["phase"] == "cancelled"
    assert "labels" not in files_of(client)


@pytest.mark.slow
def test_labels_stay_until_those_that_are_made_anew_are_whole(client: TestClient, run: Path) -> None:
    labels = run / PAGE_FOLDER / "labels.csv"
    labels.parent.mkdir()
    labels.write_text("old")
    client.post("/api/making", json={"run": "first", "what": "labels", "anew": True})
    client.post("/api/making/cancel", json={})
    assert made(client)["phase"] == "cancelled"
    assert labels.read_text() == "old"


def test_how_far_a_command_is_can_be_asked_while_it_ends(
    review: Review, run: Path, threads_that_take_turns_often: None
) -> None:
    begun, over = partial_folder(run / PAGE_FOLDER / "labels.csv"), threading.Event()

    def begin_and_end() -> None:
        while not over.is_set():
            begun.mkdir(parents=True)
            begun.rmdir()

    command = threading.Thread(target=begin_and_end)
    command.start()
    review.makings.standing = taking.Making("running", "labels", "first", total=19)
    review.makings._folder = run
    try:
        assert {review.makings.now.done for _ in range(3000)} == {0}
    finally:
        over.set()
        command.join()
        review.makings.standing = taking.Making()


@pytest.mark.slow
def test_labels_that_were_begun_are_gone_on_with_and_made_anew(client: TestClient, run: Path, in_process: None) -> None:
    begun = partial_folder(run / PAGE_FOLDER / "labels.csv")
    begun.mkdir(parents=True)
    assert client.get("/api/runs").json()["runs"][0]["labels_begun"]
    for anew in (False, True):
        begun.mkdir(exist_ok=True)  # as one that was interrupted leaves it
        client.post("/api/making", json={"run": "first", "what": "labels", "anew": anew})
        now = made(client)
        assert now["phase"] == "finished", now["words"]
        assert not client.get("/api/runs").json()["runs"][0]["labels_begun"]
    assert "labels" in files_of(client)


@pytest.mark.slow
def test_labels_in_doubt_are_confirmed_or_corrected_once(client: TestClient, run: Path, review: Review) -> None:
    assert client.get("/api/runs/first/suspects").json() == {
        "scans": [],
        "total": 0,
        "answered": 0,
        "checked": None,
        "words": [],
    }
    table = pd.DataFrame(
        {
            "path": ["x", "y"], "label": ["glioma", "meningioma"], "label_state": "", "predicted": ["meningioma", "glioma"],
            "label_probability": 0.1, "predicted_probability": 0.9, "row": [0, 1],
        }
    )  # fmt: skip
    (run / PAGE_FOLDER).mkdir()
    write_csv(table, run / PAGE_FOLDER / "labels_to_check.csv")
    time.sleep(0.01)
    found = client.get("/api/runs/first/suspects").json()
    assert [(one["row"], one["label"], one["predicted"]) for one in found["scans"]] == [
        (0, "glioma", "meningioma"), (1, "meningioma", "glioma")
    ]  # fmt: skip
    assert [one["given_for"] for one in found["scans"]] == ["", ""], "a table that says nothing of it"
    write_csv(table.assign(given_for=["", "study"]), run / PAGE_FOLDER / "labels_to_check.csv")
    assert [one["given_for"] for one in client.get("/api/runs/first/suspects").json()["scans"]] == ["", "study"]
    said = {"state": "label", "label": "glioma"} | ADA
    for row in (0, 1):
        assert client.post("/api/runs/first/suspects/settle", json={"rows": [row]} | said).json()["rows"] == [row]
    left = client.get("/api/runs/first/suspects").json()
    assert (left["total"], left["answered"]) == (0, 2)
    assert review.desk.board().labels[1] == "glioma"
    # What somebody has looked at is not asked again where a later check contradicts it, too, but is with another label.
    time.sleep(0.01)
    write_csv(table.assign(label=["glioma", "meningioma"]), run / PAGE_FOLDER / "labels_to_check.csv")
    again = client.get("/api/runs/first/suspects").json()
    assert ([one["row"] for one in again["scans"]], again["answered"]) == ([1], 1)
    write_csv(table.assign(label="glioma"), run / PAGE_FOLDER / "labels_to_check.csv")
    assert client.get("/api/runs/first/suspects").json()["answered"] == 2
    client.post("/api/undo", json=ADA)
    assert [one["row"] for one in client.get("/api/runs/first/suspects").json()["scans"]] == [1]
    assert client.post("/api/runs/first/suspects/settle", json={"rows": [2]} | said).status_code == 409


def test_copies_in_doubt_are_one_question_and_one_answer(client: TestClient, run: Path, review: Review) -> None:
    table = pd.DataFrame(
        {
            "path": ["x", "y", "z"], "label": ["glioma", None, "glioma"], "label_state": "", "predicted": "meningioma",
            "label_probability": 0.1, "predicted_probability": 0.9, "row": [1, 0, 2],
            "copy_of": pd.array([None, 1, None], dtype="Int64"),
        }
    )  # fmt: skip
    (run / PAGE_FOLDER).mkdir()
    write_csv(table, run / PAGE_FOLDER / "labels_to_check.csv")
    time.sleep(0.01)
    found = client.get("/api/runs/first/suspects").json()
    assert [(one["row"], one["copies"], one["label"]) for one in found["scans"]] == [(1, [0], "glioma"), (2, [], "glioma")]
    said = {"rows": [1, 0], "state": "label", "label": "meningioma"} | ADA
    assert client.post("/api/runs/first/suspects/settle", json=said).json()["rows"] == [1, 0]
    assert [review.desk.board().labels[row] for row in (0, 1)] == ["meningioma"] * 2
    left = client.get("/api/runs/first/suspects").json()
    assert (left["total"], left["answered"]) == (1, 1)


@pytest.mark.slow  # five small trainings
def test_labels_are_checked_in_the_background(client: TestClient, run: Path, in_process: None) -> None:
    client.post("/api/making", json={"run": "first", "what": "suspects"})
    now = made(client)
    assert now["phase"] == "finished", now["words"]
    assert (now["done"], now["total"]) == (5, 5)
    found = client.get("/api/runs/first/suspects").json()
    assert found["checked"] is not None
    assert found["words"][0].startswith(f"{found['total']} label")
    assert all(one["label"] != one["predicted"] for one in found["scans"])
    # Nobody corrects a table here.
    assert not any("table" in line for line in found["words"])


@pytest.mark.slow
def test_where_the_extra_is_lacking_the_page_says_what_to_install(
    client: TestClient, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking() -> None:
        raise FewscanError("pip install 'fewscan[onnx]'")

    monkeypatch.setattr(graphs, "require_onnx", lacking)
    assert "fewscan[onnx]" in client.get("/api/runs").json()["onnx_lacks"]
    refused = client.post("/api/making", json={"run": "first", "what": "onnx"})
    assert (refused.status_code, "fewscan[onnx]" in refused.json()["detail"]) == (409, True)


def test_what_was_cancelled_before_it_began_does_not_begin(tmp_path: Path) -> None:
    asked = Commands()
    asked.cancel()
    with pytest.raises(FewscanError, match="cancelled"):
        asked.run("import", tmp_path, "--out", tmp_path / "out")
    asked.close()
    refuse_existing(tmp_path / "out")


def test_what_cannot_be_opened_or_is_not_finished_is_no_run_to_take_from(client: TestClient, run: Path) -> None:
    for name in ("damaged", "half", "second"):
        shutil.copytree(run, run.with_name(name))
    (run.with_name("damaged") / "run.json").write_text("{")
    (run.with_name("half") / MODEL_FILE).unlink()
    assert {one["name"] for one in client.get("/api/runs").json()["runs"]} == {"first", "second"}
    for name, status in (("first", 200), ("second", 200), ("damaged", 404), ("half", 404)):
        assert client.get(f"/api/runs/{name}/suspects").status_code == status


def test_a_damaged_table_of_labels_in_doubt_is_to_be_made_again(client: TestClient, run: Path) -> None:
    (run / PAGE_FOLDER).mkdir()
    for damaged in (b"\xff\xfe\x00", b"path,row\nx,1\n", b"label,predicted,row,copy_of\na,b,1,\na,b,2,first\n"):
        (run / PAGE_FOLDER / "labels_to_check.csv").write_bytes(damaged)
        assert client.get("/api/runs/first/suspects").status_code == 404


def test_a_fault_in_a_command_is_said_and_not_hidden(client: TestClient, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Commands, *words: str | Path) -> str:
        raise ZeroDivisionError

    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(Commands, "run", broken)
    monkeypatch.setattr(threading, "excepthook", told.append)
    client.post("/api/making", json={"run": "first", "what": "report"})
    assert made(client)["phase"] == "failed"
    while not told:
        time.sleep(0.01)
    assert told[0].exc_type is ZeroDivisionError


def test_what_fails_behind_its_command_has_failed_too_and_another_can_begin(
    client: TestClient, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(path: Path, text: str) -> None:
        raise FewscanError("no room")

    monkeypatch.setattr(Commands, "run", lambda self, *words: "9 labels")
    monkeypatch.setattr(taking, "write_text", no_room)
    client.post("/api/making", json={"run": "first", "what": "suspects"})
    assert (made(client)["phase"], made(client)["words"]) == ("failed", "no room")
    client.post("/api/making", json={"run": "first", "what": "report"})
    assert made(client)["phase"] == "finished"


def test_a_page_that_ends_ends_what_it_makes(
    client: TestClient, run: Path, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()

    def waiting(self: Commands, *words: str | Path) -> str:
        waits.wait()
        raise FewscanError("ended")

    monkeypatch.setattr(Commands, "run", waiting)
    client.post("/api/making", json={"run": "first", "what": "report"})
    review.makings.close()
    review.trainings.close()  # of which none runs
    waits.set()
    assert made(client)["phase"] == "cancelled"


def test_what_is_cancelled_as_it_begins_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Commands()
    sent: list[int] = []

    class Beginning:
        def __init__(self, *_: object, **__: object) -> None:
            asked.cancelled = True  # by another thread, just now

        def send_signal(self, number: int) -> None:
            sent.append(number)

        def wait(self) -> int:
            return 143

    monkeypatch.setattr(commands.subprocess, "Popen", Beginning)
    with pytest.raises(FewscanError):
        asked.run("import", tmp_path)
    assert sent == [signal.SIGTERM]


def test_a_new_run_is_held_against_the_pages_model_on_what_neither_has_learned_from(
    client: TestClient, run: Path, review: Review, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(self: Commands, verb: str, data: Path, _: str, out: Path, *words: str) -> str:
        assert verb == "train"
        shutil.copytree(run, out.with_name("being made")).rename(out)
        return ""

    monkeypatch.setattr(Commands, "run", train)
    review.tutor.take(Seen(pixel_features(dataset.pixels)[:, :1], "above or below", None))
    client.post("/api/training", json={"length": "short"})
    while (job := client.get("/api/training").json())["phase"] == "running":
        time.sleep(0.01)
    assert job["phase"] == "finished", job["words"]
    assert job["compared_images"] == len(dataset.snapshot().rows("validation")) > 0
    assert job["before"] == 1
    assert 0 <= job["after"] <= 1


def test_an_encoder_that_learns_first_is_shown_and_gone_on_with_by_the_same_choice(
    client: TestClient, run: Path, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, ...]] = []
    shown: list[dict] = []

    def train(self: Commands, verb: str, data: Path, _: str, out: Path, *words: str) -> str:
        begun.append((out.name, *words))
        if "--unlabeled-first" in words:
            shutil.copytree(run, first_folder(out), dirs_exist_ok=True)
            shown.append(client.get("/api/training").json())
            raise FewscanError("stopped")
        shutil.copytree(run, out.with_name("being made")).rename(out)
        return ""

    monkeypatch.setattr(Commands, "run", train)
    ended = []
    for length in ("first", "probe", "first"):
        client.post("/api/training", json={"length": length})
        while (job := client.get("/api/training").json())["phase"] == "running":
            time.sleep(0.01)
        ended.append((job["phase"], job["unlabeled"]))
    assert [place.rpartition("-")[2] for place, *_ in begun] == ["1", "2", "1"]
    assert all(each["unlabeled"] and each["epochs"] for each in shown)
    assert ended[1] == ("finished", False)
