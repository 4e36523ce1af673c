"""Tensors come back from a safetensors file as they were, however they lay in memory."""

import torch
from safetensors.torch import load

from fewscan.tensors import safetensors_of


def test_what_lies_in_another_order_is_put_in_order_and_gradients_do_not_matter() -> None:
    turned = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    assert not turned.is_contiguous()
    assert torch.equal(load(safetensors_of({"turned": turned}))["turned"], turned)
