"""How a copy lies beside its original: mirrored, turned by quarters, inverted; in words, and undone."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

QUARTER = 90


class Turn(NamedTuple):
    """What makes the second of two images of the first: left and right swapped, then a turn clockwise, then its negative.

    turned: degrees, one of 0, 90, 180 and 270, on the screen.
    """

    mirrored: bool = False
    turned: int = 0
    inverted: bool = False

    @property
    def words(self) -> list[str]:
        """What was done, in words; none for nothing."""
        return [*(["mirrored"] if self.mirrored else []), *turned_words(self.turned), *(["inverted"] if self.inverted else [])]

    @property
    def back(self) -> "Turn":
        """What makes the first of the second."""
        return Turn(self.mirrored, self.turned if self.mirrored else -self.turned % 360, self.inverted)

    def then(self, other: "Turn") -> "Turn":
        """Return this one and another one after it as one."""
        turned = other.turned + (-self.turned if other.mirrored else self.turned)
        return Turn(self.mirrored != other.mirrored, turned % 360, self.inverted != other.inverted)

    def of(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return an image (C, H, W) changed so."""
        shown = pixels[..., ::-1] if self.mirrored else pixels
        shown = np.rot90(shown, -self.turned // QUARTER, axes=(-2, -1))
        return np.ascontiguousarray(255 - shown if self.inverted else shown)


def turned_words(degrees: float) -> list[str]:
    """Return a turn clockwise by so many degrees, from -180 to 360, in words; none for a turn by none."""
    turned = (round(degrees) + 180) % 360 - 180
    if not turned:
        return []
    return [f"turned by {abs(turned)} degrees" + ("" if abs(turned) == 180 else f" {'' if turned > 0 else 'counter'}clockwise")]


def decomposed(linear: npt.NDArray[np.float64]) -> tuple[bool, float]:
    """Return whether a map mirrors, and by how many degrees, -180 to 180, it turns clockwise after that.

    linear (2, 2): of points as (to the right, down), from the first image to the second; it may stretch a little.
    """
    mirrored = bool(np.linalg.det(linear) < 0)
    turn = linear @ np.diag([-1.0, 1.0]) if mirrored else linear
    return mirrored, math.degrees(math.atan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1]))
