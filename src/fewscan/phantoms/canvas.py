"""The slice being painted, and the shapes and random fields to paint with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

Field = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
Point = tuple[float, float]


@dataclass(frozen=True)
class Canvas:
    """A slice in head coordinates: x to the right, y down, half a head about 1 wide.

    `image` (H, W) is painted on; `x` and `y` (H, W) are the coordinates of its pixels. A shape is a field (H, W) of signed
    distances in those units, negative inside.
    """

    rng: np.random.Generator
    tissues: Mapping[str, float]  # brightness, [0, 1]
    image: Field
    x: Field
    y: Field
    pixel: float  # the side of a pixel in head coordinates
    within: Field | None = None  # the shape that paint stays in

    @classmethod
    def new(cls, rng: np.random.Generator, size_px: int, tissues: Mapping[str, float]) -> Self:
        """Return a canvas of air with a head's own place, size, tilt and lopsidedness."""
        scale, turn = rng.uniform(0.82, 0.99), math.radians(rng.uniform(-8, 8))
        side = np.linspace(-1 / scale, 1 / scale, size_px, dtype=np.float32)
        right, down = side[None, :] + rng.uniform(-0.06, 0.06), side[:, None] + rng.uniform(-0.06, 0.06)
        x = (right * math.cos(turn) + down * math.sin(turn)) * rng.uniform(0.92, 1.08)
        y = (down * math.cos(turn) - right * math.sin(turn)) * rng.uniform(0.95, 1.06)
        canvas = cls(rng, tissues, np.full_like(x, tissues["air"]), x, y, 2 / (size_px * scale))
        return replace(canvas, x=x + 0.018 * canvas.field(3), y=y + 0.018 * canvas.field(3))

    def inside(self, shape: Field) -> Self:
        """Return a canvas for the same picture that is painted on in `shape` alone."""
        return replace(self, within=shape)

    def folded(self) -> Self:
        """Return a canvas for the same picture on which what is painted at the right appears at the left as well."""
        return replace(self, x=np.abs(self.x))

    def pushed_from(self, center: Point, radius: float) -> Self:
        """Return a canvas for the same picture on which things give way to a lump around `center`."""
        right, down = self.x - center[0], self.y - center[1]
        give = 0.5 * np.exp(-(right**2 + down**2) / (2 * (1.4 * radius) ** 2))
        return replace(self, x=self.x - give * right, y=self.y - give * down)

    def paint(self, shape: Field, tissue: str, opacity: float | Field = 1.0, edge: float = 0.0) -> None:
        """Lay `tissue` over a shape whose border is soft over `edge`, at least over 1.5 pixels."""
        softest = 1.5 * self.pixel
        cover = np.clip(0.5 - shape / max(edge, softest), 0, 1) * opacity
        if self.within is not None:
            cover *= np.clip(0.5 - self.within / softest, 0, 1)
        self.image[...] += cover * (self.tissues[tissue] - self.image)

    def about(self, value: float, share: float = 0.15) -> float:
        """Return `value` changed by a random share of itself, so that no two heads are alike."""
        return value * self.rng.uniform(1 - share, 1 + share)

    def field(self, waves: int) -> Field:
        """Return a new smooth random field (H, W) of about unit variance, with `waves` independent values along a side."""
        values = Image.fromarray(self.rng.standard_normal((waves + 1, waves + 1), dtype=np.float32))
        # Interpolation averages neighbors and so takes away a sixth of the deviation.
        return 1.2 * np.asarray(values.resize(self.image.shape[::-1], Image.Resampling.BICUBIC))

    def ellipse(self, center: Point, half_width: float, half_height: float, turn: float = 0.0) -> Field:
        """Return the shape (its distances are nearly true) of an ellipse turned by `turn` radians."""
        right, down = self.x - center[0], self.y - center[1]
        across = (right * math.cos(turn) + down * math.sin(turn)) / half_width
        along = (down * math.cos(turn) - right * math.sin(turn)) / half_height
        reach: Field = np.sqrt(across**2 + along**2) - 1
        return reach * math.sqrt(half_width * half_height)

    def line(self, start: Point, end: Point, half_width: float) -> Field:
        """Return the shape of a line with round ends."""
        right, down = self.x - start[0], self.y - start[1]
        along_x, along_y = end[0] - start[0], end[1] - start[1]
        place = np.clip((right * along_x + down * along_y) / (along_x**2 + along_y**2), 0, 1)
        distance: Field = np.sqrt((right - place * along_x) ** 2 + (down - place * along_y) ** 2)
        return distance - half_width

    def angle(self, center: Point) -> Field:
        """Return the direction (H, W) in which every pixel lies from `center`, in radians."""
        angle: Field = np.arctan2(self.y - center[1], self.x - center[0])
        return angle

    def pick(self, where: Mask) -> Point:
        """Return the coordinates of a random pixel of `where` (H, W), which must not be empty."""
        places = np.flatnonzero(where)
        place = places[self.rng.integers(len(places))]
        return float(self.x.flat[place]), float(self.y.flat[place])


def joined(first: Field, second: Field, seam: float) -> Field:
    """Return the union of two shapes, rounded where they meet over `seam`."""
    share = np.clip(0.5 + (second - first) / (2 * seam), 0, 1)
    union: Field = second + (first - second) * share - seam * share * (1 - share)
    return union
