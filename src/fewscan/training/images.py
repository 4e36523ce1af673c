"""The pixels that training reads: on the device where they fit, else row by row from the memory-mapped file."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fewscan.training.batches import Rows

PREDICT_BATCH = 256

# Share of a GPU's free memory that pixels may take; the rest is for the network.
DEVICE_SHARE = 0.4


class ImageRows:
    """Images by row number, as uint8 tensors on a device. pixels: (N, C, S, S) uint8, in memory or memory-mapped.

    With `keep` all pixels go to the device at once, where they fit: for who reads them many times.
    """

    def __init__(self, pixels: npt.NDArray[np.uint8], device: torch.device, *, keep: bool) -> None:
        self.device = device
        self.source: npt.NDArray[np.uint8] | Tensor = pixels
        if keep and device.type == "cuda" and pixels.nbytes < DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]:
            self.source = torch.from_numpy(np.array(pixels)).to(device)

    def __getitem__(self, rows: Rows) -> Tensor:
        """Return (len(rows), C, S, S) uint8 on the device."""
        if isinstance(self.source, Tensor):
            return self.source[sent(torch.from_numpy(rows), self.device)]
        return torch.from_numpy(self.source[rows]).to(self.device)

    def batches(self, rows: Rows) -> Iterator[Tensor]:
        """Yield the images of `rows` in batches that suit a forward pass."""
        for start in range(0, len(rows), PREDICT_BATCH):
            yield self[rows[start : start + PREDICT_BATCH]]


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a small tensor on `device`, without waiting for what a GPU is still computing."""
    # CUDA has taken its own copy of ordinary memory by the time the call returns; Apple's GPU may not have.
    return tensor.to(device, non_blocking=device.type == "cuda")


def usable_device(asked: str) -> torch.device:
    """Return the device that a run's setting asks for where this machine has it, else the CPU."""
    if asked in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if asked == "mps" and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
