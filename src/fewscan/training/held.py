"""Pixels that lie elsewhere, of which a training keeps in memory what it reads again and again: that is read once."""

from typing import Self

import numpy as np

from fewscan.images.elsewhere import FarImages
from fewscan.images.stored import TOGETHER_BYTES, Pixels, Rows
from fewscan.memory import memory_bytes
from fewscan.progress import say_once, track
from fewscan.wording import counted

# The share of the memory that kept images may take, of all processes of a training together. (A file of this machine the system
# keeps by itself.)
HELD_SHARE = 0.25


class HeldImages:
    """Images by row number: those of `rows` (R,), ascending, are in `kept` (R, C, S, S), others are read when asked for.

    complete: whether these are all that will be asked for.
    """

    def __init__(self, pixels: FarImages, rows: Rows, kept: Pixels, *, complete: bool) -> None:
        self.complete = complete
        self._pixels = pixels
        self._rows = rows
        self._kept = kept

    @classmethod
    def of(cls, pixels: FarImages, often: Rows, processes: int = 1) -> Self:
        """Read and keep the first of the rows `often`, as many as each of so many processes of this machine may keep."""
        image_bytes = pixels.nbytes // max(1, len(pixels))
        rows = np.unique(often[: int(HELD_SHARE * memory_bytes() / processes) // image_bytes])
        complete = len(rows) == len(often)
        say_once(
            f"The pixels are at {pixels.url}: {counted(len(rows), 'image')} of the {len(often):,} that this training uses are "
            f"read once and kept in memory ({len(rows) * image_bytes / 1e6:,.0f} MB)"
            + ("" if complete else "; the others are read ahead each time")
        )
        kept = np.empty((len(rows), *pixels.shape[1:]), np.uint8)
        step = max(1, TOGETHER_BYTES // image_bytes)
        starts = range(0, len(rows), step)
        for start in track(starts, "read pixels", total=len(starts)) if starts else ():
            kept[start : start + step] = pixels[rows[start : start + step]]
        return cls(pixels, rows, kept, complete=complete)

    def __getitem__(self, rows: Rows) -> Pixels:
        """Return the images (len(rows), C, S, S)."""
        if not len(self._rows):
            return self._pixels[rows]
        places = np.searchsorted(self._rows, rows).clip(max=len(self._rows) - 1)
        held = self._rows[places] == rows
        if held.all():
            kept: Pixels = self._kept[places]
            return kept
        found = np.empty((len(rows), *self._kept.shape[1:]), np.uint8)
        found[held] = self._kept[places[held]]
        found[~held] = self._pixels[rows[~held]]
        return found
