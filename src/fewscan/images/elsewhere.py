"""Pixels that lie at a URL, in object storage or on a server: read from there by ranges of bytes, through fsspec."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, overload
from typing import SupportsIndex as Number

import numpy as np
import numpy.typing as npt

from fewscan.atomic import write_text
from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.images.remote import is_remote, lacking, require_no_secret
from fewscan.images.stored import ONE_BY_ONE, SPAN_BYTES, Piece, Pixels, StoredImages, read_rows
from fewscan.progress import say_once
from fewscan.wording import one_line

ELSEWHERE_FILE = "elsewhere.json"
# Before a reading is given up: seconds to wait between the tries, beyond those of the library that reads.
PAUSES = (0.5, 2.0, 8.0)


class Elsewhere(Settings):
    """What `images/elsewhere.json` says: where a copy of the files of pixels lies, and of how many images."""

    format: Literal[1] = 1
    url: str
    images: int
    copied: bool  # False while the copy is made, or where making it was stopped

    @classmethod
    def of(cls, folder: Path) -> "Elsewhere | None":
        """Return what a dataset's folder of images says; None where it says nothing."""
        path = folder / ELSEWHERE_FILE
        return cls.read(path, "restore the original file") if path.exists() else None

    def write(self, folder: Path) -> None:
        """Say so in a dataset's folder of images."""
        write_text(folder / ELSEWHERE_FILE, self.model_dump_json(indent=2) + "\n")

    def file(self, name: str, size_bytes: int) -> "FarFile":
        """Return one of the files, which is to have that size."""
        return FarFile(f"{self.url}/{name}", size_bytes)


class FarFile:
    """A file at a URL. It is opened when something is read, in each process anew: what fsspec opens is of one process."""

    def __init__(self, url: str, size_bytes: int) -> None:
        self.url = url
        self.size_bytes = size_bytes
        self._opened_by: int | None = None
        self._system: Any = None
        self._path = ""

    def fill(self, pieces: Sequence[Piece]) -> None:
        """Read all pieces, side by side, and those that fail once more after a while.

        Raises FewscanError where the file is not the one that was copied there, and where it cannot be read.
        """
        self.open()
        left = [short for piece in pieces for short in _cut(piece)]
        for pause in (*PAUSES, None):
            left, fault = self._tried(left)
            if fault is None:
                return
            if pause is None or isinstance(fault, FileNotFoundError | PermissionError):
                raise FewscanError(
                    f"cannot read {self.url}: {one_line(fault)}; once it can be read again, the same command continues"
                )
            time.sleep(pause)

    def open(self) -> None:
        """Look whether the file is there, and as long as it should be; raises FewscanError where it is not."""
        if self._opened_by == os.getpid():
            return
        say_once(f"pixels are read from {self.url}")  # no network is used unawares
        self._system, self._path = opened(self.url)
        size = size_of(self.url)
        if size != self.size_bytes:
            said = "no longer exists" if size is None else f"now has {size:,} bytes"
            raise FewscanError(
                f"{self.url} {said}, but {self.size_bytes:,} bytes of pixels were copied there: restore the file, or copy it "
                "again from an intact dataset"
            )
        self._opened_by = os.getpid()

    def _tried(self, pieces: list[Piece]) -> tuple[list[Piece], Exception | None]:
        """Return the pieces that could not be read, and what was said of the first of them."""
        starts = [first for first, _ in pieces]
        ends = [first + len(into) for first, into in pieces]
        try:
            found = self._system.cat_ranges([self._path] * len(pieces), starts, ends, on_error="return")
        except Exception as error:  # each storage has errors of its own
            return pieces, error
        left: list[Piece] = []
        fault: Exception | None = None
        for piece, content in zip(pieces, found, strict=True):
            if isinstance(content, Exception) or len(content) != len(piece[1]):
                left.append(piece)
                said = content if isinstance(content, Exception) else OSError("it returned fewer or more bytes than requested")
                fault = fault or said
            else:
                piece[1][:] = content
        return left, fault


