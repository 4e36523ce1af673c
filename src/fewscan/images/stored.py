"""Stored images as their readers know them: one array, whose file is memory-mapped here or lies elsewhere.

What lies close together in a file is read at once, wherever it lies: from a disk as from a bucket a few long readings cost less
than many short ones.
"""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from fewscan.errors import FewscanError

Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Piece = tuple[int, memoryview]  # the first byte in a file, and what is to be filled from there on

# Images in a file that lie no further from each other than this are read at once, with what is between them.
READ_THROUGH_BYTES = 1 << 17
# But no more than about so much, or rows far and wide would be read with all that lies between them.
SPAN_BYTES = 1 << 22
# Spans that are asked for together: many, since each answer of a bucket takes its time; few enough for the memory.
TOGETHER_BYTES = 1 << 26
# Rows that are read together by who takes them one by one.
ONE_BY_ONE = 256


class StoredImages(Protocol):
    """(N, C, S, S) uint8, read-only: what NumPy's memory-mapped arrays offer of their ways to ask for rows.

    Consecutive rows, `[:n]`, are as lazy as what they are of; any others are read, and are an array in memory.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, S, S)."""

    @property
    def nbytes(self) -> int:
        """Of all of them, read or not."""

    def __len__(self) -> int:
        """Return N."""

    @overload
    def __getitem__(self, rows: npt.NDArray[np.integer[Any] | np.bool_], /) -> Pixels: ...
    @overload
    def __getitem__(self, row: SupportsIndex, /) -> Any: ...
    @overload
    def __getitem__(self, rows: slice, /) -> "StoredImages": ...

    def __iter__(self) -> Iterator[Any]:
        """Yield one image (C, S, S) after the other."""

    def __array__(self) -> Pixels:
        """Return all of them, in memory."""


class Source(Protocol):
    """A file that parts of can be read from."""

    def fill(self, pieces: Sequence[Piece]) -> None:
        """Read all pieces; raises FewscanError where the file ends before one does, or cannot be read."""


class Chosen:
    """Some rows of stored images, in any order: read where a part of them is asked for."""

    def __init__(self, images: StoredImages, rows: Rows) -> None:
        self._images = images
        self._rows = np.asarray(rows)

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self._rows)

    def __getitem__(self, places: slice) -> Pixels:
        """Return the images at some places among them."""
        return self._images[self._rows[places]]


def one_by_one(images: StoredImages, rows: Rows) -> Iterator[Pixels]:
    """Yield each row's image (C, S, S); several are read together."""
    for start in range(0, len(rows), ONE_BY_ONE):
        yield from images[np.asarray(rows[start : start + ONE_BY_ONE])]


def read_ascending(images: StoredImages, rows: Rows) -> Pixels:
    """Return the images (R, C, S, S) of ascending rows (R,); of a file what lies close together is read at once.

    It is read, not mapped: what a system reads besides for pages that are touched is several times as much.
    """
    if not isinstance(images, np.memmap):
        return images[rows]
    return read_rows(_LocalFile(Path(str(images.filename))), images.shape[1:], rows, images.offset)


def read_rows(source: Source, shape: tuple[int, ...], rows: Rows, offset: int = 0) -> Pixels:
    """Return the images (R, *shape) of ascending rows (R,) of a file whose row 0 begins at `offset`, in bytes."""
    found = np.empty((len(rows), *shape), np.uint8)
    if not len(rows):
        return found
    image_bytes = found[0].nbytes
    apart = np.diff(rows) * image_bytes > READ_THROUGH_BYTES
    long = np.diff(rows * image_bytes // SPAN_BYTES) > 0
    cuts = np.flatnonzero(apart | long) + 1
    parts = list(zip(np.split(rows, cuts), np.split(found, cuts), strict=True))
    for together in _together(parts, image_bytes):
        spans = [
            into if int(some[-1] - some[0]) + 1 == len(some) else np.empty((int(some[-1] - some[0]) + 1, *shape), np.uint8)
            for some, into in together
        ]
        source.fill(
            [
                (offset + int(some[0]) * image_bytes, span.data.cast("B"))
                for (some, _), span in zip(together, spans, strict=True)
            ]
        )
        for (some, into), span in zip(together, spans, strict=True):
            if span is not into:
                into[:] = span[some - some[0]]
    return found


def _together(parts: list[tuple[Rows, Pixels]], image_bytes: int) -> Iterator[list[tuple[Rows, Pixels]]]:
    """Yield parts that are read together, each by one span from its first row to its last."""
    some: list[tuple[Rows, Pixels]] = []
    long = 0
    for part in parts:
        some.append(part)
        long += int(part[0][-1] - part[0][0] + 1) * image_bytes
        if long >= TOGETHER_BYTES:
            yield some
            some, long = [], 0
    if some:
        yield some


class _LocalFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self, pieces: Sequence[Piece]) -> None:
        with self._path.open("rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):  # not everywhere
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            for first, into in pieces:
                file.seek(first)
                _fill(into, file)


def _fill(view: memoryview, file: io.FileIO) -> None:
    while view:
        count = file.readinto(view)
        if not count:
            raise FewscanError(f"{file.name} is incomplete: import the scans again")
        view = view[count:]
