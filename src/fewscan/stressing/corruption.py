"""A way in which a scan may look processed otherwise: what it does, and its five strengths."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewscan.images.formats.image import Pixels
from fewscan.seeds import stream

STRENGTHS = 5
# The one that goals are set for and that pictures show, counted from 1.
MIDDLE = 3

# A scan (H, W) or (H, W, 3) uint8 as its file shows it, how much, and random numbers -> the scan so changed.
Change = Callable[[Pixels, float, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Corruption:
    """One way, at five strengths.

    name: what users call it. summary: in plain words, where it comes from. amounts: how much at each strength, from weak to
    strong, in the unit of `change`. words: an amount in words, with `{}` in its place; percent: whether it is a share.
    """

    name: str
    summary: str
    change: Change
    amounts: tuple[float, float, float, float, float]
    words: str
    percent: bool = False

    def said(self, strength: int) -> str:
        """Return a strength, 1 to 5, in words."""
        amount = self.amounts[strength - 1]
        return self.words.format(f"{100 * amount:g} %" if self.percent else f"{amount:g}")

    def applied(self, scan: Pixels, strength: int, number: int = 0) -> Pixels:
        """Return a scan (H, W) or (H, W, 3) uint8 at a strength, 1 to 5; only what is done to the frame changes its size.

        The same scan, strength and `number`, of the scan, give the same pixels; random numbers are the same ones at each
        strength, so that nothing but the strength differs.
        """
        return self.change(scan, self.amounts[strength - 1], stream(number, f"corruption {self.name}").numpy())


def in_levels(values: npt.NDArray[np.floating]) -> Pixels:
    """Return gray levels as uint8, rounded; what is beyond black and white becomes these."""
    levels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels
