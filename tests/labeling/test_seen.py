"""Scans that a run has seen already are marked, and the promise is not about them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.readers import Image, read_image, read_images
from fewscan.images.stored import StoredImages
from fewscan.labeling.label import label_scans, label_unlabeled
from fewscan.labeling.seen import Seen
from fewscan.labeling.small_pictures import SmallPictures
from fewscan.phantoms import draw_phantom
from fewscan.training.run import Run

UntrainedRun = Callable[[Snapshot], Run]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scans").mkdir()
    return tmp_path / "scans"


def saved(dataset: Snapshot, row: int, path: Path) -> Path:
    PIL.Image.fromarray(dataset.pixels[row, 0]).save(path)
    return path


def marks(run: Run, dataset: Snapshot, folder: Path, *, near: bool = True) -> dict[str, str | None]:
    summary = label_scans(run, dataset, folder, folder.parent / "labels.csv", near=near)
    table = pd.read_csv(folder.parent / "labels.csv", dtype={"seen": object})
    seen = table["seen"].where(table["seen"].notna(), None)
    assert summary.seen == seen.value_counts().sort_index().to_dict()
    return dict(zip(table["path"], seen, strict=True))


@pytest.mark.slow
def test_the_same_pixels_in_another_file_are_marked_by_the_part_they_are_in(
    practice_dataset: Snapshot, untrained_run: UntrainedRun, folder: Path
) -> None:
    parts = {"labeled": "learned from", "validation": "validation set", "test": "test set", "unlabeled": None}
    rows = {part: int(practice_dataset.rows(part)[3]) for part in parts}
    hashes = practice_dataset.manifest["pixels_sha256"].copy()
    for part, row in rows.items():
        hashes[row] = read_image(saved(practice_dataset, row, folder / f"{part}.png")).pixels_sha256
    (folder / "broken.png").write_text("no picture")
    dataset = replace(practice_dataset, manifest=practice_dataset.manifest.assign(pixels_sha256=hashes))
    found = marks(untrained_run(dataset), dataset, folder, near=False)
    # `supervised` learns from no unlabeled scan.
    assert found == {f"{part}.png": word for part, word in parts.items()} | {"broken.png": None}


@pytest.mark.slow
def test_near_duplicates_are_marked_and_new_scans_are_not(
    practice_dataset: Snapshot, untrained_run: UntrainedRun, folder: Path
) -> None:
    for number, row in enumerate(practice_dataset.rows("labeled")[:6]):
        image = PIL.Image.fromarray(practice_dataset.pixels[row, 0])
        mirrored = image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
        changed = (mirrored, image.resize((200, 200)), image.point(lambda value: 0.7 * value))
        changed[number % 3].save(folder / f"copy{number}.jpg", quality=90)
    random = np.random.default_rng(99)
    for number in range(6):
        pixels = draw_phantom(random, practice_dataset.classes[number % 4], size_px=48).pixels
        PIL.Image.fromarray(pixels).save(folder / f"new{number}.png")
    run = untrained_run(practice_dataset)
    found = marks(run, practice_dataset, folder)
    assert {name: word for name, word in found.items() if word} == {f"copy{number}.jpg": "learned from" for number in range(6)}


@pytest.mark.slow
def test_copies_of_what_was_learned_from_were_seen_too(split_dataset: Snapshot, untrained_run: UntrainedRun) -> None:
    labeled, unlabeled = int(split_dataset.rows("labeled")[0]), split_dataset.rows("unlabeled")
    copy_set = split_dataset.manifest["copy_set"].copy()
    copy_set[unlabeled[0]] = copy_set[labeled]
    dataset = replace(split_dataset, manifest=split_dataset.manifest.assign(copy_set=copy_set))
    run = untrained_run(dataset)
    assert Seen(run, dataset).rows(unlabeled[:2]) == ["learned from", None]
    assert label_unlabeled(run, dataset, run.folder / "labels.csv").seen == {"learned from": 1}


def test_what_was_seen_is_described_once_whichever_thread_asks_first(
    practice_dataset: Snapshot, untrained_run: UntrainedRun, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described: list[int] = []
    describe = SmallPictures.of

    def counted(pixels: StoredImages, rows: np.ndarray) -> SmallPictures:
        described.append(len(rows))
        return describe(pixels, rows)

    monkeypatch.setattr(SmallPictures, "of", counted)
    copy = saved(practice_dataset, int(practice_dataset.rows("labeled")[0]), folder / "copy.jpg")
    images = [image for image in read_images([copy], practice_dataset.spec) if isinstance(image, Image)]
    seen, together = Seen(untrained_run(practice_dataset), practice_dataset), threading.Barrier(4, timeout=60)

    def marked(_: int) -> list[str | None]:
        together.wait()
        return seen.scans(images)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(marked, range(4))) == [["learned from"]] * 4
    assert len(described) == 1
