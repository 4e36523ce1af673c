"""Negatives: scans that are held black for white, as some viewers export them; which are told for certain.

Computed on the small grid, in whole numbers, so that a graph can do the same (`fewscan.exporting.cropping`).
"""

from fewscan.images.formats.image import Pixels
from fewscan.images.grid import GRID_PX, Grid, edge_share, unframed

# A cell is light where it is at least so far from the darkest one to the brightest: whatever is left of the contrast.
LIGHT = 0.85
# So much of the scan's edge must be light.
LIGHT_EDGE = 0.6
# What a white frame surrounds has at its own edge less white than this: less than the box of a round head in a negative.
WHITE_INSIDE = 0.4

# So many squares of four cells by four, from the middle up and down, are asked how bright a scan is at least.
SQUARES = 6

NOTE = "negative: it shows black on white, so its gray levels were inverted"


def is_negative(gray: Grid) -> bool:
    """Return whether what the grid shows lies on white: its edge is mostly light, and not by a white frame around a dark scan.

    Empty air is black in a scan, so where it is white the scan is a negative. Where tissue reaches most of the edge nobody can
    tell, and the answer is no; so it is for a grid of one gray.
    """
    darkest, brightest = int(gray.min()), int(gray.max())
    light = gray - gray.min() >= LIGHT * (brightest - darkest)
    return darkest < brightest and edge_share(light) >= LIGHT_EDGE and unframed(gray, WHITE_INSIDE) is None


def lies_on_dark(pixels: Pixels) -> bool:
    """Return whether (H, W) or (H, W, 3) uint8 pixels are surely no negative, which need not be looked at on the grid then.

    A cell is a mean of pixels, at the edge of none that are more than two cells from it, and each square below holds all pixels
    of some cell. So the brightest cell is no darker than a square's darkest pixel, and where two sides, half of the edge, are
    dark beside that, less than LIGHT_EDGE is light.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < GRID_PX:
        return False
    down, across = -(-2 * height // GRID_PX), -(-2 * width // GRID_PX)
    sides = pixels[:down], pixels[-down:], pixels[:, :across], pixels[:, -across:]
    second_darkest = sorted(int(side.max()) for side in sides)[1]
    top, left = height // 2 - SQUARES * down, width // 2 - across
    squares = pixels[top : top + 2 * SQUARES * down, left : left + 2 * across].reshape(SQUARES, -1)
    return second_darkest < LIGHT * int(squares.min(axis=1).max())
