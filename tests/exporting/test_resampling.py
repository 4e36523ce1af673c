from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.exporting.resampling import Resampling
from fewscan.images.options import Resize
from fewscan.images.readers import fit, read_image

SIDES = st.integers(1, 200)


def noise(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def by_torch(image: np.ndarray, size_px: int, resize: Resize) -> np.ndarray:
    batch = torch.from_numpy(np.atleast_3d(image).transpose(2, 0, 1)[np.newaxis].copy())
    return Resampling.of(batch, size_px, resize)(batch)[0].numpy()


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    height=SIDES,
    width=SIDES,
    size_px=st.integers(1, 96),
    resize=st.sampled_from(["stretch", "pad"]),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 1000),
)
def test_every_gray_level_is_the_readers(
    height: int, width: int, size_px: int, resize: Resize, channels: int, seed: int
) -> None:
    image = noise(height, width, channels, seed)
    np.testing.assert_array_equal(by_torch(image, size_px, resize), fit(image, size_px, resize))


@pytest.mark.parametrize("resize", ["stretch", "pad"])
@pytest.mark.parametrize("shape", [(512, 512), (201, 100), (100, 201), (900, 40), (40, 900), (65, 64), (64, 64), (1, 1)])
def test_sizes_that_scans_have_and_odd_ones(shape: tuple[int, int], resize: Resize) -> None:
    image = noise(*shape, 1)
    np.testing.assert_array_equal(by_torch(image, 64, resize), fit(image, 64, resize))


def test_a_side_that_ends_in_half_a_pixel_is_rounded_as_the_readers_round_it() -> None:
    image = noise(460, 600, 1)  # 80.5 rows of 105
    np.testing.assert_array_equal(by_torch(image, 105, "pad"), fit(image, 105, "pad"))


@pytest.mark.parametrize("level", [0, 1, 77, 255])
def test_a_blank_image_stays_what_it_is(level: int) -> None:
    image = np.full((137, 61), level, dtype=np.uint8)
    assert (by_torch(image, 32, "stretch") == level).all()
    padded = by_torch(image, 32, "pad")[0]
    assert set(padded[:, :8].ravel()) == {0}
    assert set(padded[:, 10:22].ravel()) == {level}


def test_a_batch_is_its_images_one_by_one() -> None:
    images = np.stack([noise(90, 50, 3, seed).transpose(2, 0, 1) for seed in range(4)])
    batches = [torch.from_numpy(batch) for batch in (images, *images[:, np.newaxis])]
    together, *alone = (Resampling.of(batch, 24, "pad")(batch) for batch in batches)
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_real_scans_are_equal_in_every_pixel(resize: Resize, real_scans: Path) -> None:
    files = sorted((real_scans / "sartaj").rglob("*.jpg"))[::160]
    assert len(files) >= 15
    for path in files:
        image = read_image(path).pixels
        np.testing.assert_array_equal(by_torch(image, 96, resize), fit(image, 96, resize))
