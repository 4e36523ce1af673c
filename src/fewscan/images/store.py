"""The images of a dataset: pixels in one file, facts in one table a shard; both only ever grow, and a row keeps its number.

Where scans are cropped, a second file holds them whole: copies are told by these, since a crop may take something from a scan
and nothing from its copy. A shard is what one import or one addition brought. What a killed addition wrote is no part of any
shard that `dataset.json` names: the next one goes on with it (`blocks`), or writes over it.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pydantic

from fewscan.atomic import writing
from fewscan.config import Settings
from fewscan.digests import whole
from fewscan.errors import FewscanError
from fewscan.images.elsewhere import Elsewhere, FarImages
from fewscan.images.options import ImageSpec
from fewscan.images.shard_writer import Behind, ShardWriter
from fewscan.images.stored import Rows, StoredImages
from fewscan.images.table import facts_sha256, read_table, write_table
from fewscan.wording import command_line

IMAGES_FOLDER = "images"
PIXELS_FILE = "pixels.raw"  # row after row, (C, S, S) uint8 each
WHOLE_FILE = "whole.raw"  # likewise, without the crop; only where scans are cropped

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

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files of pixels."""
        return (PIXELS_FILE, WHOLE_FILE) if self.keeps_whole else (PIXELS_FILE,)

    @cached_property
    def elsewhere(self) -> Elsewhere | None:
        """Where a copy of these files lies; None where none is known."""
        return Elsewhere.of(self.folder)

    @property
    def away(self) -> tuple[str, ...]:
        """Names of the files of pixels that lie elsewhere alone."""
        copied = self.elsewhere is not None and self.elsewhere.copied
        return tuple(name for name in self.files if copied and not (self.folder / name).exists())

    @cached_property
    def pixels(self) -> StoredImages:
        """(N, C, S, S) uint8, read-only: memory-mapped, or read from where they lie elsewhere.

        Raises FewscanError where the file is missing or cut short, here at once, elsewhere when something is read.
        """
        return self.stored(PIXELS_FILE)

    @cached_property
    def whole(self) -> StoredImages:
        """`pixels` without the crop, as far as they are kept so: by these copies are told, and what is no scan.

        Raises FewscanError as `pixels` does.
        """
        return self.stored(WHOLE_FILE) if self.keeps_whole else self.pixels

    def copy_at(self, elsewhere: Elsewhere, name: str, rows: int | None = None) -> FarImages:
        """Return the images of a copy of one of the files, by default all of them."""
        count = self.rows if rows is None else rows
        return FarImages(elsewhere.file(name, count * self.spec.image_bytes), (count, *self.spec.shape))

    def require_here(self, aim: str = "add scans") -> None:
        """Raise FewscanError where pixels lie elsewhere alone; aim: what they are needed here for."""
        if self.away and self.elsewhere is not None:
            folder = self.folder.parent
            raise FewscanError(
                f"the pixels of {folder} ({', '.join(self.away)}) are only at {self.elsewhere.url}: to {aim}, copy them back "
                f"with '{command_line('pixels', folder, '--back')}', then run this command again"
            )

    def table(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the facts of all images, or some columns of IMAGE_DTYPES; raises FewscanError where they are damaged."""
        parts = [read_table(self.table_file(number), shard.table_sha256, columns) for number, shard in enumerate(self.shards)]
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    @cached_property
    def usable(self) -> Rows:
        """Numbers of the images that were not set aside when they were read, ascending."""
        return np.flatnonzero(self.table(["set_aside"])["set_aside"].isna().to_numpy())

    @property
    def begun(self) -> Path:
        """Where that is kept what is known of the next shard while it is not whole."""
        return self.folder / f"{len(self.shards):04}.partial"

    @contextmanager
    def appending(self) -> Iterator[ShardWriter]:
        """Yield what takes further images, written behind those that are there; `sealed` makes a shard of them."""
        self.require_here()
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
        table_sha256 = write_table(self.table_file(len(self.shards)), images)
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
        for name in self.files:
            if not self.holds_bytes(name, self.stored(name)):
                place = self.folder / name if name not in self.away else f"{self.elsewhere and self.elsewhere.url}/{name}"
                raise FewscanError(f"{place}: these are not the pixels that were imported; restore the file")

    def holds_bytes(
        self, name: str, images: StoredImages, shards: int | None = None, told: Callable[[int], None] = lambda count: None
    ) -> bool:
        """Return whether images are those of a file, by the SHA-256 of its shards, or of the first `shards` of them.

        told: is told how many more images were read.
        """
        start = 0
        for shard in self.shards[:shards]:
            sha256 = shard.pixels_sha256 if name == PIXELS_FILE else shard.whole_sha256
            if _sha256(images[start : start + shard.rows], told) != sha256:
                return False
            start += shard.rows
        return True

    def stored(self, name: str) -> StoredImages:
        """Return the images in one of `files`; raises FewscanError as `pixels` does."""
        if name not in self.away or self.elsewhere is None:
            return self._mapped(name)
        if self.elsewhere.images != self.rows:
            raise FewscanError(
                f"{self.folder / name} is missing, and {self.elsewhere.url} has a copy of only {self.elsewhere.images:,} of "
                f"its {self.rows:,} images: restore the file"
            )
        return self.copy_at(self.elsewhere, name)

    def _mapped(self, name: str) -> StoredImages:
        path, shape = self.folder / name, (self.rows, *self.spec.shape)
        with whole(path, "import the scans again"):
            if path.stat().st_size < self.rows * self.spec.image_bytes:
                raise FewscanError(f"{path} is incomplete: import the scans again")
            return np.memmap(path, np.uint8, mode="r", shape=shape)

    @contextmanager
    def _end_of(self, name: str) -> Iterator[Behind]:
        """Open a file of images where these end, and see to it that what is written is on the disk, and nothing behind it."""
        if self.shards:
            self._mapped(name)  # or it was lost, and the rows before the new ones would be holes
        path = self.folder / name
        # Written, not memory-mapped: a disk that is full under a map kills the process, here it is an error.
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.seek(self.rows * self.spec.image_bytes)
            yield Behind(file, self.spec.image_bytes)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())

    def table_file(self, number: int) -> Path:
        """Return where the facts of a shard lie."""
        return self.folder / f"{number:04}.parquet"


def _sha256(images: StoredImages, told: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    step = max(1, _BLOCK_BYTES // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, len(images), step):
        some = np.ascontiguousarray(images[start : start + step])
        digest.update(some.data)
        told(len(some))
    return digest.hexdigest()
