"""Averaged weights: an exponential moving average of the network, which is what a run is judged by."""

import copy

import torch
from torch import nn

from fewscan.models.network import Network


class AveragedNetwork(nn.Module):
    """A copy of a network whose weights follow it slowly: w <- d * w + (1 - d) * new; with decay 0 it is the network itself.

    d = min(decay, (1 + n) / (10 + n)) after n updates, so that the first steps do not weigh for ever. Buffers (the running
    statistics of batch normalization) are averaged alike; integer ones are copied.
    Source: Polyak and Juditsky 1992; the warm-up is the one of TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, network: Network, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.network: Network = copy.deepcopy(network).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, network: nn.Module, updates: int) -> None:
        """Move the averaged weights towards those of `network`, which was done `updates` times before."""
        weight = 1 - min(self.decay, (1 + updates) / (10 + updates))
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        floating = [(mean, new) for mean, new in pairs if mean.is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in floating], [new for _, new in floating], weight)
        for mean, new in pairs:
            if not mean.is_floating_point():
                mean.copy_(new)
