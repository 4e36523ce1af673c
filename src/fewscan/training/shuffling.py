"""In which order an epoch shows images: shuffled among all, or, where the memory does not hold them, block by block.

A block is a run of consecutive rows, which a disk reads at once. Blocks come in random order, so many at a time as a buffer
holds, and among the images of these all are shuffled. Each image is shown once a pass; the order is a function of what is drawn
alone.
"""

from typing import NamedTuple

import numpy as np

from fewscan.datasets.snapshot import Rows, Snapshot
from fewscan.memory import memory_bytes
from fewscan.training.held import HELD_SHARE

# So much is read at once from the images' file: a disk then reads about as fast as it can.
BLOCK_BYTES = 1 << 20
# A buffer holds so many blocks at least: of few ones a batch is as one-sided as folders are (docs/scale.md).
LEAST_BLOCKS = 64
# Images are shuffled among all others up to this share of the memory: the system then keeps their file there by itself.
FITS = 0.5
# The share of the memory that the buffer takes otherwise; another one is read meanwhile.
BUFFER_SHARE = 0.05


class Buffer(NamedTuple):
    """How many images are shuffled among each other, and how many consecutive ones make a block."""

    images: int
    block: int

    @classmethod
    def of(cls, images: int | None, image_bytes: int) -> "Buffer | None":
        """Return the buffer of so many images; None where all are shuffled among each other."""
        return None if images is None else cls(images, max(1, min(BLOCK_BYTES // image_bytes, images // LEAST_BLOCKS)))

    def part(self, share: float) -> "Buffer":
        """Return what a stream has of it that gives this share of the images."""
        return self._replace(images=max(1, round(self.images * share)))


def shuffled(random: np.random.Generator, rows: Rows, buffer: Buffer | None) -> Rows:
    """Return each of `rows`, ascending, once: shuffled among all, or among the blocks that the buffer holds at a time."""
    if buffer is None:
        everywhere: Rows = random.permutation(rows)
        return everywhere
    starts = buffer.block * random.permutation(-(-len(rows) // buffer.block))
    places = (starts[:, np.newaxis] + np.arange(buffer.block)).ravel()
    places = places[places < len(rows)]
    at_a_time = buffer.block * max(1, round(buffer.images / buffer.block))
    parts = [random.permutation(places[start : start + at_a_time]) for start in range(0, len(places), at_a_time)]
    by_blocks: Rows = rows[np.concatenate([places[:0], *parts])]
    return by_blocks


def buffer_for_memory(dataset: Snapshot) -> int | None:
    """Return how many of the dataset's images are to be shuffled among each other on this machine; None for all."""
    memory, image_bytes = memory_bytes(), dataset.spec.image_bytes
    # Elsewhere the system keeps nothing by itself.
    if dataset.pixels.nbytes <= (HELD_SHARE if dataset.store.away else FITS) * memory:
        return None
    return max(2, int(BUFFER_SHARE * memory) // image_bytes)


def shuffling_sentence(images: int, buffer: int) -> str:
    """Say how images are shuffled that the memory does not hold."""
    return (
        f"The {images:,} images are too large to keep in memory: they are read in blocks and shuffled {buffer:,} at a time "
        f"(shuffle_buffer={buffer})"
    )
