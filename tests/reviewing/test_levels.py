"""A scan on the page is the file's, in all its gray levels, and at first looks as the dataset stores it."""

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock

import cv2
import numpy as np
import PIL.Image
import pytest
from fastapi.testclient import TestClient

import fewscan
from fewscan.datasets.dataset import Dataset
from fewscan.images.formats.gray import to_8_bit
from fewscan.images.formats.image import Decoded
from fewscan.reviewing import looking
from fewscan.reviewing.app import application
from fewscan.reviewing.door import Door
from fewscan.reviewing.levels import INVERTED, LARGEST_PX, STORED, Levels, levels_of, levels_of_row
from fewscan.reviewing.serving import reviewed
from tests.reviewing.conftest import ADDRESS


def seen_through_window(levels: Levels) -> np.ndarray:
    """What the page paints: a gray value is low + step * level, black at `black`, white at `white`."""
    values = levels.low + levels.step * levels.levels.astype(np.float64)
    return np.rint(np.clip((values - levels.black) / (levels.white - levels.black), 0, 1) * 255)


@pytest.mark.parametrize("kind", ["uint16", "int16", "float32", "uint32", "uint8"])
def test_at_first_it_looks_as_the_dataset_stores_it(kind: str) -> None:
    random = np.random.default_rng(0)
    values = (random.gamma(2, 400, size=(50, 40)) - (500 if kind[0] in "if" else 0)).astype(kind)
    pixels = to_8_bit(values).pixels
    shown = levels_of(Decoded(values, pixels))
    assert np.abs(seen_through_window(shown) - pixels).max() <= 2
    assert np.abs(shown.low + shown.step * shown.levels - values.astype(np.float64)).max() <= shown.step / 2


def test_what_is_shown_inverted_stays_so() -> None:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    pixels = (255 - np.rint(values / 4095 * 255)).astype(np.uint8)
    shown = levels_of(Decoded(values, pixels))
    assert shown.black > shown.white
    assert np.abs(seen_through_window(shown) - pixels).max() <= 2


@pytest.mark.parametrize("kind", ["uint8", "uint16", "color"])
def test_a_negative_is_shown_as_the_dataset_stores_it(kind: str, tmp_path: Path) -> None:
    round_head = cv2.circle(np.zeros((64, 64), np.uint8), (32, 32), 20, (1.0,), -1)
    scan = round_head * np.random.default_rng(0).integers(60, 250, (64, 64)).astype(np.uint8)
    scans = tmp_path / "scans" / "a"
    scans.mkdir(parents=True)
    file = (255 - scan).astype(np.uint16) * 16 if kind == "uint16" else 255 - scan
    if kind == "color":
        file = np.stack([file, file // 2, file], axis=2)
    for number, image in enumerate((file, file[::-1])):
        PIL.Image.fromarray(image).save(scans / f"{number}.png")
    for negatives in ("undo", "keep"):
        dataset = fewscan.import_scans(scans.parent, tmp_path / negatives, crop="none", negatives=negatives, size_px=64)
        (digest, _) = dataset.images.table(["pixels_sha256"])["pixels_sha256"]
        levels = levels_of_row(dataset, 0, "scans", "a/0.png", digest)
        assert (INVERTED in levels.note) == (negatives == "undo")
        if kind == "color":
            assert np.array_equal(levels.levels, 255 - file if negatives == "undo" else file)
        else:
            assert np.abs(seen_through_window(levels) - dataset.pixels[0, 0]).max() <= 2


def test_color_and_large_images_are_bounded() -> None:
    color = np.random.default_rng(0).integers(0, 255, size=(20, 30, 3), dtype=np.uint8)
    shown = levels_of(Decoded(color, color))
    assert (shown.levels == color).all()
    assert json.loads(shown.head)["bits"] == 24
    wide = np.tile(np.arange(3000, dtype=np.uint16), (4, 1))
    shown = levels_of(Decoded(wide, to_8_bit(wide).pixels))
    assert shown.levels.shape[1] == LARGEST_PX
    assert (shown.width, shown.height) == (3000, 4)
    assert shown.note


@pytest.mark.slow
def test_a_file_that_is_gone_or_changed_is_said(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    scans = tmp_path / "scans" / "a"
    scans.mkdir(parents=True)
    values = [random.integers(0, 4000, size=(70, 60)).astype(np.uint16) for _ in range(3)]
    for number, image in enumerate(values):
        PIL.Image.fromarray(image).save(scans / f"{number}.png")
    fewscan.import_scans(scans.parent, tmp_path / "dataset", size_px=16)
    (scans / "1.png").unlink()
    PIL.Image.fromarray(values[0]).save(scans / "2.png")
    door = Door.at("127.0.0.1", 8765)
    page = reviewed(Dataset.open(tmp_path / "dataset"), classes=(), encoder=None, door=door, runs=Path("runs"))
    client = TestClient(application(page), base_url=ADDRESS)
    answers = [client.get(f"/api/scans/{row}/levels") for row in range(3)]
    heads = [json.loads(answer.headers["x-levels"]) for answer in answers]
    assert [head["source"] for head in heads] == ["file", "stored", "stored"]
    assert [head["note"] for head in heads] == ["", STORED, STORED]
    levels = np.frombuffer(answers[0].content, "<u2").reshape(70, 60)
    assert (heads[0]["low"] + heads[0]["step"] * levels == values[0]).all()


def test_many_who_ask_at_once_start_no_reader_each(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, lock = 0, 0, Lock()
    together = Barrier(looking.READ_AT_ONCE, timeout=60)  # a reader waits until as many read as may

    def slow(dataset: Dataset, row: int, *_: str) -> Levels:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        together.wait()
        time.sleep(0.01)  # for one more, if one could come
        with lock:
            at_once -= 1
        return Levels(np.full((1, 1), row, np.uint8), 1, 1, 0.0, 1.0, 0.0, 255.0, "file", "")

    monkeypatch.setattr(looking, "levels_of_row", slow)
    with ThreadPoolExecutor(8) as people:
        asked = list(people.map(lambda row: client.get(f"/api/scans/{row}/levels").content, range(12)))
    assert asked == [bytes([row]) for row in range(12)]
    assert most == looking.READ_AT_ONCE


@pytest.mark.parametrize("dark", [True, False])
def test_a_scan_that_is_all_dark_or_all_bright_is_shown_through_a_window_of_its_own(dark: bool) -> None:
    values = np.linspace(100, 900, 400).reshape(20, 20).astype(np.float32)
    pixels = np.full((20, 20), 10 if dark else 240, np.uint8)
    shown = levels_of(Decoded(values, pixels))
    assert np.ptp(seen_through_window(shown)) > 200


def test_what_was_looked_at_last_is_not_read_again(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def found(dataset: Dataset, row: int, *_: str) -> Levels:
        read.append(row)
        return Levels(np.full((1, 1), row, np.uint8), 1, 1, 0.0, 1.0, 0.0, 255.0, "file", "")

    monkeypatch.setattr(looking, "levels_of_row", found)
    monkeypatch.setattr(looking, "KEPT_IMAGES", 2)
    asked = [0, 1, 0, 2, 0, 1]
    assert [client.get(f"/api/scans/{row}/levels").content for row in asked] == [bytes([row]) for row in asked]
    assert read == [0, 1, 2, 1]


def test_a_thumbnail_is_the_stored_scan_as_a_small_picture(client: TestClient, dataset: Dataset) -> None:
    picture = PIL.Image.open(io.BytesIO(client.get("/api/scans/3/thumbnail.png").content))
    assert (np.asarray(picture) == dataset.pixels[3, 0]).all()
