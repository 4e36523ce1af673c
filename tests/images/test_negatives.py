"""Scans that are black for white are told and inverted, and nothing else is."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import fewscan
from fewscan.datasets.dataset import DATASET_FILE, Dataset
from fewscan.datasets.importing import summary
from fewscan.errors import FewscanError
from fewscan.images.crop import Box, foreground_box, shown
from fewscan.images.grid import small_grid
from fewscan.images.negatives import is_negative, lies_on_dark
from fewscan.images.options import Crop, ImageSpec
from fewscan.images.readers import read_images
from tests.images.test_crop import HEAD, LARGE, SIDE, SMALL, blob, chest, head

UNDO = ImageSpec(size_px=16, negatives="undo", crop="foreground")


def negative(image: np.ndarray, contrast: float = 1.0) -> np.ndarray:
    return np.rint(127.5 - contrast * (image.astype(np.float64) - 127.5)).astype(np.uint8)


def noisy(image: np.ndarray, deviation: float) -> np.ndarray:
    return np.clip(np.rint(image + np.random.default_rng(0).normal(0, deviation, image.shape)), 0, 255).astype(np.uint8)


def framed(image: np.ndarray, width: int = 6) -> np.ndarray:
    whole = image.copy()
    whole[:width], whole[-width:], whole[:, :width], whole[:, -width:] = 255, 255, 255, 255
    return whole


def scenes(count: int) -> Iterator[np.ndarray]:
    """Yield pictures of all sizes: an even middle, and around it four sides, each of its own gray and width, with noise."""
    random = np.random.default_rng(0)
    for number in range(count):
        height, width = random.integers(40, 300, 2)
        image = np.full((height, width, 3)[: 2 + number % 2], random.integers(256), np.float64)
        for side in random.permutation(4):
            rows = np.rot90(image, side)
            rows[: random.integers(1, 1 + len(rows) // 2)] = random.integers(256)
        yield np.clip(image + random.normal(0, random.choice([0, 5, 40]), image.shape), 0, 255).astype(np.uint8)


def test_what_surely_lies_on_dark_is_no_negative() -> None:
    sure = [(lies_on_dark(image), is_negative(small_grid(image))) for image in scenes(2000)]
    assert (True, True) not in sure
    assert {(True, False), (False, True), (False, False)} == set(sure)
    assert lies_on_dark(head())


@pytest.mark.parametrize("box", [SMALL, HEAD, LARGE])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(negative, id="plain"),
        pytest.param(lambda image: negative(image, 0.2), id="little contrast"),
        pytest.param(lambda image: noisy(negative(image, 0.8), 20), id="noise"),
        pytest.param(lambda image: negative(image) // 2, id="dark"),
        pytest.param(lambda image: np.repeat(negative(image)[..., None], 3, axis=2), id="three channels"),
    ],
)
def test_a_negative_is_told_whatever_its_contrast(change: Callable[[np.ndarray], np.ndarray], box: Box) -> None:
    assert is_negative(small_grid(change(head(box))))


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(head(), id="scan"),
        pytest.param(head(LARGE), id="scan that fills its frame"),
        pytest.param(noisy(head(), 20), id="noise"),
        pytest.param(framed(head()), id="white frame"),
        pytest.param(framed(head(), 2), id="thin white frame"),
        pytest.param(np.pad(head(), 40, constant_values=255), id="white margin"),
        pytest.param(np.maximum(head(), 120), id="on gray"),
        pytest.param(head()[90:160, 90:150], id="tissue from inside a head"),
        pytest.param(blob(), id="tissue with a bright spot"),
        pytest.param(chest(), id="chest radiograph"),
        pytest.param(np.zeros((40, 50), np.uint8), id="black"),
        pytest.param(np.full((40, 50), 255, np.uint8), id="white"),
        pytest.param(np.full((1, 1), 90, np.uint8), id="one pixel"),
        pytest.param(np.tile(np.arange(SIDE, dtype=np.uint8), (SIDE, 1)), id="ramp"),
        pytest.param(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8), id="pure noise"),
    ],
)
def test_what_does_not_lie_on_white_is_no_negative(image: np.ndarray) -> None:
    assert not is_negative(small_grid(image))
    assert shown(image, UNDO).whole is image


@pytest.mark.parametrize("crop", ["none", "foreground"])
def test_of_an_undone_negative_all_is_as_of_the_scan(crop: Crop) -> None:
    spec = UNDO.model_copy(update={"crop": crop})
    scan, undone = shown(head(), spec), shown(255 - head(), spec)
    assert (scan.negative, undone.negative) == (False, True)
    assert scan.box == undone.box == (foreground_box(head()) if crop == "foreground" else None)
    np.testing.assert_array_equal(scan.whole, undone.whole)
    np.testing.assert_array_equal(scan.pixels, undone.pixels)
    assert not shown(255 - head(), ImageSpec(crop=crop)).negative


def write(folder: Path, images: list[np.ndarray]) -> Path:
    for number, image in enumerate(images):
        path = folder / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(path)
    return folder


BOXES = [SMALL, LARGE, HEAD, Box(30, 40, 150, 190)]
HEADS = [head(box) for box in BOXES]


@pytest.mark.parametrize("crop", ["none", "foreground"])
def test_an_import_of_negatives_stores_what_one_of_the_scans_does(crop: Crop, tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", HEADS)
    mixed = write(tmp_path / "mixed", [HEADS[0], 255 - HEADS[1], HEADS[2], HEADS[3]])
    told, undone = (
        fewscan.import_scans(f"scans={folder}", tmp_path / f"{folder.name}-data", crop=crop, negatives="undo", size_px=16)
        for folder in (plain, mixed)
    )
    np.testing.assert_array_equal(told.pixels, undone.pixels)
    np.testing.assert_array_equal(told.images.whole, undone.images.whole)
    # The hash is of what the file holds, and it is said how many were inverted.
    hashes = [one.images.table(["pixels_sha256"])["pixels_sha256"] for one in (told, undone)]
    turned = [path.endswith("01.png") for path in undone.images.table(["path"])["path"]]
    assert (hashes[0] != hashes[1]).tolist() == turned
    assert summary(told.snapshot()).notes == ()
    (note,) = summary(undone.snapshot()).notes
    assert (note.note.partition(":")[0], note.images, note.example) == ("negative", 1, "b/01.png")
    # What is added later, and what is read for a label, are read alike.
    later = write(tmp_path / "later", [255 - HEADS[2], HEADS[0]])
    fewscan.add_scans(undone, later)
    added = Dataset.open(undone.folder)
    assert summary(added.snapshot()).notes[0].images == 2
    assert {image.tobytes() for image in added.pixels[4:]} <= {image.tobytes() for image in told.pixels}
    (read,) = read_images([later / "a" / "00.png"], undone.images.spec)
    np.testing.assert_array_equal(read.pixels, added.pixels[4])


def test_negatives_that_are_kept_stay_what_they_are_and_the_dataset_is_described_as_before(tmp_path: Path) -> None:
    source = write(tmp_path / "scans", [*HEADS[:3], 255 - HEADS[3]])
    kept = fewscan.import_scans(source, tmp_path / "kept", crop="none", negatives="keep", size_px=16)
    undone = fewscan.import_scans(source, tmp_path / "undone", crop="none", negatives="undo", size_px=16)
    np.testing.assert_array_equal(kept.pixels[3], 255 - undone.pixels[3])
    np.testing.assert_array_equal(kept.pixels[:3], undone.pixels[:3])
    assert kept.images.identity != undone.images.identity
    assert "negatives" not in json.loads((kept.folder / DATASET_FILE).read_text())["spec"]
    assert json.loads((undone.folder / DATASET_FILE).read_text())["spec"]["negatives"] == "undo"
    assert Dataset.open(kept.folder).images.spec == ImageSpec(size_px=16)
    assert Dataset.open(undone.folder).images.spec == ImageSpec(size_px=16, negatives="undo")


@pytest.mark.parametrize(
    ("negatives", "chosen", "said"),
    [
        pytest.param(0, "undo", [], id="none, and nothing to say"),
        pytest.param(1, "undo", ["1 of 10", "--negatives undo)", "--negatives keep"], id="one in ten"),
        pytest.param(2, "keep", ["2 of 10", "--negatives keep)", "--negatives undo"], id="more: white may be how they are"),
    ],
)
def test_it_is_chosen_by_a_look_at_the_scans(negatives: int, chosen: str, said: list[str], tmp_path: Path) -> None:
    heads = [head(Box(40 + number, 40, 190, 200)) for number in range(10)]
    source = write(tmp_path / "scans", [255 - image if number < negatives else image for number, image in enumerate(heads)])
    plan = fewscan.plan_import(source, crop="none", size_px=16)
    assert plan == fewscan.plan_import(source, crop="none", negatives="auto", size_px=16)
    assert len(plan.chosen) == (negatives > 0)
    assert all(words in plan.chosen[0] for words in said)
    assert fewscan.plan_import(source, crop="none", negatives=chosen, size_px=16).chosen == ()
    dataset = fewscan.import_scans(source, tmp_path / "data", crop="none", size_px=16)
    assert dataset.images.spec == ImageSpec(size_px=16, negatives=chosen)


def test_color_is_never_inverted_and_asking_for_it_is_refused(
    fewscan: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    stain = np.full((64, 64, 3), 250, np.uint8)
    stain[20:44, 16:48] = (160, 60, 140)
    source = write(tmp_path / "scans", [stain] * 2)
    done = fewscan("import", source, "--out", tmp_path / "data", "--color", "--size", 16)
    assert done.returncode == 0, done.stderr
    assert Dataset.open(tmp_path / "data").images.spec == ImageSpec(size_px=16, channels=3)
    refused = fewscan("import", source, "--out", tmp_path / "no", "--color", "--negatives", "undo")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "negatives" in refused.stderr
    assert not (tmp_path / "no").exists()
    with pytest.raises(FewscanError, match="gray"):
        ImageSpec.parse({"negatives": "undo", "channels": 3})
