"""What others do to the dataset while the page is open is seen without a restart, and nothing of the page is lost by it."""

import shutil
import time
from pathlib import Path
from threading import Event

import numpy as np
import PIL.Image
import pytest
from fastapi.testclient import TestClient

from fewscan.auditing.adding import add_scans
from fewscan.datasets.dataset import DATASET_FILE, Dataset
from fewscan.errors import FewscanError
from fewscan.reviewing.app import Review, application
from fewscan.reviewing.commands import Commands
from fewscan.reviewing.renewing import Renewing
from fewscan.reviewing.seeing import Seen, pixel_features
from fewscan.splits.split import split
from tests.reviewing.conftest import ADDRESS, CLASSES, IMAGES

ADA = {"reviewer": "Ada"}


@pytest.fixture
def renewing(review: Review) -> Renewing:
    return Renewing(review, application, settled_seconds=0)


@pytest.fixture
def page(renewing: Renewing) -> TestClient:
    return TestClient(renewing, base_url=ADDRESS)


def test_without_a_change_nothing_is_made_anew(renewing: Renewing, page: TestClient) -> None:
    page.post("/api/decisions", json={"rows": [0], "state": "label", "label": "glioma"} | ADA)
    assert not renewing.look()
    assert page.get("/api/status").json()["revision"] == 0


def test_scans_that_were_added_and_a_split_are_seen(
    renewing: Renewing, page: TestClient, dataset: Dataset, tmp_path: Path
) -> None:
    for row in range(20):
        said = {"rows": [row], "state": "label", "label": CLASSES[row % 2]} | ADA
        assert page.post("/api/decisions", json=said).status_code == 200
    page.post("/api/skip", json={"row": 30} | ADA)
    page.post("/api/classes", json={"name": "pituitary"})
    (tmp_path / "more").mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 255, (16, 16), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "more" / f"{number}.png")
    # The additions of an audited dataset are compared by descriptions, which are made anew here.
    add_scans(dataset, [str(tmp_path / "more")])
    split(Dataset.open(dataset.folder).unsplit(), labeled=8, test=6, seed=0)
    assert renewing.look()
    assert not renewing.look()
    status = page.get("/api/status", params=ADA).json()
    assert status["scans"] == IMAGES - 1 + 2
    assert status["revision"] == 1
    assert "2 new images" in status["news"]
    assert "split main" in status["news"]
    assert status["classes"] == [*CLASSES, "pituitary"]
    assert status["counts"] == {"glioma": 10, "meningioma": 10, "pituitary": 0, "unsure": 0, "not a scan": 0}
    asked = [one["row"] for one in page.get("/api/next", params=ADA | {"count": 100}).json()["scans"]]
    assert {IMAGES, IMAGES + 1} <= set(asked)
    assert asked[-1] == 30
    assert page.get(f"/api/scans/{IMAGES}", params=ADA).status_code == 200
    judged = Dataset.open(dataset.folder).snapshot().rows("test", "validation")
    assert not renewing.review.desk.eligible[judged].any()
    assert renewing.review.trainings.desk is renewing.review.makings.desk is renewing.review.desk


def test_an_answer_that_is_sent_again_counts_once_also_where_the_dataset_changed_meanwhile(
    renewing: Renewing, page: TestClient, dataset: Dataset
) -> None:
    for reviewer, label in (("Ada", "glioma"), ("Grace", "meningioma")):
        page.post("/api/decisions", json={"rows": [3], "state": "label", "label": label, "reviewer": reviewer})
    settled = {"rows": [3], "state": "label", "label": "glioma", "settles": True, "answer_id": "one"} | ADA
    first = page.post("/api/decisions", json=settled)
    dataset.pair_decisions.enter(3, 4, "apart")
    assert renewing.look()
    before = dataset.labels.last
    assert page.post("/api/decisions", json=settled).json() == first.json()
    assert dataset.labels.last == before


def test_features_of_the_same_images_are_kept(renewing: Renewing, page: TestClient, review: Review, dataset: Dataset) -> None:
    seen = Seen(pixel_features(dataset.pixels), "pixels", None)
    review.tutor.take(seen)
    dataset.pair_decisions.enter(3, 4, "apart")
    assert renewing.look()
    # Who judged them knows; what was news before is none once more.
    assert page.get("/api/status").json()["revision"] == 0
    assert renewing.review.tutor.seen is seen
    assert page.get("/api/status").json()["news"] == ""


def test_what_a_training_of_the_page_makes_is_no_news_and_what_others_make_is(
    renewing: Renewing, page: TestClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing, drawn = Event(), Event()

    def run(self: Commands, *words: str | Path) -> str:
        if words[0] == "split":
            split(Dataset.open(dataset.folder).unsplit(), labeled=8, test=6, seed=0)
            drawing.set()
            assert drawn.wait(60)
            return ""
        raise FewscanError("no more is asked here")

    monkeypatch.setattr(Commands, "run", run)
    for row in range(20):
        said = {"rows": [row], "state": "label", "label": CLASSES[row % 2]} | ADA
        assert page.post("/api/decisions", json=said).status_code == 200
    assert page.post("/api/training", json={"length": "probe"}).status_code == 200
    assert drawing.wait(60)
    # While the command runs, nobody knows yet that it was this one.
    assert not renewing.look()
    drawn.set()
    while page.get("/api/training").json()["phase"] == "running":
        time.sleep(0.01)
    assert renewing.look()
    status = page.get("/api/status").json()
    assert (status["revision"], status["news"]) == (0, "")
    # The page goes by its split all the same.
    judged = Dataset.open(dataset.folder).snapshot().rows("test", "validation")
    assert len(judged)
    assert not renewing.review.desk.eligible[judged].any()
    split(Dataset.open(dataset.folder).unsplit(), name="second", labeled=8, test=6, seed=1)
    assert renewing.look()
    status = page.get("/api/status").json()
    assert status["revision"] == 1
    assert "second" in status["news"]
    assert "main" not in status["news"]


def test_a_dataset_that_is_gone_is_said_once_and_the_page_goes_on(
    renewing: Renewing, page: TestClient, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(dataset.folder / DATASET_FILE, dataset.folder / "elsewhere")
    assert not renewing.look()
    assert not renewing.look()
    assert capsys.readouterr().err.count("\n") == 1
    assert page.get("/api/status").status_code == 200
    shutil.move(dataset.folder / "elsewhere", dataset.folder / DATASET_FILE)
    renewing.look()
    assert page.get("/api/status").status_code == 200


def test_a_dataset_that_is_still_being_written_is_waited_for(review: Review, dataset: Dataset) -> None:
    patient = Renewing(review, application, settled_seconds=3600)
    dataset.pair_decisions.enter(3, 4, "apart")
    assert not patient.look()
    assert not patient.look()
