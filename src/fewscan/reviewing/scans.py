"""What the page shows of one scan beside its picture: its file, the slices of its volume, copies, and labeled scans like it."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.images.png import as_in_a_file, small_png
from fewscan.images.sources import file_and_part
from fewscan.reviewing.desk import Desk

Floats = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]
THUMBNAIL_PX = 128
MOST_SLICES = 600
MOST_RELATED = 12
NEAREST = 6


class Scans:
    """What is known of the scans of a desk, apart from what people say of them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        facts = desk.facts
        path = facts["path"].astype(str)
        self.names: list[str] = (facts["source"].astype(str) + "/" + path).tolist()
        whole = path.map(lambda one: file_and_part(one)[0])
        self._files = (facts["source"].astype(str) + "/" + whole).to_numpy(object)

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each name."""
        return {name: row for row, name in enumerate(self.names)}

    @cached_property
    def _rows_of_file(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row in np.flatnonzero(self._desk.usable).tolist():
            rows.setdefault(self._files[row], []).append(row)
        return rows

    def slices(self, row: int) -> list[int]:
        """Return the rows of the same file, in its order, the row itself among them."""
        return self._rows_of_file[self._files[row]][:MOST_SLICES]

    def copies(self, row: int) -> list[int]:
        """Return other rows that the audit takes for copies of this one."""
        return self._same(row, "copy_set")

    def same_head(self, row: int) -> list[int]:
        """Return other rows of the same patient or head, which are neither copies nor in the same file."""
        apart = {*self.copies(row), *self.slices(row)}
        return [other for other in self._same(row, "group") if other not in apart]

    def _same(self, row: int, column: str) -> list[int]:
        numbers = self._desk.snapshot.manifest[column]
        if pd.isna(numbers.iloc[row]):
            return []
        same = np.flatnonzero((numbers == numbers.iloc[row]).fillna(False).to_numpy(bool) & self._desk.usable)
        return [int(other) for other in same if other != row][:MOST_RELATED]

    def nearest(self, row: int, known: Sequence[int], features: Floats) -> list[int]:
        """Return the known rows whose features are most like a row's by the cosine, of every group one, nearest first."""
        apart = {row, *self.slices(row)}  # of one file without an audit, too
        candidates = np.array([other for other in known if self._desk.usable[other] and other not in apart], np.int64)
        if len(candidates) == 0:
            return []
        own, theirs = features[row], features[candidates]
        likeness = theirs @ own / np.maximum(np.linalg.norm(theirs, axis=1), 1e-9)
        groups = self._desk.snapshot.groups
        found: dict[int, int] = {}
        for at in np.argsort(-likeness, kind="stable"):
            other = int(candidates[at])
            if groups[other] != groups[row]:
                found.setdefault(int(groups[other]), other)
            if len(found) == NEAREST:
                break
        return list(found.values())

    def thumbnail(self, row: int) -> bytes:
        """Return a row's stored pixels as a small PNG."""
        return small_png(as_in_a_file(self._desk.dataset.pixels[row]), THUMBNAIL_PX, compress_level=1)
