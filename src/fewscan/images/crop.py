"""What a dataset shows of a scan: black on white undone, and the box of it without the empty border, where rules agree on one.

The box is computed in whole numbers on a small grid, so that a graph can do the same (`fewscan.exporting.cropping`).
"""

from typing import NamedTuple

import cv2
import numpy as np

from fewscan.images.formats.image import Pixels
from fewscan.images.grid import GRID_PX, WHITE_EDGE, Grid, edge_share, small_grid, unframed
from fewscan.images.negatives import NOTE, is_negative, lies_on_dark
from fewscan.images.options import ImageSpec

LEVELS = 16
# The gray level from which on all is as bright: one that this share of the cells is not above. One bright spot, a tumor or fat
# behind an eye, would otherwise make the rest of a head look dark.
BRIGHT_SHARE = 0.9
# How well one threshold must part what is filled into two: Otsu's between-class variance as a share of the whole variance.
PARTED = 0.65
# How much of the scan's edge must be background: where tissue reaches it on all sides, nothing tells which is which.
EMPTY_EDGE = 0.8
# What is thinner than 2 * CORE + 1 cells everywhere, such as a caption, is no part of what a scan shows.
CORE = 3
# The smallest box, as a share of the grid: something smaller is rather a part of what a scan shows than all of it.
SMALLEST = 1 / 6
# A page on which the negative of a scan lies is white where cells are at least this share of the brightest one.
WHITE_PAGE = 0.9
# What a white frame surrounds has at its own edge less white than this.
WHITE_INSIDE = 0.5


class Box(NamedTuple):
    """Pixels from `left` to before `right` and from `top` to before `bottom`."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """How many pixels are in it."""
        return (self.right - self.left) * (self.bottom - self.top)


class Shown(NamedTuple):
    """What a dataset is to show of a scan: `whole`, with negatives undone where the dataset does so, and the box of it."""

    whole: Pixels
    box: Box | None  # None: all of it
    negative: bool  # whether it was one, and was undone

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of it."""
        return (NOTE,) if self.negative else ()

    @property
    def pixels(self) -> Pixels:
        """What is in the box."""
        if self.box is None:
            return self.whole
        return self.whole[self.box.top : self.box.bottom, self.box.left : self.box.right]


def shown(pixels: Pixels, spec: ImageSpec) -> Shown:
    """Return what is shown of (H, W) or (H, W, 3) uint8 pixels before they are made small."""
    if spec.crop == "none" and (spec.negatives == "keep" or lies_on_dark(pixels)):
        return Shown(pixels, None, negative=False)
    gray = small_grid(pixels)
    negative = spec.negatives == "undo" and is_negative(gray)
    if negative:
        pixels = 255 - pixels
        gray = small_grid(pixels)  # anew, since rounding goes the other way: the box is to be that of the scan itself
    return Shown(pixels, foreground_box(pixels, gray) if spec.crop == "foreground" else None, negative)


def foreground_box(pixels: Pixels, gray: Grid | None = None) -> Box | None:
    """Return the box of what (H, W) or (H, W, 3) uint8 pixels show on an empty background, or None: leave them whole.

    gray: the pixels' small grid, where that is known. On it: holes are filled at every gray level at once, which makes of a
    head one even thing whatever is in it; Otsu's threshold parts it from the background, however bright that is; what is thin
    everywhere, such as a caption, is dropped.
    None where the two are not clearly parted, where the scan's edge is not mostly background, where little or nothing solid is
    left, and where nothing is cut away. A white frame is background; what lies on white is looked at as its negative. The box
    reaches a cell further than what was found.
    Sources: Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62; Soille, Morphological Image Analysis (2003), chapter 6.
    """
    filled = _filled(_in_levels(_on_black(small_grid(pixels) if gray is None else gray)))
    threshold = _parting(filled)
    if threshold is None or edge_share(filled <= threshold) < EMPTY_EDGE:
        return None
    cells = _solid_box((filled > threshold).view(np.uint8))
    if cells is None or not SMALLEST * GRID_PX**2 <= cells.area < GRID_PX**2:
        return None
    height, width = pixels.shape[:2]
    return Box(
        left=cells.left * width // GRID_PX,
        top=cells.top * height // GRID_PX,
        right=-(-cells.right * width // GRID_PX),
        bottom=-(-cells.bottom * height // GRID_PX),
    )


def _on_black(gray: Grid) -> Grid:
    """Return the grid without a white frame around it, or as a negative where what it shows lies on white."""
    framed = unframed(gray, WHITE_INSIDE)
    if framed is not None:
        return framed
    return 255 - gray if edge_share(gray >= WHITE_PAGE * gray.max()) >= WHITE_EDGE else gray


def _in_levels(gray: Grid) -> Grid:
    """Return 0 to LEVELS for every cell: from the darkest one to what BRIGHT_SHARE of the cells are not above."""
    above = gray - gray.min()
    rank = int(BRIGHT_SHARE * gray.size)
    bright = max(1, int(np.partition(above, rank, axis=None)[rank]))
    levels: Grid = np.minimum(above.astype(np.int32) * LEVELS // bright, LEVELS).astype(np.uint8)
    return levels


def _filled(levels: Grid) -> Grid:
    """Return the least level that a way from outside of the grid to each cell must climb over: at every level, holes filled."""
    # One cell of level 0 around, where all ways begin: it joins the grids of all levels, so that they are filled as one image.
    around = np.zeros((GRID_PX + 2, GRID_PX + 2), np.uint8)
    around[1:-1, 1:-1] = levels
    reached = (around >= np.arange(1, LEVELS + 1, dtype=np.uint8)[:, None, None]).view(np.uint8)
    cv2.floodFill(reached.reshape(-1, GRID_PX + 2), None, (0, 0), 2)
    return np.asarray((reached != 2).sum(axis=0, dtype=np.uint8)[1:-1, 1:-1])


def _parting(filled: Grid) -> int | None:
    """Return Otsu's threshold, the last level of the background; None where it parts the levels no better than PARTED."""
    counts = np.bincount(filled.ravel(), minlength=LEVELS + 1).astype(np.float64)
    levels = np.arange(LEVELS + 1, dtype=np.float64)
    cells, total = counts.sum(), (counts * levels).sum()
    spread = cells * (counts * levels**2).sum() - total**2
    below, sums = counts.cumsum()[:-1], (counts * levels).cumsum()[:-1]
    sizes = below * (cells - below)
    between = np.where(sizes > 0, (total * below - cells * sums) ** 2 / np.maximum(sizes, 1), 0.0)
    threshold = int(between.argmax())
    return threshold if between[threshold] >= PARTED * spread and spread > 0 else None


def _solid_box(foreground: Grid) -> Box | None:
    """Return the box of the connected cells that hold a core, and a cell around; None where nothing does."""
    side = 2 * CORE + 1
    cores = cv2.erode(foreground, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    reached = foreground.copy()
    while cores.any():
        row, column = divmod(int(cores.argmax()), GRID_PX)
        cv2.floodFill(reached, None, (column, row), 2, flags=8)
        cores[reached == 2] = 0
    solid = reached == 2
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    if not len(rows):
        return None
    return Box(
        left=max(0, int(columns[0]) - 1),
        top=max(0, int(rows[0]) - 1),
        right=min(GRID_PX, int(columns[-1]) + 2),
        bottom=min(GRID_PX, int(rows[-1]) + 2),
    )
