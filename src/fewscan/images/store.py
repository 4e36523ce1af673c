"""The images of a dataset: pixels in one file, facts in one table a shard; both only ever grow, and a row keeps its number.

A shard is what one import or one addition brought. What a killed addition wrote is no part of any shard that `dataset.json`
names: the next one writes over it.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydantic

from fewscan.atomic import writing
from fewscan.config import Settings
from fewscan.digests import whole
from fewscan.errors import FewscanError
from fewscan.images.options import ImageSpec
from fewscan.images.table import IMAGE_DTYPES, facts_sha256, read_table, write_table

IMAGES_FOLDER = "images"
PIXELS_FILE = "pixels.raw"  # row after row, (C, S, S) uint8 each

_BLOCK_BYTES = 1 << 24


class Shard(Settings):
    """What one import or addition brought; `chain` covers it and all shards before it."""

    rows: int = pydantic.Field(ge=0)
    table_sha256: str
    pixels_sha256: str
    chain: str


class ShardWriter:
    """Takes the images of a new shard, one by one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._facts: list[dict[str, Any]] = []

    def write(self, pixels: npt.NDArray[np.uint8], facts: dict[str, Any]) -> None:
        """Add one image: pixels (C, S, S), and what IMAGE_DTYPES asks for; what is missing is null."""
        self._file.write(pixels.data)
        self._digest.update(pixels.data)
        self._facts.append(facts)

    @property
    def table(self) -> pd.DataFrame:
        """The facts of all images so far."""
        return pd.DataFrame(self._facts, columns=list(IMAGE_DTYPES)).astype(IMAGE_DTYPES)

    @property
    def pixels_sha256(self) -> str:
        """Over the bytes of all images so far."""
        return self._digest.hexdigest()


@dataclass(frozen=True)
class ImageStore:
    """The folder `images` of a dataset, as far as the dataset's shards go."""

    folder: Path
    spec: ImageSpec
    shards: tuple[Shard, ...]

    @property
    def rows(self) -> int:
        """How many images there are, those that were set aside among them."""
        return sum(shard.rows for shard in self.shards)

    @property
    def identity(self) -> str:
        """What tells this dataset's images from all others', however many were added since."""
        return self.shards[0].chain

    @property
    def chain(self) -> str:
        """A SHA-256 over all images, their pixels and facts."""
        return self.shards[-1].chain

    def holds(self, rows: int, chain: str) -> bool:
        """Return whether the first `rows` images are those of `chain`."""
        ends = np.cumsum([shard.rows for shard in self.shards])
        return any(int(end) == rows and shard.chain == chain for end, shard in zip(ends, self.shards, strict=True))

    @cached_property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """(N, C, S, S) uint8, memory-mapped and read-only; raises FewscanError where the file is missing or cut short."""
        path, shape = self.folder / PIXELS_FILE, (self.rows, *self.spec.shape)
        with whole(path, "import the scans again"):
            if path.stat().st_size < self.rows * self.spec.image_bytes:
                raise FewscanError(f"{path} is cut short: import the scans again")
            return np.memmap(path, np.uint8, mode="r", shape=shape)

    def table(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the facts of all images, or some columns of IMAGE_DTYPES; raises FewscanError where they are damaged."""
        parts = [read_table(self._table_file(number), shard.table_sha256, columns) for number, shard in enumerate(self.shards)]
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    @contextmanager
    def appending(self) -> Iterator[ShardWriter]:
        """Yield what takes further images, written behind those that are there; `sealed` makes a shard of them."""
        path = self.folder / PIXELS_FILE
        with writing(path):
            self.folder.mkdir(exist_ok=True)
            # Written, not memory-mapped: a disk that is full under a map kills the process, here it is an error.
            with path.open("r+b" if path.exists() else "w+b") as file:
                end = self.rows * self.spec.image_bytes
                file.truncate(end)
                file.seek(end)
                yield ShardWriter(file)
                file.flush()
                os.fsync(file.fileno())

    def sealed(self, written: ShardWriter, images: pd.DataFrame) -> "ImageStore":
        """Return the images with what was `written`, `images` being the final table; it is the dataset's once it says so."""
        table_sha256 = write_table(self._table_file(len(self.shards)), images)
        before = self.shards[-1].chain if self.shards else self.spec.model_dump_json()
        facts = facts_sha256(images, self.table(["patient"])["patient"] if self.shards else pd.Series(dtype="str"))
        chain = hashlib.sha256("\n".join([before, facts, written.pixels_sha256]).encode()).hexdigest()
        shard = Shard(rows=len(images), table_sha256=table_sha256, pixels_sha256=written.pixels_sha256, chain=chain)
        return ImageStore(self.folder, self.spec, (*self.shards, shard))

    def verify(self) -> None:
        """Read every byte; raises FewscanError where pixels or facts are not those that were imported."""
        self.table()
        start = 0
        for shard in self.shards:
            if _sha256(self.pixels[start : start + shard.rows]) != shard.pixels_sha256:
                raise FewscanError(f"{self.folder / PIXELS_FILE}: pixels are not those that were imported: put the file back")
            start += shard.rows

    def _table_file(self, number: int) -> Path:
        return self.folder / f"{number:04}.parquet"


def _sha256(pixels: npt.NDArray[np.uint8]) -> str:
    digest = hashlib.sha256()
    step = max(1, _BLOCK_BYTES // max(1, int(np.prod(pixels.shape[1:]))))
    for start in range(0, len(pixels), step):
        digest.update(np.ascontiguousarray(pixels[start : start + step]).data)
    return digest.hexdigest()
