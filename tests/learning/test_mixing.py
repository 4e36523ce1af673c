"""Sharpening, votes and mixing: what methods that learn from guesses share."""

import pytest
import torch

from fewscan.learning.mixing import mixed, mixing_weights, sharpened, votes


def shares(images: int = 20, classes: int = 4) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(images, classes).softmax(dim=1)


@pytest.mark.parametrize("temperature", [5e-324, 1e-30, 1e-3, 0.1, 0.5, 1.0])
def test_sharpened_shares_are_shares_at_any_temperature(temperature: float) -> None:
    before = shares()
    after = sharpened(before, temperature)
    torch.testing.assert_close(after.sum(dim=1), torch.ones(len(after)))
    assert torch.equal(after.argmax(dim=1), before.argmax(dim=1))
    assert bool((after.amax(dim=1) >= before.amax(dim=1) - 1e-6).all())


def test_sharpening_squares_at_a_half_and_leaves_what_is_certain() -> None:
    before = shares()
    torch.testing.assert_close(sharpened(before, 1.0), before)
    torch.testing.assert_close(sharpened(before, 0.5), before.square() / before.square().sum(dim=1, keepdim=True))
    certain = torch.eye(4)
    assert torch.equal(sharpened(certain, 0.5), certain)
    assert sharpened(before[:0], 0.5).shape == (0, 4)


@pytest.mark.parametrize("temperature", [1e-6, 0.1, 1e6])
def test_what_is_no_neighbor_has_no_vote(temperature: float) -> None:
    targets = shares(6).view(2, 3, 4)
    similarity = torch.tensor([[0.9, -torch.inf, 0.2], [0.5, 0.5, -torch.inf]])
    said = votes(similarity, targets, temperature)
    others = targets.clone()
    others[0, 1] = others[1, 2] = torch.tensor([0.0, 0.0, 0.0, 1.0])
    assert torch.equal(votes(similarity, others, temperature), said)
    torch.testing.assert_close(said.sum(dim=1), torch.ones(2))
    torch.testing.assert_close(said[1], targets[1, :2].mean(dim=0))


@pytest.mark.parametrize("alpha", [1e-30, 0.75, 1e6])
def test_at_least_half_of_an_image_stays(alpha: float) -> None:
    torch.manual_seed(0)
    weights = mixing_weights(alpha, 100, torch.device("cpu"))
    assert weights.shape == (100,)
    assert bool(((weights >= 0.5) & (weights <= 1)).all())


def test_each_image_is_mixed_by_its_own_weight_or_all_by_one() -> None:
    first, second = torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)
    torch.testing.assert_close(mixed(first, second, torch.tensor([1.0, 0.5, 0.75]))[:, 0, 0, 0], torch.tensor([1.0, 0.5, 0.75]))
    torch.testing.assert_close(mixed(first[:, 0, 0], second[:, 0, 0], torch.tensor([0.75])), torch.full((3, 2), 0.75))
