import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fewscan.evaluation.predictor import Predictor
from fewscan.explaining.attribution import heat_map, log_odds
from fewscan.models.encoders import encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network, Outputs

SIZE_PX = 48
TOP, LEFT, SIDE_PX = 12, 26, 8  # the square that decides


class SquareNetwork(nn.Module):
    """Two classes, told apart by the brightness of one square alone."""

    def forward(self, images: Tensor) -> Outputs:
        brightness = images[:, :, TOP : TOP + SIDE_PX, LEFT : LEFT + SIDE_PX].mean(dim=(1, 2, 3))
        logits = torch.stack([6 * brightness - 3, torch.zeros_like(brightness)], dim=1)
        return Outputs(brightness[:, None], brightness[:, None], logits)


def square_predictor(temperature: float = 1.0) -> Predictor:
    return Predictor(SquareNetwork(), torch.device("cpu"), temperature)  # type: ignore[arg-type]


def scan_with_square(channels: int = 1) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 60, size=(channels, SIZE_PX, SIZE_PX), dtype=np.uint8)
    pixels[:, TOP : TOP + SIDE_PX, LEFT : LEFT + SIDE_PX] = 230
    return pixels


@pytest.mark.parametrize("channels", [1, 3])
def test_the_map_points_at_what_decides_and_nowhere_else(channels: int) -> None:
    found = heat_map(square_predictor(), scan_with_square(channels), 0)
    assert found.shape == (SIZE_PX, SIZE_PX)
    assert found.dtype == np.float32
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert TOP <= row < TOP + SIDE_PX
    assert LEFT <= column < LEFT + SIDE_PX
    # A window that does not touch the square changes nothing: beyond a window and the smoothing's reach the map is zero.
    reach = SIDE_PX + 6
    far = np.ones(found.shape, dtype=np.bool_)
    far[max(0, TOP - reach) : TOP + SIDE_PX + reach, max(0, LEFT - reach) : LEFT + SIDE_PX + reach] = False
    assert far.any()
    assert np.abs(found[far]).max() == 0


def test_what_speaks_for_one_of_two_classes_speaks_against_the_other() -> None:
    pixels = scan_with_square()
    predictor = square_predictor()
    np.testing.assert_allclose(heat_map(predictor, pixels, 0), -heat_map(predictor, pixels, 1), atol=1e-6)


def test_the_maps_unit_is_that_of_calibrated_log_odds() -> None:
    pixels = scan_with_square()
    once, twice = heat_map(square_predictor(), pixels, 0), heat_map(square_predictor(temperature=2), pixels, 0)
    np.testing.assert_allclose(once, 2 * twice, atol=1e-6)
    # The whole square blurred at once would cost this much at the most.
    assert 0 < once.max() <= 6


@pytest.mark.slow
@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("encoder", ["resnet_small", "study_cnn"])
def test_every_encoder_is_explained_detached_or_not_and_always_the_same_way(encoder: str, detached: bool) -> None:
    torch.manual_seed(0)
    heads = HeadSettings(classifier_detached=detached, classifier_input="projection")
    network = Network(encoder_settings(encoder), heads, channels=1, image_size_px=SIZE_PX, classes=4)
    predictor = Predictor(network, torch.device("cpu"))
    found = heat_map(predictor, scan_with_square(), 2)
    assert np.isfinite(found).all()
    assert np.ptp(found) > 0
    np.testing.assert_array_equal(found, heat_map(predictor, scan_with_square(), 2))
    assert all(parameter.grad is None for parameter in network.parameters())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-8, 8), min_size=2, max_size=6), st.data())
def test_log_odds_are_those_of_the_probability(logits: list[float], data: st.DataObject) -> None:
    label = data.draw(st.integers(0, len(logits) - 1))
    values = torch.tensor([logits], dtype=torch.float64)
    probability = values.softmax(dim=1)[0, label]
    assert log_odds(values, torch.tensor(label)).item() == pytest.approx(torch.logit(probability).item(), abs=1e-6)
