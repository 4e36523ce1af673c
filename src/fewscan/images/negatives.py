"""Negatives: scans that are held black for white, as some viewers export them; which are told for certain.

Computed on the small grid, in whole numbers, so that a graph can do the same (`fewscan.exporting.cropping`).
"""

from fewscan.images.grid import Grid, edge_share, unframed

# A cell is light where it is at least so far from the darkest one to the brightest: whatever is left of the contrast.
LIGHT = 0.85
# So much of the scan's edge must be light.
LIGHT_EDGE = 0.6
# What a white frame surrounds has at its own edge less white than this: less than the box of a round head in a negative.
WHITE_INSIDE = 0.4

NOTE = "negative: what it shows lies on white, so its gray levels were inverted"


def is_negative(gray: Grid) -> bool:
    """Return whether what the grid shows lies on white: its edge is mostly light, and not by a white frame around a dark scan.

    Empty air is black in a scan, so where it is white the scan is a negative. Where tissue reaches most of the edge nobody can
    tell, and the answer is no; so it is for a grid of one gray.
    """
    darkest, brightest = int(gray.min()), int(gray.max())
    light = gray - gray.min() >= LIGHT * (brightest - darkest)
    return darkest < brightest and edge_share(light) >= LIGHT_EDGE and unframed(gray, WHITE_INSIDE) is None
