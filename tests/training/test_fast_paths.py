"""What is done for speed computes what the plain way computes: float64, PyTorch's default memory layout, no mixed precision."""

import copy
from collections.abc import Callable
from typing import Any

import lightning_fabric
import pytest
import torch
from torch import Tensor, nn

from fewscan.learning.losses import nt_xent
from fewscan.models.encoders import encoder_settings
from fewscan.models.heads import HeadSettings
from fewscan.models.network import Network

# How far the loss and, taken together, the gradients may be off, as a share of themselves. bfloat16 has 8 bits, and contrastive
# gradients are small differences of large terms: whether training minds is measured in docs/performance.md.
TOLERANCES = {"32-true": (1e-5, 1e-3), "bf16-mixed": (1e-2, 0.3)}


def loss_and_gradients(
    network: nn.Module, views: Tensor, backward: Callable[[Tensor], None] = Tensor.backward
) -> tuple[float, Tensor]:
    z0, z1 = network(views).z.chunk(2)
    loss = nt_xent(z0, z1, 0.5)
    backward(loss)
    gradients = [parameter.grad.flatten().double() for parameter in network.parameters() if parameter.grad is not None]
    return float(loss.detach()), torch.cat(gradients)


@pytest.mark.slow
@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("encoder", ["study_cnn", "resnet_small"])
def test_a_step_has_the_losses_and_gradients_of_the_plain_step(encoder: Any, precision: Any) -> None:
    torch.manual_seed(0)
    network = Network(encoder_settings(encoder), HeadSettings(), channels=1, image_size_px=32, classes=4)
    views = torch.rand(64, 1, 32, 32).cumsum(dim=2).remainder(1)
    plain_loss, plain_gradients = loss_and_gradients(copy.deepcopy(network).double(), views.double())

    fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1, precision=precision)
    fast = fabric.setup_module(network.to(memory_format=torch.channels_last))
    loss, gradients = loss_and_gradients(fast, views.contiguous(memory_format=torch.channels_last), fabric.backward)

    of_loss, of_gradients = TOLERANCES[precision]
    assert loss == pytest.approx(plain_loss, rel=of_loss)
    assert float((gradients - plain_gradients).norm() / plain_gradients.norm()) < of_gradients
