"""Whether scans have empty borders, and whether these differ: a look at some of them, by which `--crop auto` is settled."""

import itertools
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np

from fewscan.images.crop import foreground_box
from fewscan.images.formats.image import Pixels, UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import silenced
from fewscan.images.options import Crop
from fewscan.images.parallel import in_order
from fewscan.images.readers import read_parts
from fewscan.images.sources import ScanFile
from fewscan.wording import counted

# So many scans are looked at, evenly spaced over all sources.
SCANS_LOOKED_AT = 200
# A border counts from this share of a scan's area on.
BORDER = 0.1
# Borders differ where, of what they leave of a scan, the nine tenths that are most differ from the tenth that is least by this.
DIFFERENCE = 1.25


class Borders(NamedTuple):
    """How many scans were looked at, how many of them have a border of over BORDER, and whether borders differ."""

    looked_at: int
    bordered: int
    differ: bool

    @property
    def crop(self) -> Crop:
        """What is chosen: to crop, where at least half of the scans have a border and frames differ."""
        return "foreground" if self.differ and 2 * self.bordered >= self.looked_at > 0 else "none"

    @property
    def sentence(self) -> str:
        """What was seen and chosen, and how to choose otherwise."""
        seen = f"{self.bordered:,} of {counted(self.looked_at, 'scan')} looked at have an empty border of over a tenth"
        alike = "" if not self.bordered else ", of different widths" if self.differ else ", much the same in all"
        if self.crop == "foreground":
            return f"crop: {seen}{alike}, so it is cut away (--crop foreground); --crop none keeps scans whole"
        return f"crop: {seen}{alike}, so scans stay whole (--crop none); --crop foreground cuts borders away"


def look_at_borders(scans: Sequence[ScanFile], reading: Reading, workers: int | None = None) -> Borders:
    """Look at up to SCANS_LOOKED_AT of the scans, the same ones every time; what cannot be read does not count."""
    taken = [scan for scan in scans if scan.set_aside is None]
    places = np.unique(np.linspace(0, len(taken) - 1, min(SCANS_LOOKED_AT, len(taken))).astype(int))

    def look(of_file: tuple[ScanFile, ...]) -> list[float]:
        images = read_parts(of_file[0].path, tuple(scan.part for scan in of_file), reading=reading)
        return [_kept(image.pixels) for image in images if not isinstance(image, UnreadableImage)]

    files = [tuple(scans) for _, scans in itertools.groupby((taken[place] for place in places), lambda scan: scan.path)]
    with silenced(), closing(in_order(look, files, workers=workers)) as looks:
        kept = np.array([share for of_file in looks for share in of_file])
    if not len(kept):
        return Borders(0, 0, differ=False)
    least, most = np.quantile(kept, [0.1, 0.9])
    return Borders(len(kept), int((kept < 1 - BORDER).sum()), differ=bool(most >= DIFFERENCE * least))


def _kept(pixels: Pixels) -> float:
    """Return which share of a scan is in its box."""
    box = foreground_box(pixels)
    return 1.0 if box is None else box.area / pixels.size
