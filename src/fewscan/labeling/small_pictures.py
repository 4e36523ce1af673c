"""Small pictures of what a run has seen, and which of them is most like a scan, however that is put onto itself or cropped.

Nearly every pair of pictures is far from alike, and by a few numbers of both that is certain: of vectors of length 1 along the
axes in which the pictures differ most, the product along these axes and that of what is left of their lengths sum to what the
pictures cannot agree beyond (Cauchy and Schwarz). Only pairs that might be alike are compared as they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.images.stored import Pixels, StoredImages
from fewscan.training.batches import Rows

# Small pictures of near-duplicates correlate at least so much in 95 % of the pairs that an audit named among 4,575 real scans.
LEAST_CORRELATION = 0.95
# How much of each side a copy may lack, or have besides.
BORDERS = (0.0, 0.05, 0.1)
PICTURE_PX = 16
# By so many numbers pairs are told that cannot be alike: with fewer more are left, with more each takes longer.
AXES = 32
# What rounding may take from a square of a length, and from a bound.
_OF_SQUARES, _OF_BOUNDS = 1e-6, 1e-4
_BATCH = 1024
# Rows whose bounds are computed together: 16 MB for 256 scans.
_ROWS_AT_ONCE = 1 << 14

Floats = npt.NDArray[np.float32]


class Likest(NamedTuple):
    """Of scans that have a picture like theirs, (F,) each: which scan, the most similar row, how the scan is turned."""

    place: Rows
    row: Rows
    symmetry: Rows  # of `placing.SYMMETRIES`


@dataclass(frozen=True)
class SmallPictures:
    """Of `rows` (R,) small pictures (R, P) of length 1, without each of BORDERS, and their numbers along `axes` (P, AXES)."""

    rows: Rows
    pictures: dict[float, Floats]
    axes: Floats
    numbers: dict[float, Floats]  # (R, AXES + 1)

    @classmethod
    def of(cls, pixels: StoredImages, rows: Rows) -> Self:
        """Make those of rows of `pixels` (N, C, S, S)."""
        parts: dict[float, list[Floats]] = {border: [np.zeros((0, PICTURE_PX**2), np.float32)] for border in BORDERS}
        for start in range(0, len(rows), _BATCH):
            some = pixels[rows[start : start + _BATCH]]
            for border, made in parts.items():
                made.append(_unit(small(some, border)))
        pictures = {border: np.concatenate(made) for border, made in parts.items()}
        _, directions = np.linalg.eigh(pictures[0.0].T @ pictures[0.0])
        axes = np.ascontiguousarray(directions[:, ::-1][:, :AXES])
        return cls(rows, pictures, axes, {border: _numbers(made, axes) for border, made in pictures.items()})

    def likest(self, pixels: Pixels) -> Likest:
        """Return of scans (B, C, S, S) which row's picture is most like theirs, where one correlates LEAST_CORRELATION or more.

        Of rows that are equally like a scan the first one counts.
        """
        place = np.arange(len(pixels))
        correlation, row, symmetry = np.zeros(len(pixels), np.float32), np.zeros_like(place), np.zeros_like(place)
        asked = {border: [_unit(turned) for turned in _eight_ways(small(pixels, border))] for border in BORDERS}
        numbers = {border: [_numbers(turned, self.axes) for turned in ways] for border, ways in asked.items()}
        # The scan may lack a border, or the dataset's image.
        for border, theirs in [(border, 0.0) for border in BORDERS] + [(0.0, border) for border in BORDERS[1:]]:
            for way, (turned, along) in enumerate(zip(asked[border], numbers[border], strict=True)):
                found, like, agreement = self._alike(turned, along, theirs)
                better = agreement > correlation[found]
                correlation[found[better]] = agreement[better]
                row[found[better]], symmetry[found[better]] = self.rows[like[better]], way
        found = np.flatnonzero(correlation >= LEAST_CORRELATION)
        return Likest(found, row[found], symmetry[found])

    def _alike(self, asked: Floats, numbers: Floats, border: float) -> tuple[Rows, Rows, Floats]:
        """Return places in `asked` (B, P), for each the place of the picture most like it, and how much they correlate."""
        pictures, known = self.pictures[border], self.numbers[border]
        places, likes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for start in range(0, len(known), _ROWS_AT_ONCE):
            bounds = numbers @ known[start : start + _ROWS_AT_ONCE].T
            place, column = np.divmod(np.flatnonzero(bounds >= LEAST_CORRELATION - _OF_BOUNDS), bounds.shape[1])
            places.append(place)
            likes.append(start + column)
        place, like = np.concatenate(places), np.concatenate(likes)
        agreement = np.einsum("pi,pi->p", asked[place], pictures[like])
        order = np.lexsort((like, -agreement, place))
        found, first = np.unique(place[order], return_index=True)
        return found, like[order][first], agreement[order][first]


def small(pixels: Pixels, border: float) -> Floats:
    """Return (B, P, P) small gray pictures of (B, C, S, S), without a `border`, a share of the side, on each side."""
    cut = round(border * pixels.shape[-1])
    kept = pixels[:, :, cut : pixels.shape[2] - cut, cut : pixels.shape[3] - cut]
    # The mean of one channel is that channel, which NumPy takes ten times as long to find out.
    gray = kept[:, 0].astype(np.float32) if kept.shape[1] == 1 else kept.mean(axis=1, dtype=np.float32)
    return np.stack([cv2.resize(image, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA) for image in gray])


def _unit(pictures: Floats) -> Floats:
    """Return (B, P * P) the pictures without brightness and contrast; an even one is 0, and like no other."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    unit: Floats = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-3)
    return unit


def _numbers(pictures: Floats, axes: Floats) -> Floats:
    """Return (B, AXES + 1) where pictures (B, P) of length 1 or 0 lie along the axes, and the length of what is left."""
    along = pictures @ axes
    squares, known = (np.square(vectors).sum(axis=1, keepdims=True) for vectors in (pictures, along))
    left = np.sqrt(np.maximum(squares - known, 0) + _OF_SQUARES)
    return np.concatenate([along, left], axis=1, dtype=np.float32)


def _eight_ways(pictures: Floats) -> Iterable[Floats]:
    """Yield (B, P, P) pictures put onto themselves, in the order of `placing.SYMMETRIES`."""
    for way in range(8):
        mirrored = pictures[:, :, ::-1] if way & 1 else pictures
        flipped = mirrored[:, ::-1] if way & 2 else mirrored
        yield flipped.swapaxes(1, 2) if way & 4 else flipped