class FarImages:
    """Images (N, C, S, S) uint8 in a file at a URL, asked for as `StoredImages` are; rows are read together where many are.

    first: the row of the file that is the first of these.
    """

    def __init__(self, file: FarFile, shape: tuple[int, ...], first: int = 0) -> None:
        self.shape = shape
        self._file = file
        self._first = first

    @property
    def url(self) -> str:
        """Of their file."""
        return self._file.url

    @property
    def nbytes(self) -> int:
        """Of all images, read or not."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        """Return the number of images."""
        return self.shape[0]

    @overload
    def __getitem__(self, rows: npt.NDArray[np.integer[Any] | np.bool_], /) -> Pixels: ...
    @overload
    def __getitem__(self, row: Number, /) -> Any: ...
    @overload
    def __getitem__(self, rows: slice, /) -> StoredImages: ...
    def __getitem__(self, rows: npt.NDArray[np.integer[Any] | np.bool_] | Number | slice, /) -> Any:
        """Return rows; consecutive ones, as a slice, without reading them."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return FarImages(self._file, (max(0, stop - start), *self.shape[1:]), self._first + start)
            return self._read(np.arange(start, stop, step))
        return self._read(self._places(np.asarray(rows)))

    def __iter__(self) -> Iterator[Pixels]:
        """Yield one image after the other; several are read together."""
        for start in range(0, len(self), ONE_BY_ONE):
            yield from self._read(np.arange(start, min(start + ONE_BY_ONE, len(self))))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return all of them, read."""
        return self._read(np.arange(len(self))).astype(dtype or np.uint8, copy=False)

    def _places(self, asked: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Return row numbers from 0 on for what NumPy takes as an index; raises IndexError as it does."""
        if asked.dtype == np.bool_:
            if asked.shape != (len(self),):
                raise IndexError(f"the mask has shape {asked.shape}, but there are {len(self)} images")
            return np.flatnonzero(asked)
        if asked.size and not np.issubdtype(asked.dtype, np.integer):
            raise IndexError(f"images are indexed by whole numbers or a Boolean mask, not {asked.dtype}")
        rows = asked.astype(np.int64)
        outside = (rows < -len(self)) | (rows >= len(self))
        if outside.any():
            raise IndexError(f"row {rows[outside].flat[0]} is out of range: there are {len(self)} images")
        return np.where(rows < 0, rows + len(self), rows)

    def _read(self, rows: npt.NDArray[np.int64]) -> Pixels:
        ascending, places = np.unique(rows, return_inverse=True)
        found = read_rows(self._file, self.shape[1:], self._first + ascending)
        image: Pixels = found if np.array_equal(rows, ascending) else found[places.reshape(rows.shape)]
        return image


def opened(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it; raises FewscanError where it cannot be opened."""
    import fsspec  # loads for a while; what a storage needs besides, as s3fs, is the user's

    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise FewscanError(lacking(url, error)) from None
    except Exception as error:  # each storage has errors of its own
        raise FewscanError(f"'{url}' cannot be opened: {one_line(error)}") from error
    return system, path


def on_this_machine(url: str) -> Path | None:
    """Return which path of this machine a URL names, `file:///mnt/shared` say; None where it names none.

    Raises FewscanError where it cannot be opened.
    """
    from fsspec.implementations.local import LocalFileSystem

    system, path = opened(url)
    return Path(path) if isinstance(system, LocalFileSystem) else None


def size_of(url: str) -> int | None:
    """Return how many bytes a file at a URL has, as it is now; None where there is none.

    Raises FewscanError where the URL cannot be asked.
    """
    system, path = opened(url)
    try:
        system.invalidate_cache()
        size = system.info(path)["size"]
    except FileNotFoundError:
        return None
    except Exception as error:  # each storage has errors of its own
        raise FewscanError(f"'{url}' cannot be looked up: {one_line(error)}") from error
    if not isinstance(size, int):
        raise FewscanError(f"'{url}' does not report its size, so parts of it cannot be read")
    return size


def require_address(url: str) -> str:
    """Return a URL to copy pixels to, as it is noted; raises FewscanError where it is none, or holds what nobody may note."""
    if not is_remote(url):
        raise FewscanError(f"'{url}' is not a URL: write one such as s3://bucket/mydata or file:///mnt/shared/mydata")
    require_no_secret(url)
    if "::" in url:
        raise FewscanError(f"'{url}' goes through another store first: leave out the part before '::'")
    return url.rstrip("/")


def _cut(piece: Piece) -> Iterator[Piece]:
    """Cut what is long into pieces that come side by side."""
    first, into = piece
    for start in range(0, len(into), SPAN_BYTES):
        yield first + start, into[start : start + SPAN_BYTES]
