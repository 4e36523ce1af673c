"""A training in the background, an uploaded scan, and the labels as a table."""

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from fastapi.testclient import TestClient

import fewscan
from fewscan.datasets.dataset import DATASET_FILE, Dataset
from fewscan.evaluation.typicality import IN_COLOR
from fewscan.images.formats.reading import Reading
from fewscan.images.listing import list_file
from fewscan.reviewing import commands
from fewscan.reviewing.app import Review
from fewscan.reviewing.commands import Commands
from fewscan.reviewing.guard import MAX_UPLOAD_BYTES
from fewscan.reviewing.seeing import Seen, pixel_features
from fewscan.reviewing.taking import Making
from fewscan.reviewing.training import Job
from fewscan.training.continuing import asked_encoder, ready_encoder
from fewscan.training.encoding import VIEWS, features_of
from fewscan.training.run import Run
from tests.images.formats.dicom_objects import CT, saved, scan
from tests.processes import Begun
from tests.reviewing.conftest import CLASSES

Decide = Callable[..., dict]
BYTES = {"content-type": "application/octet-stream"}


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def upload(client: TestClient, content: bytes, kind: str = "png") -> tuple[int, dict]:
    answer = client.post("/api/predict", params={"kind": kind}, content=content, headers=BYTES)
    return answer.status_code, answer.json()


@pytest.fixture
def taught(decide: Decide, review: Review) -> None:
    """Twelve labels, and a model on features of a small encoder with random weights."""
    torch.manual_seed(0)
    ready = ready_encoder(asked_encoder("resnet_small", weights=None), review.desk.dataset.description.spec)
    features = features_of(ready.encoder, torch.from_numpy(np.array(review.desk.dataset.pixels)), VIEWS[:1])[:, 0].numpy()
    for row in range(12):
        decide(row, CLASSES[row % 2])
    review.tutor.take(Seen(features, "random weights", ready))
    review.tutor.learn()


