"""A scan on a small grid, on which it is looked at: for a border around it, and whether it is a negative.

Everything is computed in whole numbers, so that a graph can do the same (`fewscan.exporting.cropping`).
"""

import numpy as np
import numpy.typing as npt
import PIL.Image

from fewscan.images.formats.image import Pixels

# GRID_PX x GRID_PX cells, whatever the scan's size.
GRID_PX = 64
# A frame is white where cells are at least this share of the brightest one (it may be thinner than a cell). So much of the edge
# must be.
WHITE_FRAME = 0.6
WHITE_EDGE = 0.75

Grid = npt.NDArray[np.uint8]


def small_grid(pixels: Pixels) -> Grid:
    """Return (GRID_PX, GRID_PX) gray of (H, W) or (H, W, 3) uint8 pixels."""
    image = PIL.Image.fromarray(pixels)
    gray = image if pixels.ndim == 2 else image.convert("L")
    return np.asarray(gray.resize((GRID_PX, GRID_PX), PIL.Image.Resampling.BILINEAR))


def unframed(gray: Grid, white_inside: float) -> Grid | None:
    """Return the grid without a white frame around it, black instead; None where there is no such frame.

    white_inside: which share of the edge of what it surrounds is white at most, since a scan's own is mostly black.
    """
    white = gray >= WHITE_FRAME * gray.max()
    if edge_share(white) < WHITE_EDGE:
        return None
    rows, columns = np.flatnonzero(~white.all(axis=1)), np.flatnonzero(~white.all(axis=0))
    if not len(rows) or not len(columns):
        return None
    # A cell further: the frame's edge is in the middle of one.
    inside = (slice(rows[0] + 1, rows[-1]), slice(columns[0] + 1, columns[-1]))
    if not white[inside].size or edge_share(white[inside]) >= white_inside:
        return None
    framed = np.zeros_like(gray)
    framed[inside] = gray[inside]
    return framed


def edge_share(cells: npt.NDArray[np.bool_]) -> float:
    """Return which share of the outermost cells holds."""
    inner = cells[1:-1, 1:-1]
    return float((np.count_nonzero(cells) - np.count_nonzero(inner)) / (cells.size - inner.size))
