import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from fewscan.labeling.small_pictures import BORDERS, LEAST_CORRELATION, SmallPictures, small

Pixels = npt.NDArray[np.uint8]
Unit = npt.NDArray[np.float64]


def images(count: int, seed: int, sigma: float = 5) -> Pixels:
    """(count, 1, 48, 48): smooth noise."""
    noise = np.random.default_rng(seed).normal(size=(count, 1, 48, 48))
    smooth = gaussian_filter(noise, (0, 0, sigma, sigma))
    return np.asarray(np.clip(128 + 40 * smooth / smooth.std(axis=(2, 3), keepdims=True), 0, 255), np.uint8)


def changed(pixels: Pixels, seed: int) -> Pixels:
    """Each put onto itself in one of the eight ways, with noise."""
    random = np.random.default_rng(seed)
    ways = random.integers(0, 8, len(pixels))
    made = []
    for way, image in zip(ways, pixels, strict=True):
        turned = image[:, :, ::-1] if way & 1 else image
        turned = turned[:, ::-1] if way & 2 else turned
        made.append(turned.swapaxes(1, 2) if way & 4 else turned)
    return np.asarray(np.clip(np.stack(made) + random.normal(0, 12, pixels.shape), 0, 255), np.uint8)


def unit(pictures: npt.NDArray[np.floating]) -> Unit:
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True))


def correlations(scans: Pixels, known: Pixels) -> npt.NDArray[np.float64]:
    """(B, R) the largest of all ways and borders, each scan with each image."""
    found = []
    for border, theirs in [(border, 0.0) for border in BORDERS] + [(0.0, border) for border in BORDERS[1:]]:
        others = unit(small(known, theirs))
        for turns in range(4):
            for mirrored in (False, True):
                picture = np.rot90(small(scans, border), turns, axes=(1, 2))
                found.append(unit(picture[:, :, ::-1] if mirrored else picture) @ others.T)
    return np.max(found, axis=0)


@pytest.mark.parametrize("sigma", [1.5, 5, 14])
def test_the_most_similar_row_is_found_wherever_one_is_similar_enough(sigma: float) -> None:
    known = images(300, 0, sigma)
    scans = np.concatenate([changed(known[:60], 1), images(60, 2, sigma)])
    wanted = correlations(scans, known)
    found = SmallPictures.of(known, np.arange(len(known))).likest(scans)
    similar = wanted.max(axis=1)
    # What rounding decides is no one's to say.
    certain = np.abs(similar - LEAST_CORRELATION) > 1e-5
    assert set(np.flatnonzero((similar >= LEAST_CORRELATION) & certain)) <= set(found.place)
    assert set(found.place) <= set(np.flatnonzero((similar >= LEAST_CORRELATION) | ~certain))
    np.testing.assert_allclose(wanted[found.place, found.row], similar[found.place], atol=1e-6)
    assert len(found.place) >= 50


def test_of_rows_with_one_picture_the_first_counts_and_rows_keep_their_numbers() -> None:
    known = np.repeat(images(20, 3), 3, axis=0)
    rows = np.arange(1, len(known))
    found = SmallPictures.of(known, rows).likest(known[::3])
    np.testing.assert_array_equal(found.place, np.arange(20))
    np.testing.assert_array_equal(found.row, np.maximum(np.arange(20) * 3, 1))
    assert (found.symmetry == 0).all()


def test_what_is_found_of_a_scan_is_the_same_alone_and_beside_others() -> None:
    first = images(30, 5)
    second = first.copy()
    second[:, :, 20, 20] ^= 1  # as like a changed copy as the first, but for rounding
    known = np.concatenate([first, second, images(70, 6)])
    scans = changed(first, 7)
    pictures = SmallPictures.of(known, np.arange(len(known)))
    together = pictures.likest(scans)
    alone = [pictures.likest(scan[np.newaxis]) for scan in scans]
    np.testing.assert_array_equal(together.row, np.concatenate([one.row for one in alone]))
    np.testing.assert_array_equal(together.symmetry, np.concatenate([one.symmetry for one in alone]))


def test_nothing_is_like_no_rows_and_an_even_image_is_like_none() -> None:
    even = np.full((2, 1, 48, 48), 90, np.uint8)
    assert len(SmallPictures.of(images(3, 4), np.zeros(0, np.int64)).likest(images(3, 4)).place) == 0
    assert len(SmallPictures.of(images(3, 4), np.arange(3)).likest(even).place) == 0
