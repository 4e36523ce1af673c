"""What a network says of images as they are: no views, evaluation mode."""

from collections.abc import Iterable

import torch
from torch import Tensor

from fewscan.learning.views import plain
from fewscan.models.network import Network, Outputs


@torch.no_grad()
def predict(network: Network, batches: Iterable[Tensor]) -> Outputs:
    """Return the outputs for batches (B, C, S, S) uint8, joined, on the CPU in float32; the network is in evaluation mode."""
    parts = [network(plain(batch).contiguous(memory_format=torch.channels_last)) for batch in batches]
    return Outputs(*(torch.cat(tensors).float().cpu() for tensors in zip(*parts, strict=True)))