@pytest.mark.slow
def test_an_uploaded_scan_is_called_as_the_same_scan_of_the_dataset(client: TestClient, review: Review, taught: None) -> None:
    opinion = review.tutor.opinion
    assert opinion is not None
    for row in (20, 21):
        status, said = upload(client, png(review.desk.dataset.pixels[row, 0]))
        assert status == 200
        shares = {one["label"]: one["probability"] for one in said["shares"]}
        assert shares == pytest.approx(opinion.of(row), abs=1e-3)
        assert said["labels"] == 12
        assert not said["out_of_distribution"]
    # What the page sees otherwise from now on says nothing of a model that has not learned from that yet.
    review.tutor.take(Seen(np.zeros((len(review.desk.dataset.pixels), 3), np.float32), "pixels alone", None))
    assert upload(client, png(review.desk.dataset.pixels[21, 0])) == (status, said)
    # What is no scan has a class, too, and is said to be none, as is what shows color.
    board = np.kron(np.indices((4, 4)).sum(axis=0) % 2, np.ones((4, 4))).astype(np.uint8) * 255
    assert upload(client, png(board))[1]["out_of_distribution"]
    gray = review.desk.dataset.pixels[20, 0]
    said = upload(client, png(np.stack([gray, gray // 2, gray // 3], axis=2)))[1]
    assert said["out_of_distribution"]
    assert said["notes"] == [IN_COLOR]


@pytest.mark.slow
def test_what_is_to_be_known_of_an_uploaded_file_is_said(client: TestClient, taught: None, tmp_path: Path) -> None:
    head = np.pad(np.full((60, 60), 90, np.uint8), 20)
    assert upload(client, png(head))[1]["notes"] == []
    path = tmp_path / "scan.dcm"
    saved(scan(head.astype("<u2"), CT, WindowCenter=[40, 600], WindowWidth=[80, 2800]), path)
    (window,) = list_file(path, Reading())[0].notes
    assert upload(client, path.read_bytes(), "dcm")[1]["notes"] == [window]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "png"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "png"),
        (b"<script>", "dcm"),
        (bytes(400), "nii.gz"),
        (png(np.zeros((20, 20), np.uint8)), "png"),
        (np.lib.format.magic(1, 0) + b"\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (100000, 100000)}", "npy"),
    ],
)
def test_a_file_that_is_no_scan_is_refused_with_a_reason(client: TestClient, taught: None, content: bytes, kind: str) -> None:
    status, said = upload(client, content, kind)
    assert status == 400
    assert said["detail"]


@pytest.mark.slow
def test_uploads_are_bounded_and_of_known_kinds(client: TestClient, taught: None) -> None:
    assert upload(client, bytes(MAX_UPLOAD_BYTES + 1))[0] == 413
    for kind in ("exe", "../../etc/passwd", "png\x00", ""):
        assert upload(client, b"x", kind)[0] == 422


def test_before_there_is_a_model_nothing_is_said(client: TestClient) -> None:
    assert upload(client, png(np.eye(20, dtype=np.uint8) * 255))[0] == 409


@pytest.mark.slow
def test_a_model_of_pixels_alone_knows_no_other_scan(client: TestClient, decide: Decide, review: Review) -> None:
    review.tutor.take(Seen(pixel_features(review.desk.dataset.pixels), "pixels", None))
    for row in range(8):
        decide(row, CLASSES[row % 2])
    review.tutor.learn()
    assert upload(client, png(np.eye(20, dtype=np.uint8) * 255))[0] == 409


@pytest.mark.slow
def test_the_table_of_labels_is_taken_back_as_it_is(
    client: TestClient, decide: Decide, dataset: Dataset, tmp_path: Path
) -> None:
    decide(3, "glioma")
    decide(4, None, state="unsure")
    (tmp_path / "labels.csv").write_bytes(client.get("/api/labels.csv").content)
    found = fewscan.set_labels(dataset.folder, tmp_path / "labels.csv", dry_run=True)
    assert len(found.changes.rows) == 0
    assert found.changes.unchanged >= 2


def ended(client: TestClient) -> dict:
    while (job := client.get("/api/training").json())["phase"] == "running":
        time.sleep(0.05)
    return job


def test_without_labels_of_two_classes_nothing_is_trained(client: TestClient, decide: Decide) -> None:
    decide(3, "glioma")
    assert client.post("/api/training", json={}).status_code == 409
    assert client.post("/api/training", json={"resume": True}).status_code == 409
    assert client.post("/api/training/cancel", json={}).status_code == 409
    assert client.post("/api/training/use", json={}).status_code == 409


def test_what_ended_before_its_cancel_came_is_told_as_it_ended(client: TestClient, review: Review) -> None:
    review.trainings.standing, review.makings.standing = Job("finished", run="first"), Making("failed", words="no room")
    for what, phase in (("training", "finished"), ("making", "failed")):
        answer = client.post(f"/api/{what}/cancel", json={})
        assert (answer.status_code, answer.json()["phase"]) == (200, phase)


@pytest.mark.slow  # it starts processes
def test_a_training_runs_in_the_background_is_cancelled_gone_on_with_and_another_ends_and_is_taken(
    client: TestClient, decide: Decide, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = subprocess.Popen

    def begun(line: list[str], **options: Any) -> Any:
        # As it is for a user, but that the program begins in what has loaded PyTorch: so are the options heeded.
        start([sys.executable, "-S", "-c", ""], **options).wait()
        return Begun(line, **options)

    monkeypatch.setattr(commands.subprocess, "Popen", begun)
    for row in range(20):
        decide(row, CLASSES[row % 2])
    assert client.post("/api/training", json={"length": "short"}).status_code == 200
    assert client.post("/api/training", json={"length": "short"}).status_code == 409
    while not (job := client.get("/api/training").json())["epoch"]:
        assert job["phase"] == "running", job["words"]
        time.sleep(0.1)
    client.post("/api/training/cancel", json={})
    job = ended(client)
    assert job["phase"] == "cancelled"
    assert job["unfinished"] == Path(job["run"]).name
    client.post("/api/training", json={"resume": True})
    while (again := client.get("/api/training").json())["command"] != "train":
        assert again["phase"] == "running", again["words"]
        time.sleep(0.05)
    review.trainings.close()
    assert ended(client)["phase"] == "cancelled"
    client.post("/api/training", json={"length": "probe"})
    job = ended(client)
    assert job["phase"] == "finished", job["words"]
    assert Run.open(job["run"]).finished
    assert client.post("/api/training/use", json={}).json()["used"]
    assert review.tutor._encoder == job["run"]


def test_a_command_that_takes_long_to_end_does_not_keep_the_page_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"
    process = subprocess.Popen([sys.executable, "-S", "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    monkeypatch.setattr(commands, "CANCEL_SECONDS", 0.05)
    commands.Commands(_process=process).close()
    assert process.poll() is None
    process.communicate(b"\n")


def test_a_dataset_is_audited_and_split_before_it_is_trained_on_and_a_fault_is_not_hidden(
    client: TestClient, decide: Decide, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = review.desk.dataset.folder
    unaudited = json.loads((folder / DATASET_FILE).read_text()) | {"audit": None}
    (folder / DATASET_FILE).write_text(json.dumps(unaudited))
    for row in range(4):
        decide(row, CLASSES[row % 2])
    assert client.post("/api/training", json={"resume": True}).status_code == 409
    verbs: list[str] = []
    told: list[threading.ExceptHookArgs] = []

    def run(self: Commands, *words: str | Path) -> str:
        verbs.append(str(words[0]))
        return ""

    monkeypatch.setattr(Commands, "run", run)
    monkeypatch.setattr(threading, "excepthook", told.append)
    monkeypatch.setattr(review.trainings, "_compared", lambda run: 1 / 0)
    client.post("/api/training", json={"length": "probe"})
    assert ended(client)["phase"] == "failed"
    assert verbs == ["audit", "split", "train"]
    while not told:
        time.sleep(0.01)
    assert told[0].exc_type is ZeroDivisionError
