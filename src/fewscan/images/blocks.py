"""What was read of images block by block, kept until all are: an import that was stopped goes on with it.

Pixels lie where they belong, behind those of the dataset. A file a block says of which files they are, what was read besides,
and the SHA-256 of the pixels: a block counts where its files and these are as they were, and where it would be read alike now.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import pydantic
import simplejpeg

from fewscan.atomic import write_text
from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.images.options import LEFT_OUT, ImageSpec
from fewscan.images.readers import Image, UnreadableImage, read_images
from fewscan.images.shard_writer import ShardWriter
from fewscan.images.sources import ScanFile, Source, stamp
from fewscan.progress import say
from fewscan.version import __version__
from fewscan.wording import counted

# A kill loses no more images, and as many are read again where the file of one has changed meanwhile.
BLOCK_ROWS = 512
# The values behind such a header lie in a file of any name.
HEADERS_OF_OTHERS = (".mhd", ".nhdr")

Notes = tuple[str, ...]


class Block(Settings):
    """What was read of some images besides their pixels, of which `digests` are: facts as IMAGE_DTYPES has them, and notes.

    spec: how they were read; sources: the names and folders of those that were read, of these images or others.
    """

    stamp: str
    spec: dict[str, Any]
    sources: dict[str, str]
    digests: tuple[str, ...]
    facts: tuple[dict[str, Any], ...]
    notes: tuple[Notes, ...]


class Blocks:
    """The images of a new shard, block by block, of which a process that was stopped may have read some."""

    def __init__(self, shard: ShardWriter, scans: Sequence[ScanFile], spec: ImageSpec, sources: Sequence[Source]) -> None:
        """Take what is there of these scans of `sources`, and say so; what is of others, or was read otherwise, is removed."""
        self._shard, self._scans, self._spec = shard, scans, spec
        self._folders = _folders(sources)
        self._blank = np.zeros(spec.shape, np.uint8)
        self._places = [slice(first, first + BLOCK_ROWS) for first in range(0, len(scans), BLOCK_ROWS)]
        reading = f"{spec.model_dump_json()} {__version__} {PIL.__version__} {cv2.__version__} {simplejpeg.__version__}"
        # Before anything is read. With the scans before and behind, since a header's values may lie in the file beside it.
        values = _values_stamps(scans)
        self._stamps = [
            stamp(
                scans[max(0, place.start - 1) : place.stop + 1],
                f"{reading} {place.start} {sorted({values.get(scan.path.parent, '') for scan in scans[place]})}",
            )
            for place in self._places
        ]
        self._held = {number for number in range(len(self._places)) if self._is_held(number)}
        if self._held:
            say(f"continuing: {self._read}")
        elif has_blocks(shard.begun):
            say("the images read so far came from other files or another version, so reading starts over")
            shard.forget()

    @property
    def kept(self) -> str | None:
        """How far the same command has come already when it goes on; None where it begins anew."""
        return self._read if self._held else None

    @property
    def _read(self) -> str:
        read = sum(len(self._scans[self._places[number]]) for number in self._held)
        return f"{read:,} of {counted(len(self._scans), 'image')} have been read, {100 * read // len(self._scans)} %"

    def read(self, listed: Iterable[Mapping[str, Any]], workers: int | None) -> Generator[Notes, None, None]:
        """Write all images into the shard, with what is `listed` of each, and yield the notes on each, in their order.

        An image that is set aside has zero pixels. Close the generator to stop early; blocks that are whole stay.
        """
        left = [scan for number, place in enumerate(self._places) if number not in self._held for scan in self._scans[place]]
        known = iter(listed)
        with closing(read_images(left, self._spec, workers)) as images:
            for number, place in enumerate(self._places):
                if number not in self._held:
                    yield from self._filled(number, len(self._scans[place]), images, known)
                    continue
                block = self._block(number)
                for facts, notes in zip(block.facts, block.notes, strict=True):
                    self._shard.take({**next(known), **facts})
                    yield notes

    def _filled(
        self, number: int, rows: int, images: Iterator[Image | UnreadableImage], known: Iterator[Mapping[str, Any]]
    ) -> Generator[Notes, None, None]:
        """Write the next images as a block, and keep it."""
        facts: list[dict[str, Any]] = []
        noted: list[Notes] = []
        for _ in range(rows):
            image = next(images)
            if isinstance(image, UnreadableImage):
                facts.append({"sha256": image.sha256, "set_aside": image.reason})
                noted.append(())
                self._shard.write(self._blank, {**next(known), **facts[-1]})
            else:
                sizes = {"width_px": image.width_px, "height_px": image.height_px, "color": image.color}
                facts.append({"sha256": image.sha256, "pixels_sha256": image.pixels_sha256, **sizes})
                noted.append(image.notes)
                self._shard.write(image.pixels, {**next(known), **facts[-1]}, image.whole)
            # What is less is soon read again, and a small import that is stopped leaves nothing.
            if len(facts) == BLOCK_ROWS:
                self._keep(number, facts, noted)
            yield noted[-1]

    def _keep(self, number: int, facts: Sequence[dict[str, Any]], noted: Sequence[Notes]) -> None:
        block = Block(
            stamp=self._stamps[number],
            spec=self._spec.model_dump(mode="json"),
            sources=self._folders,
            digests=self._shard.digests_since(),
            facts=tuple(facts),
            notes=tuple(noted),
        )
        self._shard.begun.mkdir(exist_ok=True)
        # ASCII, as `json` writes it: the name of a file that a note quotes may be no UTF-8.
        write_text(self._file(number), json.dumps(block.model_dump()))
        self._held.add(number)

    def _is_held(self, number: int) -> bool:
        try:
            block = self._block(number)
        except (OSError, ValueError, RecursionError, pydantic.ValidationError):
            return False
        place = self._places[number]
        rows = len(self._scans[place])
        return (
            block.stamp == self._stamps[number]
            and len(block.facts) == len(block.notes) == rows
            and block.digests == self._shard.digests_at(place.start, rows)
        )

    def _block(self, number: int) -> Block:
        return Block.model_validate(json.loads(self._file(number).read_bytes()))

    def _file(self, number: int) -> Path:
        return self._shard.begun / f"{number:06}.json"


def _values_stamps(scans: Sequence[ScanFile]) -> dict[Path, str]:
    """Return a stamp for each folder with headers whose values may lie in any file there: over its files that are no scans."""
    values: dict[Path, list[ScanFile]] = {
        scan.path.parent: [] for scan in scans if scan.path.suffix.lower() in HEADERS_OF_OTHERS
    }
    for scan in scans if values else ():
        if scan.set_aside is not None and scan.path.parent in values:
            values[scan.path.parent].append(scan)
    return {folder: stamp(beside) for folder, beside in values.items()}


def has_blocks(begun: Path) -> bool:
    """Return whether something is kept of a shard that was begun."""
    return any(begun.glob("*.json"))


def refuse_others(begun: Path, spec: ImageSpec, sources: Sequence[Source], *, kept_in: Path) -> None:
    """Raise FewscanError where what is kept of a shard that was begun is of other sources, or was read not by `spec`.

    Hours may lie in it, and only the user knows whether the others were meant. `kept_in` is what to remove if they were.
    """
    asked, folders = _complete(spec.model_dump(mode="json")), _folders(sources)
    for path in sorted(begun.glob("*.json")):
        try:
            had = Block.model_validate(json.loads(path.read_bytes()))
        except (OSError, ValueError, RecursionError, pydantic.ValidationError):
            continue  # damaged, so that it will be read again
        way_out = f"to continue, or remove {kept_in} to start over"
        missing = [f"{name}={folder}" for name, folder in had.sources.items() if folders.get(name) != folder]
        if missing:
            given = ", ".join(f"{name}={folder}" for name, folder in folders.items())
            raise FewscanError(
                f"the images read so far came from other sources ({', '.join(missing)}, not {given}): "
                f"give the same sources {way_out}"
            )
        read = _complete(had.spec)
        names = [name for name in asked | read if read.get(name) != asked.get(name)]
        if names:
            others = "; ".join(f"{name}={read.get(name, 'none')}, not {asked.get(name, 'none')}" for name in names)
            raise FewscanError(
                f"the images read so far were read with other settings ({others}): give the same settings {way_out}"
            )


def _complete(said: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a spec with what is left out of it."""
    return said | LEFT_OUT | said


def _folders(sources: Sequence[Source]) -> dict[str, str]:
    return {source.name: str(source.folder) for source in sources}
