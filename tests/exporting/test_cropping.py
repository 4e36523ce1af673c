from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fewscan.exporting import cropping
from fewscan.exporting.cropping import foreground_boxes, to_grid, undone
from fewscan.exporting.resampling import Resampling
from fewscan.images.crop import foreground_box, shown
from fewscan.images.options import ImageSpec
from fewscan.images.readers import fit, read_image


@pytest.fixture(autouse=True)
def loops_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops of a graph, without the seconds that torch takes to trace them; `test_export.py` has the graph's own."""

    def while_loop(go_on, body, state):
        while go_on(*state):
            state = body(*state)
        return state

    monkeypatch.setattr(cropping, "while_loop", while_loop)


def drawings(channels: int) -> Iterator[np.ndarray]:
    """Scans of every kind: heads and none, on black, gray and white, noisy, framed, written on, in odd sizes."""
    random = np.random.default_rng(channels)
    for number in range(60):
        height, width = random.integers(20, 150, 2)
        shape = (height, width, 3) if channels == 3 else (height, width)
        image = np.full(shape, random.choice([0, 0, 30, 120, 255]), np.uint8)
        for _ in range(random.integers(0, 4)):
            center = (int(random.integers(width)), int(random.integers(height)))
            axes = (int(random.integers(1, width)), int(random.integers(1, height)))
            color = random.integers(0, 256, 3).tolist()
            cv2.ellipse(image, center, axes, 0, 0, 360, color, int(random.choice([-1, 3])))
        if number % 3 == 0:
            noise = random.normal(0, random.choice([3, 20, 60]), shape)
            image = np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
        if number % 5 == 0:
            cv2.rectangle(image, (0, 0), (int(width) - 1, int(height) - 1), (255, 255, 255), int(random.integers(1, 6)))
        yield image


def by_torch(image: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    batch = torch.from_numpy(np.atleast_3d(image).transpose(2, 0, 1)[np.newaxis].copy())
    boxes = foreground_boxes(batch, to_grid(batch))
    return tuple(int(edge) for edge in boxes), Resampling.of(batch, 32, "pad", boxes)(batch)[0].numpy()


def assert_equal(image: np.ndarray) -> bool:
    """Return whether the image is cropped, having asserted that box and pixels are the readers'."""
    wanted = foreground_box(image)
    box, pixels = by_torch(image)
    assert box == (wanted or (0, 0, image.shape[1], image.shape[0]))
    np.testing.assert_array_equal(pixels, fit(shown(image, ImageSpec(crop="foreground")).pixels, 32, "pad"))
    return wanted is not None


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_boxes_and_pixels_are_the_readers(channels: int) -> None:
    found = [assert_equal(image) for image in drawings(channels)]
    assert 10 < sum(found) < len(found) - 10


@pytest.mark.slow
def test_the_same_scans_are_negatives(tmp_path: Path) -> None:
    told = []
    for drawn in drawings(1):
        for image in (drawn, 255 - drawn, 100 + drawn // 4, 155 - drawn // 4):
            wanted = shown(image, ImageSpec(negatives="undo"))
            batch = torch.from_numpy(image)[None, None]
            np.testing.assert_array_equal(undone(batch, to_grid(batch))[0, 0].numpy(), wanted.whole)
            told.append(wanted.negative)
    assert 20 < sum(told) < len(told) - 20
    scan = cv2.circle(np.zeros((90, 70), np.uint8), (40, 35), 25, (150.0,), -1)
    both = torch.from_numpy(np.stack([scan, 255 - scan]))[:, None]
    assert (undone(both, to_grid(both)) == both[0]).all()


def test_a_way_that_winds_through_the_whole_grid_is_followed_to_its_end() -> None:
    maze = np.zeros((64, 64), np.uint8)
    for number, row in enumerate(range(8, 56, 4)):
        maze[row : row + 2, 8:56] = 200
        maze[row : row + 4, 8 if number % 2 else 54 : 10 if number % 2 else 56] = 200
    assert_equal(maze)
    assert_equal(np.where(maze > 0, 0, 200).astype(np.uint8))


def test_each_image_of_a_batch_has_its_own_box() -> None:
    images = np.zeros((3, 90, 70), np.uint8)
    images[0, 20:70, 10:60] = 150
    images[1, 5:60, 20:65] = 90
    batch = torch.from_numpy(images)[:, None]
    boxes = foreground_boxes(batch, to_grid(batch))
    for number, image in enumerate(images[:2]):
        assert tuple(int(edge[number]) for edge in boxes) == foreground_box(image)
    assert tuple(int(edge[2]) for edge in boxes) == (0, 0, 70, 90)


@pytest.mark.slow
def test_real_scans_have_the_same_boxes(real_scans: Path) -> None:
    files = sorted((real_scans / "sartaj").rglob("*.jpg"))[::160]
    found = [assert_equal(read_image(path).pixels) for path in files]
    assert sum(found) > len(found) / 2
