import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.images.resizing import resized

SIDES = st.integers(1, 300)
SIZES = st.integers(1, 128)


def noise(shape: tuple[int, ...], seed: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def by_pillow(pixels: npt.NDArray[np.uint8], width_px: int, height_px: int) -> npt.NDArray[np.uint8]:
    return np.asarray(PIL.Image.fromarray(pixels).resize((width_px, height_px), PIL.Image.Resampling.BILINEAR))


@settings(max_examples=200, deadline=None)
@given(
    height=SIDES, width=SIDES, to_height=SIZES, to_width=SIZES, channels=st.sampled_from([(), (3,)]), seed=st.integers(0, 99)
)
def test_every_gray_level_is_pillows(
    height: int, width: int, to_height: int, to_width: int, channels: tuple[int, ...], seed: int
) -> None:
    pixels = noise((height, width, *channels), seed)
    np.testing.assert_array_equal(resized(pixels, to_width, to_height), by_pillow(pixels, to_width, to_height))


@pytest.mark.parametrize(
    "shape", [(512, 512), (900, 40), (40, 900), (4000, 3000), (7, 60_000), (64, 64), (1, 1), (700, 600, 3)]
)
@pytest.mark.parametrize("size_px", [64, 96])
def test_scans_of_all_sizes(shape: tuple[int, ...], size_px: int) -> None:
    pixels = noise(shape, 0)
    np.testing.assert_array_equal(resized(pixels, size_px, size_px), by_pillow(pixels, size_px, size_px))


@pytest.mark.parametrize("level", [0, 1, 254, 255])
def test_an_even_image_stays_what_it_is(level: int) -> None:
    assert (resized(np.full((531, 217), level, np.uint8), 96, 40) == level).all()


def test_a_part_of_an_image_is_resized_as_if_nothing_was_around_it() -> None:
    whole = noise((300, 280), 1)
    np.testing.assert_array_equal(resized(whole[31:250, 17:201], 64, 64), resized(whole[31:250, 17:201].copy(), 64, 64))
