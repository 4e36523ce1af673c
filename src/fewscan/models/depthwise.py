"""Depthwise convolutions, each of which looks at one map, on a CPU that else computes in bfloat16."""

import torch
from torch import Tensor, nn


class _DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution that computes in float32 on a CPU, and gives what it was given.

    PyTorch has no fast way back through those of bfloat16 with a stride or with a kernel of five: it takes up to ten times as
    long as that of float32.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H', W')."""
        if maps.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(maps)
        with torch.autocast("cpu", enabled=False):
            return super().forward(maps.float()).to(maps.dtype)


def with_fast_depthwise(network: nn.Module) -> None:
    """Let all plain depthwise convolutions of a network compute in what a CPU is fastest in; weights and names stay."""
    for module in network.modules():
        # Of a class of its own is what computes otherwise, as timm's that pads by the size of the maps.
        if type(module) is nn.Conv2d and module.groups == module.in_channels > 1:
            module.__class__ = _DepthwiseConv2d  # the same weights, which nothing draws or copies
