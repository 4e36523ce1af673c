"""A network without its batch normalization answers what it answered with it."""

import pytest
import torch
from torch import nn

from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.models.folding import folded


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite0_middle", "resnet_small"])
def test_a_folded_network_answers_the_same_and_the_network_stays_as_it_is(name: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(encoder_settings(name), 1, 32).eval()
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.uniform_(layer.bias, -0.2, 0.2)
    images = torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        before = encoder(images)
        answers = folded(encoder)(images)
        assert torch.equal(encoder(images), before)
    torch.testing.assert_close(answers, before, rtol=1e-3, atol=1e-4 * float(before.abs().max()))


def test_what_is_folded_has_no_normalization_left() -> None:
    layers = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
    )
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded(layers).modules())
    encoder = build_encoder(encoder_settings("resnet_small"), 1, 32)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded(encoder).modules())
    apart = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.BatchNorm2d(2))
    assert isinstance(folded(apart)[2], nn.BatchNorm2d)
