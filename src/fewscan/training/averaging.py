"""Averaged weights: an exponential moving average of the network, which is what a run is judged by."""

import copy

import torch
from torch import nn

from fewscan.models.network import Network


class AveragedNetwork(nn.Module):
    """A copy of a network whose weights follow it slowly: w <- d * w + (1 - d) * new; with decay 0 it is the network itself.

    d = min(decay, (1 + n) / (10 + n)) after n updates, so that the first steps do not weigh for ever. Buffers (the running
    statistics of batch normalization) are averaged alike; integer ones are copied. The network is on its device already.
    Source: Polyak and Juditsky 1992; the warm-up is the one of TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, network: Network, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.network: Network = copy.deepcopy(network).requires_grad_(False).eval()
        # Training changes these tensors in place, so they are looked up once.
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        floating = [pair for pair in pairs if pair[0].is_floating_point()]
        counters = [pair for pair in pairs if not pair[0].is_floating_point()]
        self._means, self._news = ([pair[side] for pair in floating] for side in (0, 1))
        self._counts, self._new_counts = ([pair[side] for pair in counters] for side in (0, 1))

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Move the averaged weights towards those of the network, which was done `updates` times before."""
        weight = 1 - min(self.decay, (1 + updates) / (10 + updates))
        torch._foreach_lerp_(self._means, self._news, weight)
        if self._counts:
            torch._foreach_copy_(self._counts, self._new_counts)
