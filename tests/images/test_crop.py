from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

import fewscan
from fewscan.errors import FewscanError
from fewscan.images.borders import Borders
from fewscan.images.crop import Box, foreground_box, shown
from fewscan.images.grid import GRID_PX
from fewscan.images.options import Crop, ImageSpec
from fewscan.images.readers import fitted, read_image, read_images

SIDE = 256
CELL = SIDE // GRID_PX
HEAD = Box(64, 48, 176, 208)


def head(box: Box = HEAD, side: int = SIDE, *, level: int = 90) -> np.ndarray:
    """A drawn head: a bright skull around even tissue, with a dark ventricle and a bright lesion, on black."""
    image = np.zeros((side, side), np.uint8)
    center = ((box.left + box.right) // 2, (box.top + box.bottom) // 2)
    axes = ((box.right - box.left) // 2 - 1, (box.bottom - box.top) // 2 - 1)
    cv2.ellipse(image, center, axes, 0, 0, 360, (200.0,), -1)
    cv2.ellipse(image, center, (axes[0] - 8, axes[1] - 8), 0, 0, 360, (float(level),), -1)
    cv2.ellipse(image, center, (axes[0] // 4, axes[1] // 3), 0, 0, 360, (10.0,), -1)
    cv2.circle(image, (center[0] + axes[0] // 2, center[1]), 10, (255.0,), -1)
    return image


def cropped(image: np.ndarray, crop: Crop = "foreground") -> np.ndarray:
    return shown(image, ImageSpec(crop=crop)).pixels


def assert_close(found: Box | None, wanted: Box, cells: float = 2) -> None:
    assert found is not None
    assert np.abs(np.subtract(found, wanted)).max() <= cells * CELL, (found, wanted)


def test_the_box_of_a_head_holds_it_and_little_more() -> None:
    found = foreground_box(head())
    assert_close(found, HEAD)
    assert found is not None
    assert (found.left, found.top) <= (HEAD.left, HEAD.top)
    assert (found.right, found.bottom) >= (HEAD.right, HEAD.bottom)
    pixels = cropped(head())
    assert pixels.shape == (found.bottom - found.top, found.right - found.left)
    assert (pixels > 0).sum() == (head() > 0).sum()  # nothing of it is lost


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: image // 4, id="darker"),
        pytest.param(lambda image: 40 + (image * 0.8), id="lifted"),
        pytest.param(lambda image: 255 * (image / 255) ** 0.5, id="gamma"),
        pytest.param(lambda image: 255.0 - image, id="negative"),
        pytest.param(lambda image: cv2.GaussianBlur(image, (0, 0), 2), id="blurred"),
        pytest.param(lambda image: image + np.random.default_rng(0).normal(0, 20, image.shape), id="noise"),
        pytest.param(
            lambda image: cv2.equalizeHist(
                np.clip(image + np.random.default_rng(0).poisson(1.0, image.shape), 0, 255).astype("u1")
            ),
            id="equalized with what noise there was",
        ),
        pytest.param(lambda image: cv2.putText(image, "HEAD 3 / 20", (4, 18), 0, 0.5, (255.0,), 1), id="caption"),
        pytest.param(lambda image: cv2.rectangle(image, (0, 0), (SIDE - 1, SIDE - 1), (255.0,), 3), id="frame"),
    ],
)
def test_how_bright_noisy_or_written_on_a_scan_is_does_not_move_its_box(change) -> None:
    changed = np.clip(np.rint(change(head())), 0, 255).astype(np.uint8)
    assert_close(foreground_box(changed), HEAD)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (16, -32), (-40, 40), (44, 76)])
def test_the_box_moves_with_what_is_shown(down: int, right: int) -> None:
    first = foreground_box(head())
    assert first is not None
    moved = foreground_box(np.roll(head(), (down, right), axis=(0, 1)))
    assert moved == Box(first.left + right, first.top + down, first.right + right, first.bottom + down)


def test_a_mirrored_or_turned_scan_has_the_mirrored_or_turned_box() -> None:
    found = foreground_box(head())
    assert found is not None
    mirrored = foreground_box(np.ascontiguousarray(head()[:, ::-1]))
    assert mirrored == Box(SIDE - found.right, found.top, SIDE - found.left, found.bottom)
    turned = foreground_box(np.ascontiguousarray(np.rot90(head())))
    assert turned == Box(found.top, SIDE - found.right, found.bottom, SIDE - found.left)


@pytest.mark.parametrize("level", [0, 255])
def test_an_added_margin_changes_nothing_of_what_is_kept(level: int) -> None:
    padded = np.pad(head(), 40, constant_values=level)
    found = foreground_box(padded)
    assert found is not None
    assert_close(Box(*(edge - 40 for edge in found)), HEAD, cells=3)


@pytest.mark.parametrize("shape", [(128, 128), (512, 400), (300, 77), (50, 60)])
def test_the_box_is_in_pixels_of_any_size(shape: tuple[int, int]) -> None:
    height, width = shape
    found = foreground_box(cv2.resize(head(), (width, height), interpolation=cv2.INTER_AREA))
    assert found is not None
    scaled = np.multiply(found, [SIDE / width, SIDE / height] * 2)
    assert np.abs(scaled - HEAD).max() <= 2 * CELL + SIDE / min(shape)


def test_two_things_side_by_side_are_both_kept() -> None:
    both = np.maximum(head(Box(16, 60, 112, 180)), head(Box(140, 80, 240, 200)))
    assert_close(foreground_box(both), Box(16, 60, 240, 200))


def blob() -> np.ndarray:
    """Tissue all over, and in it something bright: its box would cut away most of the scan."""
    image = np.full((SIDE, SIDE), 70, np.uint8) + np.random.default_rng(0).integers(0, 60, (SIDE, SIDE), np.uint8)
    cv2.circle(image, (80, 90), 36, (240.0,), -1)
    return image


def chest() -> np.ndarray:
    """A chest radiograph, roughly: bright all over, with two dark lungs."""
    image = np.full((SIDE, SIDE), 190, np.uint8)
    for center in ((80, 130), (176, 130)):
        cv2.ellipse(image, center, (42, 84), 0, 0, 360, (60.0,), -1)
    cv2.rectangle(image, (120, 0), (136, 255), (225.0,), -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 6))


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((40, 50), np.uint8), id="black"),
        pytest.param(np.full((40, 50), 255, np.uint8), id="white"),
        pytest.param(np.full((40, 50), 90, np.uint8), id="gray"),
        pytest.param(np.full((1, 1), 90, np.uint8), id="one pixel"),
        pytest.param(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8), id="noise"),
        pytest.param(np.tile(np.arange(SIDE, dtype=np.uint8), (SIDE, 1)), id="ramp"),
        pytest.param(head()[90:160, 90:150], id="tissue from inside a head"),
        pytest.param(blob(), id="tissue with a bright spot"),
        pytest.param(chest(), id="chest radiograph"),
        pytest.param(cv2.putText(np.zeros((SIDE, SIDE), np.uint8), "no scan", (40, 128), 0, 1, (255.0,), 2), id="text"),
    ],
)
def test_where_no_border_is_told_for_certain_the_scan_stays_whole(image: np.ndarray) -> None:
    assert foreground_box(image) is None
    assert cropped(image) is image


