"""How features are had of an encoder that learns no more: by PyTorch, or on a CPU by ONNX Runtime where that is much faster."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from fewscan.images.options import ImageSpec
from fewscan.models.encoder import Encoder
from fewscan.models.folding import folded
from fewscan.models.graphs import graph_of, onnx_is_there, runtime_session
from fewscan.progress import say

# Images (B, C, S, S) float in [0, 1] -> features (B, D) float32, on the device of the encoder.
Passes = Callable[[Tensor], Tensor]

# Below so many passes of an image an encoder is not made ready for many.
LEAST_PASSES = 500
# Images that a thread passes through at once: what lies between two layers then stays in a processor's cache. A graph for any
# number takes three times as long to write and is no quicker.
AT_ONCE = 32


def passes_of(encoder: Encoder, spec: ImageSpec, device: torch.device, count: int, callers: int = 1) -> Passes:
    """Return what gives the features of images of `spec`, as the encoder does but for rounding.

    encoder: in evaluation mode, on `device`. count: about how many images will be passed through it, by so many `callers` at
    once, which share PyTorch's threads.
    """
    if device.type != "cpu" or count < LEAST_PASSES:
        return encoder
    threads = max(1, torch.get_num_threads() // callers)
    if encoder.graph_pays_from is None or count < encoder.graph_pays_from:
        return FoldedPasses(encoder, threads)
    if onnx_is_there():
        return RuntimePasses(encoder, spec, threads)
    say(f"{encoder.name} is faster on a CPU with ONNX Runtime: pip install 'fewscan[onnx]'")
    return FoldedPasses(encoder, threads)


class FoldedPasses:
    """An encoder in PyTorch without its normalization, of few images at once; its weights are those of now."""

    def __init__(self, encoder: Encoder, threads: int) -> None:
        self._encoder = folded(encoder)
        self._at_once = AT_ONCE * threads

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (B, D) of images (B, C, S, S)."""
        parts = (part.contiguous(memory_format=torch.channels_last) for part in torch.split(images, self._at_once))
        return torch.cat([self._encoder(part) for part in parts])


class RuntimePasses:
    """An encoder as a graph in ONNX Runtime, on so many threads; its weights are those of now."""

    def __init__(self, encoder: Encoder, spec: ImageSpec, threads: int) -> None:
        graph = graph_of(folded(encoder), torch.zeros(AT_ONCE, *spec.shape), "images", ["features"])
        self._session = runtime_session(graph.SerializeToString(), threads)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (B, D) of images (B, C, S, S)."""
        lacking = -len(images) % AT_ONCE
        filled = torch.cat([images.contiguous(), images.new_zeros(lacking, *images.shape[1:])])
        parts = [self._session.run(None, {"images": part.numpy()})[0] for part in torch.split(filled, AT_ONCE)]
        return torch.from_numpy(np.concatenate(parts)[: len(images)])
