"""A new shard of images while it is written behind those that are there."""

import hashlib
import shutil
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from fewscan.images.stored import Pixels
from fewscan.images.table import IMAGE_DTYPES


class Behind:
    """What is written behind the images of a file, and its SHA-256."""

    def __init__(self, file: BinaryIO, image_bytes: int) -> None:
        self._file = file
        self._image_bytes = image_bytes
        self._first = file.tell()
        self._digest = hashlib.sha256()
        self._since = hashlib.sha256()

    def write(self, image: Pixels) -> None:
        """Write one image more."""
        self._file.write(image.data)
        self._digest.update(image.data)
        self._since.update(image.data)

    def take(self) -> None:
        """Take the image that stands next already."""
        self._digest.update(self._file.read(self._image_bytes))

    def sha256_since(self) -> str:
        """Return that of what was written since this was asked last, once that is with the system."""
        self._file.flush()
        since, self._since = self._since, hashlib.sha256()
        return since.hexdigest()

    def sha256_at(self, row: int, rows: int) -> str:
        """Return that of `rows` images from one on that was written."""
        here = self._file.tell()
        self._file.seek(self._first + row * self._image_bytes)
        digest = hashlib.sha256()
        for _ in range(rows):
            digest.update(self._file.read(self._image_bytes))
        self._file.seek(here)
        return digest.hexdigest()

    @property
    def sha256(self) -> str:
        """Of all images so far."""
        return self._digest.hexdigest()


class ShardWriter:
    """Takes the images of a new shard, one by one; while it is not whole, what is known of it besides lies in `begun`."""

    def __init__(self, begun: Path, pixels: Behind, whole: Behind | None) -> None:
        self.begun = begun
        self._pixels = pixels
        self._whole = whole
        self._facts: list[dict[str, Any]] = []

    def write(self, pixels: Pixels, facts: dict[str, Any], whole: Pixels | None = None) -> None:
        """Add one image: pixels (C, S, S), and what IMAGE_DTYPES asks for; what is missing is null.

        whole: the same without the crop, which is kept where the dataset keeps such; None where nothing was cut away.
        """
        self._pixels.write(pixels)
        if self._whole is not None:
            self._whole.write(pixels if whole is None else whole)
        self._facts.append(facts)

    def take(self, facts: dict[str, Any]) -> None:
        """Add the image that stands next behind the last one already, since a process that was stopped has written it."""
        for file in self._files:
            file.take()
        self._facts.append(facts)

    def digests_since(self) -> tuple[str, ...]:
        """Return SHA-256s over what was written since this was asked last; a kill of this process leaves that in the files."""
        return tuple(file.sha256_since() for file in self._files)

    def digests_at(self, row: int, rows: int) -> tuple[str, ...]:
        """Return the same over `rows` images that stand in the files already, `row` being the first's number in the shard."""
        return tuple(file.sha256_at(row, rows) for file in self._files)

    def forget(self) -> None:
        """Remove what was kept for the case that the shard does not become whole."""
        shutil.rmtree(self.begun, ignore_errors=True)

    @property
    def _files(self) -> list[Behind]:
        return [file for file in (self._pixels, self._whole) if file is not None]

    @property
    def table(self) -> pd.DataFrame:
        """The facts of all images so far."""
        return pd.DataFrame(self._facts, columns=list(IMAGE_DTYPES)).astype(IMAGE_DTYPES)

    @property
    def pixels_sha256(self) -> str:
        """Over the bytes of all images so far."""
        return self._pixels.sha256

    @property
    def whole_sha256(self) -> str | None:
        """The same over the whole images; None where none are kept."""
        return None if self._whole is None else self._whole.sha256
