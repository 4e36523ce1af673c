"""The encoder's passes in training, recorded once on a GPU and played from then on.

In a step of few images a GPU waits for the launches of its kernels, several hundred of them, one after the other. A CUDA graph
launches them together: the same kernels on the same numbers.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fewscan.models.network import Network, Outputs
from fewscan.progress import say

# The batches of an epoch differ by an image or two; whoever asks for more sizes than that is not served.
SIZES = 4
Pass = Callable[..., Any]


def is_recordable(network: Network, device: torch.device) -> bool:
    """Return whether the encoder's passes can be recorded: on a GPU of NVIDIA's, where they are the same each time.

    What is recorded keeps its memory between steps, so half of the GPU's must be free.
    """
    if device.type != "cuda" or torch.version.cuda is None or not network.encoder.same_passes:
        return False
    free, whole = torch.cuda.mem_get_info(device)
    if free < whole / 2:
        say("less than half of this GPU's memory is free, so CUDA graphs are not used and steps take longer")
    return free >= whole / 2


class RecordedNetwork(nn.Module):
    """A network of which the encoder's forward and backward pass are recorded, for each size of batch that it is trained on.

    Whoever takes its outputs must be done with them when the next batch goes forward: that one's lie in the same memory.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self._passes: dict[torch.Size, Pass] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self._refused = False

    def forward(self, images: Tensor) -> Outputs:
        """Return features, projections and logits of images (B, C, S, S)."""
        return self.network.read(self._pass(images)(images))

    def _pass(self, images: Tensor) -> Pass:
        if not (self.training and torch.is_grad_enabled()):
            return self.network.encoder
        size = images.shape
        if size not in self._passes and len(self._passes) < SIZES and not self._refused:
            self._record(images)
        return self._passes.get(size, self.network.encoder)

    def _record(self, images: Tensor) -> None:
        encoder = self.network.encoder
        # To warm up, the passes are made a few times, which moves what batch normalization keeps of them.
        before = [buffer.clone() for buffer in encoder.buffers()]
        autocast = torch.autocast(
            "cuda", torch.get_autocast_dtype("cuda"), enabled=torch.is_autocast_enabled("cuda"), cache_enabled=False
        )
        # What adds up gradients is made here, on the stream of a recording, and used on another, which waits for it.
        warns = getattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch", None)
        if warns is not None:  # since PyTorch 2.10
            warns(False)
        try:
            with autocast:
                # A graph takes the place of the `forward` of what it is made of, so it is not made of the encoder itself.
                played = torch.cuda.make_graphed_callables(_Alone(encoder), (images.clone(),), pool=self._pool)
        except RuntimeError as error:
            self._refused = True
            reason = str(error).splitlines()[0]
            say(f"this GPU cannot use CUDA graphs for {encoder.name}, so steps take longer: {reason}")
        else:
            self._passes[images.shape] = played
        for buffer, value in zip(encoder.buffers(), before, strict=True):
            buffer.copy_(value)


class _Alone(nn.Module):
    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.encoder(images)
        return h
