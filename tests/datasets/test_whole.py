"""Where scans are cropped, they are kept whole besides: copies are told by these, as among scans that are not cropped."""

import json
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

import fewscan
from fewscan.auditing.audit import audit
from fewscan.datasets.dataset import DATASET_FILE, Dataset
from fewscan.errors import FewscanError
from fewscan.images.readers import fitted
from fewscan.images.store import IMAGES_FOLDER, PIXELS_FILE, WHOLE_FILE
from fewscan.verifying.verify import verify
from tests.images.test_crop import HEAD, LARGE, SMALL, head, scans

SIZE_PX = 32


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return scans(tmp_path / "scans", [SMALL, LARGE, HEAD, SMALL])


def imported(source: Path, folder: Path, crop: str) -> Dataset:
    return fewscan.import_scans(source, folder, crop=crop, size_px=SIZE_PX)


def forgotten(dataset: Dataset) -> Dataset:
    """The dataset as a version made it that kept no whole scans."""
    said = json.loads((dataset.folder / DATASET_FILE).read_text())
    for shard in said["shards"]:
        del shard["whole_sha256"]
    (dataset.folder / DATASET_FILE).write_text(json.dumps(said))
    (dataset.folder / IMAGES_FOLDER / WHOLE_FILE).unlink()
    return Dataset.open(dataset.folder)


def test_whole_scans_are_those_of_a_dataset_without_a_crop(source: Path, tmp_path: Path) -> None:
    plain, cropped = (imported(source, tmp_path / crop, crop) for crop in ("none", "foreground"))
    later = scans(tmp_path / "later", [HEAD, LARGE])
    (later / "a" / "broken.png").write_bytes(b"")
    for dataset in (plain, cropped):
        fewscan.add_scans(dataset, later)
    plain, cropped = (Dataset.open(dataset.folder) for dataset in (plain, cropped))
    assert cropped.images.rows == 7
    np.testing.assert_array_equal(cropped.images.whole, plain.pixels)
    np.testing.assert_array_equal(cropped.snapshot().whole, plain.pixels)
    np.testing.assert_array_equal(cropped.pixels[0], fitted(head(SMALL), cropped.images.spec))
    assert (cropped.pixels[0] != cropped.images.whole[0]).any()
    assert not verify(cropped.folder).faults
    # Without a crop there is one file, and nothing is said of another.
    assert plain.images.whole is plain.pixels
    assert not (plain.folder / IMAGES_FOLDER / WHOLE_FILE).exists()
    assert "whole_sha256" not in (plain.folder / DATASET_FILE).read_text()


@pytest.mark.slow  # two audits
def test_the_audit_finds_what_it_finds_without_a_crop(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(6):
        box = HEAD._replace(left=int(random.integers(30, 70)), top=int(random.integers(30, 60)))
        image = head(box, level=int(random.integers(60, 120)))
        blots = cv2.GaussianBlur(random.normal(0, 400, image.shape), (0, 0), 6)
        image = np.clip(image + blots * (image > 0), 0, 255).astype(np.uint8)
        (tmp_path / "in" / "x").mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(tmp_path / "in" / "x" / f"{number}.png")
        # Cut into, so that it fills its frame and stays whole where its original is cropped.
        PIL.Image.fromarray(image[70:186, 85:155]).save(tmp_path / "in" / "x" / f"{number}-cut.png")
    plain, cropped = (audit(imported(tmp_path / "in", tmp_path / crop, crop)) for crop in ("none", "foreground"))
    assert plain.pairs == cropped.pairs
    assert len(plain.pairs) > 0
    assert not cropped.cropped
    assert "cropped scans" not in " ".join(cropped.lines())


@pytest.mark.slow  # an audit
def test_a_dataset_cropped_before_whole_scans_were_kept_goes_on_and_its_audit_says_so(source: Path, tmp_path: Path) -> None:
    dataset = forgotten(imported(source, tmp_path / "data", "foreground"))
    assert dataset.images.whole is dataset.pixels
    fewscan.add_scans(dataset, scans(tmp_path / "later", [LARGE]))
    dataset = Dataset.open(dataset.folder)
    assert dataset.images.rows == 5
    assert not (dataset.folder / IMAGES_FOLDER / WHOLE_FILE).exists()
    assert not verify(dataset.folder).faults
    result = audit(dataset)
    assert result.cropped
    assert result.counts()["looked_at_cropped_scans"]
    assert result.cropped_sentence in result.lines()


def test_an_addition_that_was_stopped_is_written_over(source: Path, tmp_path: Path) -> None:
    images = imported(source, tmp_path / "data", "foreground").images
    one = np.full(images.spec.shape, 7, np.uint8)
    with pytest.raises(ZeroDivisionError), images.appending() as shard:
        shard.write(one, {}, one + 1)
        raise ZeroDivisionError
    with images.appending() as shard:
        shard.write(one + 2, {}, one + 3)
        longer = images.sealed(shard, shard.table)
    longer.verify()
    assert (longer.pixels[4] == 9).all()
    assert (longer.whole[4] == 10).all()
    np.testing.assert_array_equal(longer.whole[:4], images.whole)


@pytest.mark.parametrize("file", [PIXELS_FILE, WHOLE_FILE])
def test_damage_to_either_file_is_noticed(source: Path, tmp_path: Path, file: str) -> None:
    dataset = imported(source, tmp_path / "data", "foreground")
    path = dataset.folder / IMAGES_FOLDER / file
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert [file in fault for fault in verify(dataset.folder).faults] == [True]
    path.write_bytes(content[:-1])
    for refused in (
        lambda: audit(Dataset.open(dataset.folder)),
        lambda: fewscan.add_scans(dataset.folder, scans(tmp_path / "later", [LARGE])),
    ):
        with pytest.raises(FewscanError, match=f"{file} is incomplete"):
            refused()
