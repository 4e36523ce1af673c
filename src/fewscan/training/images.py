"""The pixels that training reads: on the device where they fit, else from the memory-mapped file.

That file is read row by row; or, where the memory does not hold it, for many steps at once, from the first of their rows to the
last, by a thread that reads ahead while the steps before are computed.
"""

import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fewscan.errors import FewscanError
from fewscan.training.batches import Rows

PREDICT_BATCH = 256

# Images in a file that lie no further from each other than this are read at once, with what is between them.
READ_THROUGH_BYTES = 1 << 17
Step = TypeVar("Step")

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
        images = torch.from_numpy(read_ascending(self.source, ascending))
        ends = np.cumsum([len(some) for some in rows])[:-1]
        return images, [torch.from_numpy(some) for some in np.split(places, ends)]

    def batches(self, rows: Rows) -> Iterator[Tensor]:
        """Yield the images of `rows` in batches that suit a forward pass."""
        for start in range(0, len(rows), PREDICT_BATCH):
            yield self[rows[start : start + PREDICT_BATCH]]


def read_ascending(pixels: npt.NDArray[np.uint8], rows: Rows) -> npt.NDArray[np.uint8]:
    """Return the images (R, C, S, S) of ascending rows (R,); of a memory-mapped file what lies close together is read at once.

    It is read, not mapped: what a system reads besides for pages that are touched is several times as much.
    """
    if not isinstance(pixels, np.memmap) or not len(rows):
        return pixels[rows]
    found = np.empty((len(rows), *pixels.shape[1:]), np.uint8)
    image_bytes = found[0].nbytes
    cuts = np.flatnonzero(np.diff(rows) * image_bytes > READ_THROUGH_BYTES) + 1
    with Path(str(pixels.filename)).open("rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise"):  # not everywhere
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for some, into in zip(np.split(rows, cuts), np.split(found, cuts), strict=True):
            long = int(some[-1] - some[0]) + 1
            span = into if long == len(some) else np.empty((long, *pixels.shape[1:]), np.uint8)
            file.seek(pixels.offset + int(some[0]) * image_bytes)
            _fill(span.data.cast("B"), file)
            if span is not into:
                into[:] = span[some - some[0]]
    return found


def _fill(view: memoryview, file: io.FileIO) -> None:
    while view:
        count = file.readinto(view)
        if not count:
            raise FewscanError(f"{file.name} is cut short: import the scans again")
        view = view[count:]


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
