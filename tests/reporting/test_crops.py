import base64
import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import fewscan
from fewscan.datasets.snapshot import Snapshot
from fewscan.reporting.rendering import render
from fewscan.reporting.samples import crops
from fewscan.wording import scan_number
from tests.images.test_crop import head

ROWS = np.arange(3)


def bordered(folder: Path) -> Path:
    for number in range(3):
        scan = np.zeros((64, 96), np.uint8)
        scan[12:56, 20 : 70 + 4 * number] = 150
        (folder / "x").mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(scan).save(folder / "x" / f"{number}.png")
    return folder


@pytest.fixture
def dataset(tmp_path: Path) -> Snapshot:
    scans = bordered(tmp_path / "scans")
    return fewscan.import_scans(str(scans), tmp_path / "data", crop="foreground", size_px=16).snapshot()


def pixels_of(picture: str) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))))


@pytest.mark.slow
def test_scans_are_shown_with_their_boxes_and_as_they_are_stored(dataset: Snapshot) -> None:
    shown = list(crops(dataset, ROWS, scan_number))
    assert [one.before.called for one in shown] == [one.after.called for one in shown] == ["scan 0", "scan 1", "scan 2"]
    for row, one in enumerate(shown):
        np.testing.assert_array_equal(pixels_of(one.after.picture), dataset.pixels[row, 0])
        before = pixels_of(one.before.picture)
        assert before.shape[0] / before.shape[1] == pytest.approx(64 / 96, abs=0.01)
        rows, columns = np.nonzero(before[..., 0] != before[..., 1])  # the box alone has color
        assert rows.min() / before.shape[0] == pytest.approx(12 / 64, abs=0.05)
        assert columns.max() / before.shape[1] == pytest.approx((70 + 4 * row) / 96, abs=0.05)
    page = render("part_crops.html", crops=shown)
    assert all(one.before.picture in page and one.after.picture in page for one in shown)


def test_of_a_negative_the_box_is_that_of_the_scan(tmp_path: Path) -> None:
    for number, image in enumerate((head(), 255 - head())):
        PIL.Image.fromarray(image).save(tmp_path / f"{number}.png")
    undone = fewscan.import_scans(tmp_path, tmp_path / "data", crop="foreground", negatives="undo", size_px=16).snapshot()
    first, second = crops(undone, np.arange(2), scan_number)
    assert first.after.picture == second.after.picture
    boxes = [picture[..., 0] != picture[..., 1] for picture in (pixels_of(one.before.picture) for one in (first, second))]
    assert boxes[0].any()
    np.testing.assert_array_equal(*boxes)


def test_a_file_that_is_gone_or_another_one_is_not_shown(dataset: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "scans" / "x" / "0.png").unlink()
    PIL.Image.new("L", (5, 5), 7).save(tmp_path / "scans" / "x" / "1.png")
    assert [one.before.called for one in crops(dataset, ROWS, scan_number)] == ["scan 2"]


def test_where_scans_are_not_cropped_nothing_is_shown(tmp_path: Path) -> None:
    scans = bordered(tmp_path / "scans")
    plain = fewscan.import_scans(str(scans), tmp_path / "data", crop="none", size_px=16).snapshot()
    assert list(crops(plain, ROWS, scan_number)) == []
