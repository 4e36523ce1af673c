"""A look at some scans before an import: which cannot be read, what is to be known of values, borders, negatives, sizes."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple, Self

import numpy as np

from fewscan.images.borders import Borders, Lying, kept_share
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import silenced
from fewscan.images.grid import small_grid
from fewscan.images.negatives import is_negative
from fewscan.images.parallel import in_order
from fewscan.images.readers import Image, read_parts
from fewscan.images.size import Sides
from fewscan.images.sources import ScanFile
from fewscan.wording import counted

# So many scans are opened, evenly spaced over all sources.
SCANS_LOOKED_AT = 200
EXAMPLES_SHOWN = 3


class Look(NamedTuple):
    """What was seen of the scans that were opened, of so many that there are."""

    opened: int
    scans: int
    unreadable: tuple[tuple[str, str], ...]  # path below the source's folder, and why
    notes: dict[str, tuple[str, ...]]  # what a user should know of values -> the paths that it is said of
    borders: Borders
    lying: Lying
    sides: Sides

    @property
    def sentence(self) -> str:
        """How many were opened, and whether they can be read."""
        able = "all can be read" if not self.unreadable else f"{counted(len(self.unreadable), 'scan')} cannot be used"
        return f"opened: {self.opened:,} of {counted(self.scans, 'scan')}, {able}"

    @property
    def warnings(self) -> list[str]:
        """What is damaged, and what is to be known of values, each with some of the scans."""
        lines = []
        if self.unreadable:
            named = "; ".join(f"{path}: {reason}" for path, reason in self.unreadable[:EXAMPLES_SHOWN])
            few = f"{len(self.unreadable):,} of the {counted(self.opened, 'scan')} that were opened"
            lines.append(f"{few} cannot be used and are set aside, such as {named}")
        for note, paths in self.notes.items():
            lines.append(f"{note} ({len(paths):,} of the {counted(self.opened, 'scan')} that were opened, such as {paths[0]})")
        return lines


class _Seen(NamedTuple):
    """What was seen of one scan."""

    kept_share: float
    negative: bool
    notes: tuple[str, ...]
    side_px: int

    @classmethod
    def of(cls, image: Image) -> Self:
        gray = small_grid(image.pixels)
        return cls(kept_share(image.pixels, gray), is_negative(gray), image.notes, max(image.width_px, image.height_px))


def look_at(scans: Sequence[ScanFile], reading: Reading, workers: int | None = None) -> Look:
    """Open up to SCANS_LOOKED_AT of the scans that are not set aside, the same ones every time."""
    taken = [scan for scan in scans if scan.set_aside is None]
    places = np.unique(np.linspace(0, len(taken) - 1, min(SCANS_LOOKED_AT, len(taken))).astype(int))
    chosen = [taken[place] for place in places]
    files = [tuple(scans) for _, scans in itertools.groupby(chosen, lambda scan: scan.path)]

    def look(of_file: tuple[ScanFile, ...]) -> list[UnreadableImage | _Seen]:
        images = read_parts(of_file[0].path, tuple(scan.part for scan in of_file), reading=reading)
        return [image if isinstance(image, UnreadableImage) else _Seen.of(image) for image in images]

    unreadable, notes, read = [], defaultdict(list), []
    with silenced(), closing(in_order(look, files, workers=workers)) as looks:
        for scan, seen in zip(chosen, itertools.chain.from_iterable(looks), strict=True):
            if isinstance(seen, UnreadableImage):
                unreadable.append((scan.relative, seen.reason))
                continue
            read.append(seen)
            for note in set(seen.notes) - set(scan.notes):  # what the listing has said already is said
                notes[note].append(scan.relative)
    said = {note: tuple(paths) for note, paths in notes.items()}
    borders, lying = Borders.of([one.kept_share for one in read]), Lying(len(read), sum(one.negative for one in read))
    sides = Sides(int(np.median([one.side_px for one in read])) if read else 0, len(taken))
    return Look(len(chosen), len(taken), tuple(unreadable), said, borders, lying, sides)
