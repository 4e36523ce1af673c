from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from fewscan.learning import artifacts
from fewscan.learning.lost_detail import few_frequencies, kept_frequencies, moved, out_of_focus, without_details

SIZE = 32


def scans(count: int = 2, channels: int = 1, size: int = SIZE) -> Tensor:
    return torch.rand((count, channels, size, size), generator=torch.Generator().manual_seed(3))


def of_one(scan: Tensor) -> Any:
    """(C, S, S) as the functions on one scan have it."""
    return scan.movedim(0, -1).numpy()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [31, 32])
def test_few_frequencies_are_those_of_one_scan(channels: int, size: int) -> None:
    images, shares = scans(channels=channels, size=size), torch.tensor([0.25, 0.5])
    views = without_details(images, few_frequencies(shares, size))
    for image, share, view in zip(images, shares, views, strict=True):
        expected = artifacts.of_few_frequencies(of_one(image), float(share) * size)
        np.testing.assert_allclose(of_one(view), expected, atol=1e-5)


class Drawn:
    """Random numbers that are known beforehand."""

    def __init__(self, axis: int, *numbers: float) -> None:
        self.axis, self.numbers = axis, list(numbers)

    def integers(self, _: int) -> int:
        return self.axis

    def uniform(self, *_: float) -> float:
        return self.numbers.pop(0)


@pytest.mark.parametrize("size", [31, 32])
def test_movement_is_that_of_one_scan(size: int) -> None:
    images = scans(channels=3, size=size)
    shares, begins, movements = torch.tensor([0.02, 0.05]), torch.tensor([0.1, 0.7]), torch.tensor([2.5, 4.0])
    views = without_details(images, moved(shares, begins, movements, torch.tensor([True, False]), size))
    for place, axis in enumerate((0, 1)):
        drawn: Any = Drawn(axis, float(begins[place]), float(movements[place]))
        expected = artifacts.moved_while_measured(of_one(images[place]), float(shares[place]), drawn)
        np.testing.assert_allclose(of_one(views[place]), expected, atol=1e-5)


def test_out_of_focus_is_a_gaussian_of_a_share_of_the_side() -> None:
    image = torch.nn.functional.pad(scans(1, size=20), (22, 22, 22, 22))  # nothing near the edges
    view = without_details(image, out_of_focus(torch.tensor([0.03]), 64))[0, 0].numpy()
    np.testing.assert_allclose(view, cv2.GaussianBlur(image[0, 0].numpy(), (0, 0), 0.03 * 64), atol=2e-3)


def test_nothing_is_lost_by_no_blur_all_frequencies_or_no_movement() -> None:
    images, zeros, ones = scans(), torch.zeros(2), torch.ones(2)
    for kept in (out_of_focus(zeros, SIZE), few_frequencies(ones, SIZE), moved(zeros, ones, ones, zeros > 0, SIZE)):
        torch.testing.assert_close(without_details(images, kept), images, rtol=0, atol=1e-5)


def test_each_third_of_many_scans_loses_details_in_a_way_of_its_own_and_keeps_its_brightness() -> None:
    kept = kept_frequencies(600, SIZE, torch.Generator().manual_seed(0))
    few = ((kept == 0) | (kept == 1)).all(dim=(1, 2))
    moving = (kept.imag != 0).any(dim=(1, 2))
    blurred = ~few & ~moving
    for some in (few, moving, blurred):
        assert 150 < int(some.sum()) < 250
    torch.testing.assert_close(kept[:, :, 0].abs(), torch.ones(600, 2))  # the mean of each line
    flat = torch.full((600, 1, SIZE, SIZE), 0.4)
    torch.testing.assert_close(without_details(flat, kept), flat, rtol=0, atol=1e-4)
