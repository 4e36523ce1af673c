"""Depthwise convolutions under bfloat16 on a CPU: what they give, and that weights and names stay."""

import copy

import pytest
import torch
from torch import nn

from fewscan.models.depthwise import with_fast_depthwise


@pytest.fixture
def layers() -> nn.Module:
    torch.manual_seed(0)
    depthwise, grouped = nn.Conv2d(8, 8, 5, stride=2, groups=8), nn.Conv2d(8, 8, 3, groups=2)
    return nn.Sequential(nn.Conv2d(1, 8, 1), depthwise, grouped, nn.Conv2d(8, 4, 1))


def test_a_depthwise_convolution_computes_in_float32_and_gives_bfloat16(layers: nn.Module) -> None:
    depthwise = copy.deepcopy(layers[1])
    with_fast_depthwise(layers)
    maps = torch.rand(2, 8, 9, 9, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        given = layers[1](maps)
    assert given.dtype == torch.bfloat16
    assert torch.equal(given, depthwise(maps.float()).bfloat16())


def test_gradients_are_those_of_float32_but_for_rounding(layers: nn.Module) -> None:
    images, plain = torch.rand(4, 1, 16, 16), copy.deepcopy(layers)
    plain(images).square().mean().backward()
    with_fast_depthwise(layers)
    with torch.autocast("cpu", torch.bfloat16):
        layers(images).float().square().mean().backward()
    for ours, theirs in zip(layers.parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert (ours.grad - theirs.grad).norm() < 0.02 * theirs.grad.norm()


def test_outside_of_bfloat16_and_for_other_layers_nothing_changes(layers: nn.Module) -> None:
    before, weights = layers(torch.ones(2, 1, 16, 16)), layers.state_dict()
    with_fast_depthwise(layers)
    assert torch.equal(layers(torch.ones(2, 1, 16, 16)), before)
    assert [type(layer) is nn.Conv2d for layer in layers] == [True, False, True, True]
    assert list(layers.state_dict()) == list(weights)