def test_no_crop_is_no_crop() -> None:
    image = head()
    assert cropped(image, "none") is image


def test_a_cropped_scan_stays_much_as_it_is_when_it_is_cropped_again() -> None:
    once = cropped(head())
    again = cropped(once)
    assert min(np.divide(again.shape, once.shape)) > 0.93


def test_in_color_the_box_is_that_of_its_gray() -> None:
    color = np.stack([head(), head(level=40), head() // 2], axis=2)
    assert foreground_box(color) == foreground_box(np.asarray(PIL.Image.fromarray(color).convert("L")))
    assert cropped(color).shape[2] == 3


def test_files_are_stored_as_one_image_at_a_time_would_be(tmp_path: Path) -> None:
    spec = ImageSpec(size_px=32, crop="foreground", resize="pad")
    path = tmp_path / "scan.png"
    PIL.Image.fromarray(head()).save(path)
    (stored,) = read_images([path], spec)
    np.testing.assert_array_equal(stored.pixels, fitted(read_image(path).pixels, spec))
    # It fills the height now, and its proportions are kept.
    rows = np.flatnonzero(stored.pixels[0].any(axis=1))
    assert rows[-1] - rows[0] >= 28
    assert stored.width_px == SIDE


def test_a_dataset_without_a_crop_is_described_as_before_there_were_crops() -> None:
    assert "crop" not in ImageSpec().model_dump_json()
    for spec in (ImageSpec(), ImageSpec(crop="foreground")):
        assert ImageSpec.model_validate_json(spec.model_dump_json()) == spec


def scans(folder: Path, boxes: list[Box]) -> Path:
    for number, box in enumerate(boxes):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(head(box)).save(path)
    return folder


SMALL, LARGE = Box(70, 70, 190, 200), Box(8, 4, 248, 252)


@pytest.mark.parametrize(
    ("boxes", "chosen"),
    [
        pytest.param([SMALL, LARGE, HEAD, SMALL, HEAD, LARGE], "foreground", id="frames differ"),
        pytest.param([HEAD] * 6, "none", id="all the same"),
        pytest.param([LARGE] * 5 + [SMALL], "none", id="most have no border"),
    ],
)
def test_a_crop_is_chosen_by_a_look_at_the_scans_and_said(boxes: list[Box], chosen: str, tmp_path: Path) -> None:
    source = str(scans(tmp_path / "scans", boxes))
    plan = fewscan.plan_import(source, size_px=16)
    assert plan == fewscan.plan_import(source, crop="auto", size_px=16)
    assert len(plan.chosen) == 1
    assert f"--crop {chosen})" in plan.chosen[0]
    assert plan.chosen[0] in plan.lines
    dataset = fewscan.import_scans(source, tmp_path / "data", size_px=16)
    told = fewscan.import_scans(source, tmp_path / "told", crop=chosen, size_px=16)
    assert dataset.images.spec == told.images.spec == ImageSpec(size_px=16, crop=chosen, negatives="undo")
    assert dataset.images.identity == told.images.identity
    assert fewscan.plan_import(source, crop=chosen, size_px=16).chosen == ()


def test_of_nothing_that_can_be_read_no_crop_is_chosen_and_nothing_is_said(tmp_path: Path) -> None:
    assert Borders(0, 0, differ=False).crop == "none"
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "notes.txt").write_text("no scan")
    (tmp_path / "scans" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    plan = fewscan.plan_import(tmp_path / "scans")
    assert (plan.chosen, len(plan.opened)) == ((), 1)
    (tmp_path / "scans" / "damaged.png").unlink()
    plan = fewscan.plan_import(tmp_path / "scans")
    assert (plan.chosen, plan.opened) == ((), ())
    assert "patients" not in " ".join(plan.lines)


def test_what_is_added_is_cropped_as_the_dataset_is(tmp_path: Path) -> None:
    source = scans(tmp_path / "scans", [SMALL, LARGE])
    fewscan.import_scans(str(source), tmp_path / "data", crop="foreground", size_px=16)
    later = scans(tmp_path / "later", [HEAD, SMALL])
    with pytest.raises(FewscanError, match="'crop' is fixed"):
        fewscan.add_scans(tmp_path / "data", str(later), crop="none")
    fewscan.add_scans(tmp_path / "data", str(later))
    dataset = fewscan.open_dataset(tmp_path / "data")
    np.testing.assert_array_equal(dataset.pixels[2], fitted(head(HEAD), dataset.images.spec))
    np.testing.assert_array_equal(dataset.pixels[0], dataset.pixels[3])


def test_a_dataset_that_is_not_cropped_has_the_identity_that_it_had(tmp_path: Path) -> None:
    source = str(scans(tmp_path / "scans", [SMALL, LARGE]))
    plain = fewscan.import_scans(source, tmp_path / "plain", size_px=16, crop="none")
    cropped_one = fewscan.import_scans(source, tmp_path / "cropped", size_px=16, crop="foreground")
    assert plain.images.identity != cropped_one.images.identity
    assert "crop" not in (tmp_path / "plain" / "dataset.json").read_text()
    assert '"crop": "foreground"' in (tmp_path / "cropped" / "dataset.json").read_text()
