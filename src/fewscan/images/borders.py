"""Whether scans have empty borders that differ, and whether they are negatives, by which `auto` is settled of both."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from fewscan.images.crop import foreground_box
from fewscan.images.formats.image import Pixels
from fewscan.images.grid import Grid
from fewscan.images.options import Crop, Negatives
from fewscan.wording import counted

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
        examined = f"{counted(self.looked_at, 'scan')} examined"
        seen = f"{self.bordered:,} of {examined} have an empty border of more than a tenth of their area"
        alike = "" if not self.bordered else ", of different widths" if self.differ else ", about the same in all"
        if self.crop == "foreground":
            return f"crop: {seen}{alike}, so borders are cut away (--crop foreground); --crop none keeps scans whole"
        return f"crop: {seen}{alike}, so scans are kept whole (--crop none); --crop foreground cuts borders away"

    @classmethod
    def of(cls, kept: Sequence[float]) -> Self:
        """Return what is seen of scans of whose areas their boxes keep these shares."""
        if not len(kept):
            return cls(0, 0, differ=False)
        shares = np.array(kept)
        least, most = np.quantile(shares, [0.1, 0.9])
        return cls(len(shares), int((shares < 1 - BORDER).sum()), differ=bool(most >= DIFFERENCE * least))


class Lying(NamedTuple):
    """How many gray scans were looked at, and how many of them lie on white."""

    looked_at: int
    on_white: int

    @property
    def negatives(self) -> Negatives:
        """What is chosen: to undo negatives, where at most one in ten lies on white; else white may be how these scans are."""
        return "undo" if 10 * self.on_white <= self.looked_at > 0 else "keep"

    @property
    def sentence(self) -> str:
        """What was seen and chosen, and how to choose otherwise; empty where no scan lies on white."""
        if not self.on_white:
            return ""
        seen = f"negatives: {self.on_white:,} of {counted(self.looked_at, 'scan')} examined show black on white"
        if self.negatives == "undo":
            return f"{seen}, so such scans are inverted (--negatives undo); --negatives keep leaves them as they are"
        return f"{seen}, too many to be negatives, so all stay as they are (--negatives keep); --negatives undo inverts them"


def kept_share(pixels: Pixels, gray: Grid) -> float:
    """Return which share of a scan, of which that is the small grid, is in its box."""
    box = foreground_box(pixels, gray)
    return 1.0 if box is None else box.area / pixels.size
