import numpy as np
import pytest
import torch

from fewscan.images.options import ImageSpec
from fewscan.models import passes
from fewscan.models.encoders import build_encoder, encoder_settings
from fewscan.models.passes import AT_ONCE, LEAST_PASSES, FoldedPasses, RuntimePasses, passes_of

pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
CPU = torch.device("cpu")
SIZE_PX = 40
SMALL = ImageSpec(channels=1, size_px=32)


def trained(name: str, channels: int, **changes: int):
    """An encoder whose running means and deviations are not those that it begins with."""
    torch.manual_seed(0)
    encoder = build_encoder(encoder_settings(name, **changes), channels, SIZE_PX)
    with torch.no_grad():
        for _ in range(3):
            encoder(torch.rand(8, channels, SIZE_PX, SIZE_PX))
    return encoder.eval().requires_grad_(False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "channels", "changes"),
    [("efficientnet_lite0_middle", 1, {}), ("efficientnet_lite0", 3, {"input_px": 32}), ("resnet_small", 1, {})],
)
def test_features_are_those_of_the_encoder_itself_but_for_rounding(name, channels, changes) -> None:
    encoder = trained(name, channels, **changes)
    assert encoder.graph_pays_from is not None
    quick = passes_of(encoder, ImageSpec(channels=channels, size_px=SIZE_PX), CPU, encoder.graph_pays_from)
    assert isinstance(quick, RuntimePasses)
    for count in (1, AT_ONCE, AT_ONCE + 5):
        images = torch.rand(count, channels, SIZE_PX, SIZE_PX).contiguous(memory_format=torch.channels_last)
        expected = encoder(images).numpy()
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(quick(images).numpy(), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("callers", [1, 4])
@pytest.mark.parametrize(("name", "changes"), [("resnet_small", {}), ("resnet_small", {"input_px": 24}), ("study_cnn", {})])
def test_in_parts_and_folded_features_are_those_of_the_encoder_but_for_rounding(name, changes, callers) -> None:
    encoder = trained(name, 1, **changes)
    quick = passes_of(encoder, ImageSpec(channels=1, size_px=SIZE_PX), CPU, LEAST_PASSES, callers)
    assert isinstance(quick, FoldedPasses)
    for count in (1, AT_ONCE, 3 * AT_ONCE + 5):
        images = torch.rand(count, 1, SIZE_PX, SIZE_PX)
        expected = encoder(images)
        torch.testing.assert_close(quick(images), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("name", "device", "count"),
    [
        ("efficientnet_lite0_middle", "cpu", LEAST_PASSES - 1),
        ("efficientnet_lite0_middle", "cuda", LEAST_PASSES),
        ("resnet_small", "cuda", LEAST_PASSES),
    ],
)
def test_an_encoder_computes_itself_where_little_is_gained(name, device, count) -> None:
    encoder = build_encoder(encoder_settings(name), 1, 32).eval()
    assert passes_of(encoder, SMALL, torch.device(device), count) is encoder


def test_where_onnx_runtime_is_missing_the_encoder_computes_and_it_is_said_how_to_have_it(monkeypatch, capsys) -> None:
    monkeypatch.setattr(passes, "onnx_is_there", lambda: False)
    encoder = build_encoder(encoder_settings("efficientnet_lite0_middle"), 1, 32).eval()
    assert isinstance(passes_of(encoder, SMALL, CPU, LEAST_PASSES), FoldedPasses)
    assert "fewscan[onnx]" in capsys.readouterr().err
