import copy

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from fewscan.models.encoders import REGISTRY, build_encoder, encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network
from fewscan.models.standardize import standardized

STUDY_HEADS = HeadSettings(
    projection_units=(256, 128, 64),
    projection_last_relu=True,
    classifier_input="projection",
    classifier_hidden_units=(256, 128),
)


def network(encoder: str = "resnet_small", heads: HeadSettings | None = None) -> Network:
    return Network(encoder_settings(encoder), heads or HeadSettings(), channels=1, image_size_px=32, classes=4)


def test_the_studys_encoder_is_what_the_study_says() -> None:
    encoder = build_encoder(encoder_settings("study_cnn"), channels=1, image_size_px=96)
    convolutions = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [16, 16, 32, 32, 64, 64]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in encoder.modules()) == 3
    dense = [layer for layer in encoder.modules() if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in dense] == [(64 * 12 * 12, 256), (256, 256), (256, 256)]
    assert sum(isinstance(layer, nn.ReLU) for layer in encoder.modules()) == 9


def test_the_studys_heads_stand_in_a_row() -> None:
    built = network("study_cnn", STUDY_HEADS)
    projection = [layer for layer in built.projection_head if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in projection] == [256, 128, 64]
    assert isinstance(built.projection_head[-1], nn.ReLU)
    classifier = [layer for layer in built.classifier if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in classifier] == [256, 128, 4]
    assert classifier[0].in_features == 64
    assert not isinstance(built.classifier[-1], nn.ReLU)


@pytest.mark.parametrize("encoder", ["study_cnn", "resnet_small"])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(encoder: str, channels: int) -> None:
    settings = encoder_settings(encoder)
    built = Network(settings, HeadSettings(), channels=channels, image_size_px=32, classes=5)
    outputs = built(torch.rand(3, channels, 32, 32))
    assert outputs.h.shape == (3, built.encoder.feature_dim)
    assert outputs.z.shape == (3, 64)
    assert outputs.logits.shape == (3, 5)


@pytest.mark.parametrize(("detached", "reaches"), [(True, False), (False, True)])
def test_a_detached_classifier_never_teaches_the_encoder(detached: bool, reaches: bool) -> None:
    built = network(heads=HeadSettings(classifier_detached=detached))
    built(torch.rand(4, 1, 32, 32)).logits.sum().backward()
    taught = [parameter.grad is not None for parameter in built.encoder.parameters()]
    assert all(taught) if reaches else not any(taught)
    assert all(parameter.grad is not None for parameter in built.classifier.parameters())


def test_features_do_not_depend_on_an_images_brightness_and_contrast() -> None:
    built = network().eval()
    images = torch.rand(4, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(built(images).h, built(0.5 * images + 0.2).h, rtol=0.02, atol=0.02)


def test_a_blank_image_stays_zero_when_standardized() -> None:
    assert (standardized(torch.full((2, 1, 8, 8), 0.3)).abs() < 1e-3).all()


def test_the_studys_network_begins_as_keras_begins() -> None:
    torch.manual_seed(0)
    built = network("study_cnn", STUDY_HEADS)
    layers = [layer for layer in built.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == 6 + 3 + 3 + 3
    for layer in layers:
        assert layer.bias is not None
        assert not layer.bias.any()
        receptive = layer.weight[0, 0].numel()
        limit = (6 / (receptive * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
        largest = layer.weight.abs().max().item()
        assert 0.9 * limit < largest <= limit


def test_the_studys_network_tells_images_apart_from_the_first() -> None:
    torch.manual_seed(0)
    built = network("study_cnn", STUDY_HEADS)
    images = torch.rand(16, 1, 32, 32) * torch.rand(16, 1, 1, 1)
    images[:, :, ::2] *= torch.rand(16, 1, 1, 32)
    directions = nn.functional.normalize(built(images).h.detach(), dim=1)
    similarity = directions @ directions.T
    assert similarity.min().item() < 0.99


@pytest.mark.parametrize("input_px", [16, 48])
def test_an_encoder_may_bring_images_to_a_size_of_its_own_as_a_part_of_the_network(input_px: int) -> None:
    torch.manual_seed(0)
    own = build_encoder(encoder_settings(input_px=input_px), 1, 32).eval()
    plain = build_encoder(encoder_settings(), 1, input_px).eval()
    plain.load_state_dict(own.state_dict())
    scans = torch.rand(3, 1, 32, 32)
    side, bilinear = (input_px, input_px), PIL.Image.Resampling.BILINEAR
    resized = [np.asarray(PIL.Image.fromarray(scan[0].numpy()).resize(side, bilinear)) for scan in scans]
    with torch.no_grad():
        expected = plain(torch.from_numpy(np.stack(resized))[:, None])
        torch.testing.assert_close(own(scans), expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(copy.deepcopy(own)(scans), own(scans))


@pytest.mark.parametrize("input_px", [None, 16, 48])
@pytest.mark.parametrize("name", sorted(set(REGISTRY.own_names()) - {"timm"}))
def test_every_encoder_learns_in_bfloat16_at_any_size_of_its_own(name: str, input_px: int | None) -> None:
    encoder = build_encoder(encoder_settings(name, input_px=input_px), 1, 32)
    with torch.autocast("cpu", torch.bfloat16):
        features = encoder(torch.rand(4, 1, 32, 32).bfloat16())  # as mixed precision hands them over
    features.float().square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in encoder.parameters())
