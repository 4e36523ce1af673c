"""How one image may lie in another's frame: turned, mirrored, enlarged.

A placing is a (2, 3) matrix that maps the points of one frame to the points of another, both in units in which a frame reaches
from -1 to 1: the first number of a point goes to the right, the second one down.
"""

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.images import Floats
from fewscan.images.turns import QUARTER, Turn, decomposed

Placing = npt.NDArray[np.float64]

UNMOVED: Placing = np.eye(2, 3)

# The eight ways of putting a square onto itself: 1 is added for left to right, 2 for top to bottom, 4 for a swap of both axes
# after that.
SYMMETRIES = tuple(
    np.array(matrix, np.float64)
    for matrix in (
        [[1, 0], [0, 1]],
        [[-1, 0], [0, 1]],
        [[1, 0], [0, -1]],
        [[-1, 0], [0, -1]],
        [[0, 1], [1, 0]],
        [[0, -1], [1, 0]],
        [[0, 1], [-1, 0]],
        [[0, -1], [-1, 0]],
    )
)

# The symmetry that undoes each of them.
UNDONE_BY = tuple(
    next(number for number, other in enumerate(SYMMETRIES) if (other @ symmetry == np.eye(2)).all()) for symmetry in SYMMETRIES
)


def _turned(degrees: float, enlarged: float) -> Placing:
    cosine, sine = math.cos(math.radians(degrees)) / enlarged, math.sin(math.radians(degrees)) / enlarged
    return np.array([[cosine, sine, 0], [-sine, cosine, 0]])


# Alignment bridges half the step from one view to the next: turns of 4 degrees and more, a tenth in size, an eighth in place.
ENLARGEMENTS = (1.19, 1.41, 1.67)
VIEWS = (
    _turned(0, 1),
    *(_turned(degrees, 1) for degrees in (-12, -6, 6, 12)),
    *(_turned(0, enlarged) for enlarged in ENLARGEMENTS),
)
WHOLE = 0
ENLARGED = tuple(range(len(VIEWS) - len(ENLARGEMENTS), len(VIEWS)))


def placing_of(view: int, symmetry: int) -> Placing:
    """Return where the points of a view, put onto itself by a symmetry, lie in the image that it is a view of."""
    return combined(VIEWS[view], np.column_stack([SYMMETRIES[symmetry], np.zeros(2)]))


def combined(outer: Placing, inner: Placing) -> Placing:
    """Return the placing that maps a point by `inner`, then by `outer`; both may be (P, 2, 3)."""
    linear = outer[..., :2]
    return np.concatenate([linear @ inner[..., :2], linear @ inner[..., 2:] + outer[..., 2:]], axis=-1)


def turn_of(placing: Placing) -> Turn:
    """Return what makes an image of another one, to the nearest quarter; placing: of its frame's points in the other's."""
    mirrored, degrees = decomposed(placing[:, :2])
    return Turn(mirrored, QUARTER * round(degrees / QUARTER) % 360).back


def in_pixels(placing: Placing, frame_px: int, other_px: int) -> Floats:
    """Return placings as OpenCV has them: pixel numbers of a frame of `frame_px` to those of another one of `other_px`.

    `placing` is (2, 3) or (P, 2, 3), and so is what is returned.
    """
    linear, shift = placing[..., :2], placing[..., 2:]
    corner = linear @ np.full((2, 1), 1 / frame_px - 1) + shift
    return np.concatenate([linear * (other_px / frame_px), (corner + 1) * (other_px / 2) - 0.5], axis=-1).astype(np.float32)


def from_pixels(matrix: npt.NDArray[np.floating], size_px: int) -> Placing:
    """Undo `in_pixels`, for frames of one size."""
    linear = matrix[..., :2].astype(np.float64)
    corner = np.full((2, 1), 1 / size_px - 1)
    return np.concatenate([linear, (matrix[..., 2:] + 0.5) * (2 / size_px) - 1 - linear @ corner], axis=-1)


def placed(image: npt.NDArray[np.uint8] | Floats, placing: Placing, to_px: int) -> Floats:
    """Show an image (S, S) in another frame, as (to_px, to_px); beyond the image its edge is repeated."""
    (shown,) = shown_by(image[np.newaxis], in_pixels(placing, to_px, image.shape[0]), to_px)
    return np.asarray(shown, np.float32)


def shown_by(
    images: npt.NDArray[np.uint8] | Floats, matrices: Floats, to_px: int, beyond: float | None = None
) -> npt.NDArray[Any]:
    """Show images (B, S, S) in other frames, as (B, to_px, to_px); past their edge is what is at the edge, or `beyond`.

    matrices: what `in_pixels` returns of their placings, (B, 2, 3), or (2, 3) of one for all. Values keep their type.
    """
    out = np.empty((len(images), to_px, to_px), images.dtype)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE if beyond is None else cv2.BORDER_CONSTANT
    for number, matrix in enumerate(np.broadcast_to(matrices, (len(images), 2, 3))):
        cv2.warpAffine(images[number], matrix, (to_px, to_px), out[number], how, border, beyond or 0)
    return out


def overlap(placing: Placing, size_px: int) -> Floats:
    """Return 1 for each pixel of a frame (size_px, size_px) that lies well inside the other frame, else 0."""
    shown = cv2.warpAffine(
        np.ones((size_px, size_px), np.float32),
        in_pixels(placing, size_px, size_px),
        (size_px, size_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    return np.asarray(cv2.erode((shown > 0.99).astype(np.float32), np.ones((3, 3), np.uint8)), np.float32)
