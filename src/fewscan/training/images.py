"""The pixels that training reads: on the device where they fit, else from where they are stored.

A file of this machine is read row by row; or, where the memory does not hold it, for many steps at once, from the first of
their rows to the last, by a thread that reads ahead while the steps before are computed. From elsewhere, where each reading
takes its time however short it is, rows are read once and kept as far as the memory holds them (`held.py`), others ahead.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from fewscan.images.elsewhere import FarImages
from fewscan.images.stored import StoredImages, read_ascending
from fewscan.progress import track
from fewscan.training.batches import Rows
from fewscan.training.held import HeldImages

# Images of a forward pass, and fewer where they are large: 256 of 224 px took 6 GB in a network that widens them.
PREDICT_BATCH = 256
PREDICT_PIXELS = PREDICT_BATCH * 112**2
# So much is read ahead of pixels elsewhere, and so much while it is used: many readings that take place side by side.
AHEAD_BYTES = 1 << 25
Step = TypeVar("Step")

# Share of a GPU's free memory that pixels may take; the rest is for the network.
DEVICE_SHARE = 0.4


class ImageRows:
    """Images by row number, as uint8 tensors on a device. pixels: (N, C, S, S) uint8, in memory or stored.

    With `keep` all pixels go to the device at once, where they fit: for who reads them many times. often: the rows that are
    read so, the most often ones first; of pixels elsewhere as many of these are kept in memory as each of `processes` may keep.
    """

    def __init__(
        self, pixels: StoredImages, device: torch.device, *, keep: bool, often: Rows | None = None, processes: int = 1
    ) -> None:
        self.device = device
        self.source: StoredImages | HeldImages | Tensor = pixels
        self._image_bytes = pixels.nbytes // max(1, len(pixels))
        self.batch = min(PREDICT_BATCH, max(1, PREDICT_PIXELS // math.prod(pixels.shape[-2:])))  # suits a forward pass
        if keep and device.type == "cuda" and pixels.nbytes < DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]:
            self.source = _sent_all(pixels, device)
        elif often is not None and isinstance(pixels, FarImages):
            self.source = HeldImages.of(pixels, often, processes)

    def __getitem__(self, rows: Rows) -> Tensor:
        """Return (len(rows), C, S, S) uint8 on the device."""
        if isinstance(self.source, Tensor):
            return self.source[sent(torch.from_numpy(rows), self.device)]
        return torch.from_numpy(self.source[rows]).to(self.device)

    def beside(
        self, steps: Iterable[Step], rows_of: Callable[[Step], Rows], at_a_time: int | None = None
    ) -> Iterator[tuple[Step, Tensor]]:
        """Yield every step and the images of its rows.

        at_a_time: how many steps' images are read together, while those of as many steps before are used, so that the memory
        holds twice as many; None to read each step's when its turn comes.
        """
        if at_a_time is None or isinstance(self.source, Tensor):
            yield from ((step, self[rows_of(step)]) for step in steps)
            return
        left = iter(steps)
        with ThreadPoolExecutor(1) as reader:

            def begun() -> tuple[list[Step], Future[tuple[Tensor, list[Tensor]]]]:
                some = list(itertools.islice(left, at_a_time))
                return some, reader.submit(self._read_together, [rows_of(step) for step in some])

            ahead = begun()
            while ahead[0]:
                now, (images, places) = ahead[0], ahead[1].result()
                ahead = begun()
                yield from ((step, images[place].to(self.device)) for step, place in zip(now, places, strict=True))

    def _read_together(self, rows: list[Rows]) -> tuple[Tensor, list[Tensor]]:
        """Return the images of all rows, read from the first in the file to the last, and where among them each one's are."""
        assert not isinstance(self.source, Tensor)
        ascending, places = np.unique(np.concatenate([np.empty(0, np.int64), *rows]), return_inverse=True)
        source = self.source
        images = torch.from_numpy(source[ascending] if isinstance(source, HeldImages) else read_ascending(source, ascending))
        ends = np.cumsum([len(some) for some in rows])[:-1]
        return images, [torch.from_numpy(some) for some in np.split(places, ends)]

    def batches(self, rows: Rows, size: int | None = None) -> Iterator[Tensor]:
        """Yield the images of `rows` in batches, by default such as suit a forward pass."""
        size = size or self.batch
        parts = (rows[start : start + size] for start in range(0, len(rows), size))
        yield from (images for _, images in self.beside(parts, lambda part: part, self.ahead(size)))

    def ahead(self, images: int) -> int | None:
        """Return how many steps of so many images are best read together; None where each is when it is asked for."""
        if isinstance(self.source, FarImages) or (isinstance(self.source, HeldImages) and not self.source.complete):
            return max(1, AHEAD_BYTES // (images * self._image_bytes))
        return None


def _sent_all(pixels: StoredImages, device: torch.device) -> Tensor:
    """Return all images on the device, without holding all of them in the memory beside it."""
    images = torch.empty(pixels.shape, dtype=torch.uint8, device=device)
    step = max(1, AHEAD_BYTES // (pixels.nbytes // max(1, len(pixels))))
    starts: Iterable[int] = range(0, len(pixels), step)
    if isinstance(pixels, FarImages):
        starts = track(starts, "read pixels", total=-(-len(pixels) // step))
    for start in starts:
        images[start : start + step] = torch.from_numpy(np.array(pixels[start : start + step])).to(device)
    return images


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
