"""A scan as it may come from elsewhere: one change of each, by its pixels alone, that leaves what it is."""

import numpy as np
import pytest

from fewscan.learning.changed_view import changed
from fewscan.phantoms import draw_phantom

SIZE = 64


@pytest.fixture(scope="module")
def scans() -> np.ndarray:
    """Return practice scans (60, 1, S, S)."""
    return np.stack(
        [draw_phantom(np.random.default_rng(number), "glioma", size_px=SIZE).pixels[np.newaxis] for number in range(60)]
    )


def test_a_scan_is_always_changed_alike_and_is_left_as_it_was(scans: np.ndarray) -> None:
    before = scans.copy()
    np.testing.assert_array_equal([changed(scan) for scan in scans[:5]], [changed(scan.copy()) for scan in scans[:5]])
    np.testing.assert_array_equal(scans, before)


def test_another_scan_is_changed_otherwise(scans: np.ndarray) -> None:
    other = scans[0].copy()
    other[0, 0, 0] += 1
    assert np.abs(changed(scans[0]).astype(int) - changed(other)).mean() > 1


@pytest.mark.parametrize("size", [16, 17, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_an_image_like_the_scan(size: int, channels: int) -> None:
    random = np.random.default_rng(size)
    for _ in range(30):
        scan = random.integers(0, 256, (channels, size, size), np.uint8)
        view = changed(scan)
        assert (view.shape, view.dtype, view.flags.c_contiguous) == (scan.shape, np.uint8, True)


def test_what_is_gray_stays_gray(scans: np.ndarray) -> None:
    for scan in scans[:30]:
        view = changed(np.repeat(scan, 3, axis=0))
        assert (view == view[:1]).all()


def test_one_in_two_is_mirrored_and_what_it_shows_can_be_told(scans: np.ndarray) -> None:
    views = np.stack([changed(scan) for scan in scans])

    def alike(some: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the correlation of each with each of the others."""
        flat = [each.reshape(len(each), -1).astype(float) for each in (some, others)]
        units = [(each - each.mean(axis=1, keepdims=True)) / (each.std(axis=1, keepdims=True) + 1e-9) for each in flat]
        return np.asarray(units[0] @ units[1].T / flat[0].shape[1])

    upright, mirrored = alike(views, scans), alike(views, scans[..., ::-1])
    own = np.maximum(upright, mirrored).diagonal()
    assert np.median(own) > 0.8
    assert 0.3 < (mirrored.diagonal() > upright.diagonal()).mean() < 0.7
    # No two views are the scan itself with as much detail.
    assert (views == scans).all(axis=(1, 2, 3)).sum() == 0


def test_black_white_and_tiny_images_are_changed_too() -> None:
    for scan in (np.zeros((1, 16, 16), np.uint8), np.full((1, 16, 16), 255, np.uint8), np.zeros((1, 1, 1), np.uint8)):
        assert changed(scan).shape == scan.shape
