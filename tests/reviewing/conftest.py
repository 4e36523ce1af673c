"""A review of a small pile without labels, behind the door of this machine."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from fewscan.datasets.dataset import Dataset
from fewscan.reviewing.app import Review, application
from fewscan.reviewing.door import Door
from fewscan.reviewing.serving import reviewed
from tests.made import empty_manifest, write_dataset

CLASSES = ("glioma", "meningioma")
IMAGES = 40
UNREADABLE = 35
ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture(scope="session")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images without labels: odd rows are bright below, even ones above.

    Rows 38 and 39 are copies, 36 and 37 one patient's, and one could not be read.
    """
    random = np.random.default_rng(0)
    pixels = random.integers(0, 90, size=(IMAGES, 1, 16, 16), dtype=np.uint8)
    pixels[::2, :, :8] += 120
    pixels[1::2, :, 8:] += 120
    groups = [*range(36), 36, 36, 38, 38]
    copies = [*range(38), 38, 38]
    aside = [None if row != UNREADABLE else "truncated" for row in range(IMAGES)]
    manifest = empty_manifest(IMAGES, group=groups, copy_set=copies, width_px=16, height_px=16, set_aside=aside)
    return write_dataset(tmp_path_factory.mktemp("pile") / "dataset", pixels, manifest).folder


@pytest.fixture
def dataset(pile: Path, tmp_path: Path) -> Dataset:
    return Dataset.open(shutil.copytree(pile, tmp_path / "dataset"))


@pytest.fixture
def review(dataset: Dataset, tmp_path: Path) -> Review:
    return reviewed(dataset, classes=CLASSES, encoder=None, door=Door.at("127.0.0.1", 8765), runs=tmp_path / "runs")


@pytest.fixture
def client(review: Review) -> TestClient:
    return TestClient(application(review), base_url=ADDRESS)


@pytest.fixture
def decide(client: TestClient) -> Callable[..., dict]:
    """A function that gives a label as a page does, and returns the answer."""

    def send(row: int, label: str | None, reviewer: str = "Ada", **more: object) -> dict:
        asked = {"rows": [row], "state": "label" if label else "none", "label": label, "reviewer": reviewer} | more
        answer = client.post("/api/decisions", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return send
