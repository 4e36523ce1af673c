"""What a network says of images as they are: no views, evaluation mode."""

from collections.abc import Iterable

import torch
from torch import Tensor

from fewscan.learning.views import plain
from fewscan.models.network import Network, Outputs
from fewscan.models.passes import Passes


@torch.no_grad()
def predict(network: Network, batches: Iterable[Tensor], passes: Passes | None = None) -> Outputs:
    """Return the outputs for batches (B, C, S, S) uint8, joined, on the CPU in float32; the network is in evaluation mode.

    passes: how its features are had, where not by its encoder itself.
    """
    said = network if passes is None else lambda images: network.read(passes(images))
    parts = [said(plain(batch).contiguous(memory_format=torch.channels_last)) for batch in batches]
    return Outputs(*(torch.cat(tensors).float().cpu() for tensors in zip(*parts, strict=True)))
