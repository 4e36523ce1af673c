"""The images of a dataset: pixels in one file, facts in one table a shard; both only ever grow, and a row keeps its number.

Where scans are cropped, a second file holds them whole: copies are told by these, since a crop may take something from a scan
and nothing from its copy. A shard is what one import or one addition brought. What a killed addition wrote is no part of any
shard that `dataset.json` names: the next one goes on with it (`blocks`), or writes over it.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
WHOLE_FILE = "whole.raw"  # likewise, without the crop; only where scans are cropped

Pixels = npt.NDArray[np.uint8]

_BLOCK_BYTES = 1 << 24


class Shard(Settings):
    """What one import or addition brought; `chain` covers it and all shards before it.

    whole_sha256: None where scans are not cropped, or were by a version that kept no whole images.
    """

    rows: int = pydantic.Field(ge=0)
    table_sha256: str
    pixels_sha256: str
    whole_sha256: str | None = pydantic.Field(default=None, exclude_if=lambda sha256: sha256 is None)
    chain: str


class _Behind:
    """What is written behind the images of a file, and its SHA-256."""

    def __init__(self, file: BinaryIO, image_bytes: int) -> None:
        self._file = file
        self._image_bytes = image_bytes
        self._first = file.tell()
        self._digest = hashlib.sha256()
        self._since = hashlib.sha256()

    def write(self, image: Pixels) -> None:
        self._file.write(image.data)
        self._digest.update(image.data)
        self._since.update(image.data)

    def take(self) -> None:
        self._digest.update(self._file.read(self._image_bytes))

    def sha256_since(self) -> str:
        self._file.flush()
        since, self._since = self._since, hashlib.sha256()
        return since.hexdigest()

    def sha256_at(self, row: int, rows: int) -> str:
        here = self._file.tell()
        self._file.seek(self._first + row * self._image_bytes)
        digest = hashlib.sha256()
        for _ in range(rows):
            digest.update(self._file.read(self._image_bytes))
        self._file.seek(here)
        return digest.hexdigest()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class ShardWriter:
    """Takes the images of a new shard, one by one; while it is not whole, what is known of it besides lies in `begun`."""

    def __init__(self, begun: Path, pixels: _Behind, whole: _Behind | None) -> None:
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
    def _files(self) -> list[_Behind]:
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

    @property
    def keeps_whole(self) -> bool:
        """Whether scans are cropped and are kept whole besides, or are to be in the first shard."""
        return self.spec.crop != "none" and all(shard.whole_sha256 is not None for shard in self.shards)

    @cached_property
    def pixels(self) -> Pixels:
        """(N, C, S, S) uint8, memory-mapped and read-only; raises FewscanError where the file is missing or cut short."""
        return self._mapped(PIXELS_FILE)

    @cached_property
    def whole(self) -> Pixels:
        """`pixels` without the crop, as far as they are kept so: by these copies are told, and what is no scan.

        Raises FewscanError as `pixels` does.
        """
        return self._mapped(WHOLE_FILE) if self.keeps_whole else self.pixels

    def table(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the facts of all images, or some columns of IMAGE_DTYPES; raises FewscanError where they are damaged."""
        parts = [read_table(self._table_file(number), shard.table_sha256, columns) for number, shard in enumerate(self.shards)]
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    @property
    def begun(self) -> Path:
        """Where that is kept what is known of the next shard while it is not whole."""
        return self.folder / f"{len(self.shards):04}.partial"

    @contextmanager
    def appending(self) -> Iterator[ShardWriter]:
        """Yield what takes further images, written behind those that are there; `sealed` makes a shard of them."""
        with writing(self.folder / PIXELS_FILE), ExitStack() as files:
            self.folder.mkdir(exist_ok=True)
            if not self.shards and not self.keeps_whole:
                (self.folder / WHOLE_FILE).unlink(missing_ok=True)  # of one that was begun with a crop
            pixels = files.enter_context(self._end_of(PIXELS_FILE))
            whole = files.enter_context(self._end_of(WHOLE_FILE)) if self.keeps_whole else None
            for left in set(self.folder.glob("*.partial")) - {self.begun}:
                shutil.rmtree(left)  # a kill right after its shard was whole
            yield ShardWriter(self.begun, pixels, whole)

    def sealed(self, written: ShardWriter, images: pd.DataFrame) -> "ImageStore":
        """Return the images with what was `written`, `images` being the final table; it is the dataset's once it says so."""
        table_sha256 = write_table(self._table_file(len(self.shards)), images)
        before = self.shards[-1].chain if self.shards else self.spec.model_dump_json()
        facts = facts_sha256(images, self.table(["patient"])["patient"] if self.shards else pd.Series(dtype="str"))
        chain = hashlib.sha256("\n".join([before, facts, written.pixels_sha256]).encode()).hexdigest()
        shard = Shard(
            rows=len(images),
            table_sha256=table_sha256,
            pixels_sha256=written.pixels_sha256,
            whole_sha256=written.whole_sha256,
            chain=chain,
        )
        return ImageStore(self.folder, self.spec, (*self.shards, shard))

    def verify(self) -> None:
        """Read every byte; raises FewscanError where pixels or facts are not those that were imported."""
        self.table()
        start = 0
        for shard in self.shards:
            rows = slice(start, start + shard.rows)
            self._verify(PIXELS_FILE, self.pixels[rows], shard.pixels_sha256)
            if self.keeps_whole:
                self._verify(WHOLE_FILE, self.whole[rows], shard.whole_sha256)
            start += shard.rows

    def _verify(self, name: str, images: Pixels, sha256: str | None) -> None:
        if _sha256(images) != sha256:
            raise FewscanError(f"{self.folder / name}: pixels are not those that were imported: put the file back")

    def _mapped(self, name: str) -> Pixels:
        path, shape = self.folder / name, (self.rows, *self.spec.shape)
        with whole(path, "import the scans again"):
            if path.stat().st_size < self.rows * self.spec.image_bytes:
                raise FewscanError(f"{path} is cut short: import the scans again")
            return np.memmap(path, np.uint8, mode="r", shape=shape)

    @contextmanager
    def _end_of(self, name: str) -> Iterator[_Behind]:
        """Open a file of images where these end, and see to it that what is written is on the disk, and nothing behind it."""
        if self.shards:
            self._mapped(name)  # or it was lost, and the rows before the new ones would be holes
        path = self.folder / name
        # Written, not memory-mapped: a disk that is full under a map kills the process, here it is an error.
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.seek(self.rows * self.spec.image_bytes)
            yield _Behind(file, self.spec.image_bytes)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())

    def _table_file(self, number: int) -> Path:
        return self.folder / f"{number:04}.parquet"


def _sha256(pixels: Pixels) -> str:
    digest = hashlib.sha256()
    step = max(1, _BLOCK_BYTES // max(1, int(np.prod(pixels.shape[1:]))))
    for start in range(0, len(pixels), step):
        digest.update(np.ascontiguousarray(pixels[start : start + step]).data)
    return digest.hexdigest()
