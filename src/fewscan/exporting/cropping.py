"""The box of `images/crop.py` and the rule of `images/negatives.py` in torch, equal to the cell, for a graph to do both."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop
from torch.nn.functional import max_pool2d, pad

from fewscan.exporting.resampling import Boxes, Resampling
from fewscan.images import negatives
from fewscan.images.crop import (
    BRIGHT_SHARE,
    CORE,
    EMPTY_EDGE,
    LEVELS,
    PARTED,
    SMALLEST,
    WHITE_INSIDE,
    WHITE_PAGE,
)
from fewscan.images.grid import GRID_PX, WHITE_EDGE, WHITE_FRAME

# Pillow's weights of red, green and blue, in units of 2 ** -16.
_LUMINANCE = (19595, 38470, 7471)


def to_grid(images: Tensor) -> Resampling:
    """Return how images (N, C, H, W) become the small grid in which a negative and a box are looked for."""
    return Resampling.of(images, GRID_PX, "stretch")


def foreground_boxes(images: Tensor, grid: Resampling) -> Boxes:
    """Return the boxes that `crop.foreground_box` finds in (N, C, H, W) uint8; the whole image where it finds none.

    grid: what `to_grid` says of images of their size.
    Each step has the name and the whole numbers of the one there; ways through the grid are followed until nothing changes.
    H and W may be unknown while a graph is being made.
    """
    gray = grid(_luminance(images)).long()
    filled = _filled(_in_levels(_on_black(gray)))
    threshold, parted = _parting(filled)
    foreground = filled > threshold
    empty = _share_of(~foreground, _edge())[:, 0, 0, 0] >= EMPTY_EDGE
    cells = _solid_box(foreground)
    # Where nothing is solid, it ends before it begins.
    kept = parted & empty & ((cells.right - cells.left).clamp(min=0) * (cells.bottom - cells.top) >= SMALLEST * GRID_PX**2)
    height, width = images.shape[-2:]
    return Boxes(
        left=torch.where(kept, cells.left, 0) * width // GRID_PX,
        top=torch.where(kept, cells.top, 0) * height // GRID_PX,
        right=(torch.where(kept, cells.right, GRID_PX) * width + GRID_PX - 1) // GRID_PX,
        bottom=(torch.where(kept, cells.bottom, GRID_PX) * height + GRID_PX - 1) // GRID_PX,
    )


def undone(images: Tensor, grid: Resampling) -> Tensor:
    """Return (N, C, H, W) uint8 with those inverted that `negatives.is_negative` holds for; grid: as for the boxes."""
    gray = grid(_luminance(images)).long()
    darkest, brightest = (end(dim=(2, 3), keepdim=True).double() for end in (gray.amin, gray.amax))
    light = gray - darkest >= negatives.LIGHT * (brightest - darkest)
    mostly_light = _share_of(light, _edge()) >= negatives.LIGHT_EDGE
    negative = (darkest < brightest) & mostly_light & ~_unframed(gray, negatives.WHITE_INSIDE)[1]
    return torch.where(negative, 255 - images, images)


def _luminance(images: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    weighted = (images.long() * torch.tensor(_LUMINANCE)[:, None, None]).sum(dim=1, keepdim=True)
    return ((weighted + 2**15) // 2**16).to(torch.uint8)


def _unframed(gray: Tensor, white_inside: float) -> tuple[Tensor, Tensor]:
    """Return the grid without a white frame around it, and (N, 1, 1, 1) whether there is such a frame."""
    white = gray >= WHITE_FRAME * gray.amax(dim=(2, 3), keepdim=True).double()
    dark = ~white
    inside = _between(dark.any(dim=3))[..., :, None] & _between(dark.any(dim=2))[..., None, :]
    framed = inside.any(dim=3, keepdim=True).any(dim=2, keepdim=True) & (
        _share_of(white, inside & ~_eroded(inside, 1)) < white_inside
    )
    return torch.where(inside, gray, 0), framed & (_share_of(white, _edge()) >= WHITE_EDGE)


def _on_black(gray: Tensor) -> Tensor:
    page = gray >= WHITE_PAGE * gray.amax(dim=(2, 3), keepdim=True).double()
    negative = torch.where(_share_of(page, _edge()) >= WHITE_EDGE, 255 - gray, gray)
    inside, framed = _unframed(gray, WHITE_INSIDE)
    return torch.where(framed, inside, negative)


def _between(marked: Tensor) -> Tensor:
    """Return (..., G) whether a place is after the first that is marked and before the last."""
    count = marked.long().cumsum(dim=-1)
    return (count > marked.long()) & (count < count[..., -1:])


def _edge() -> Tensor:
    """Return (G, G) whether a cell is one of the outermost of the grid; a constant of the graph."""
    edge = np.ones((GRID_PX, GRID_PX), np.bool_)
    edge[1:-1, 1:-1] = False
    return torch.from_numpy(edge)


def _share_of(marked: Tensor, cells: Tensor) -> Tensor:
    """Return (N, 1, 1, 1) float64: of some cells the share that is marked."""
    count = cells.double().sum(dim=(-2, -1), keepdim=True)
    return (marked & cells).double().sum(dim=(2, 3), keepdim=True) / count.clamp(min=1)


def _in_levels(gray: Tensor) -> Tensor:
    above = gray - gray.amin(dim=(2, 3), keepdim=True)
    rank = int(BRIGHT_SHARE * GRID_PX**2)
    bright = above.flatten(1).sort(dim=1).values[:, rank].clamp(min=1)[:, None, None, None]
    return (above * LEVELS // bright).clamp(max=LEVELS)


def _filled(levels: Tensor) -> Tensor:
    # From the highest level down, to the least that a cell beside allows; below zero, since pools look for the largest.
    walls = pad(-levels.float(), (1, 1, 1, 1))

    def lower(filled: Tensor) -> Tensor:
        beside = torch.maximum(max_pool2d(filled, (3, 1), 1, (1, 0)), max_pool2d(filled, (1, 3), 1, (0, 1)))
        return torch.minimum(beside, walls)

    highest = pad(torch.full_like(levels, -LEVELS).float(), (1, 1, 1, 1))
    return -_repeated(lower, highest)[..., 1:-1, 1:-1].long()


def _parting(filled: Tensor) -> tuple[Tensor, Tensor]:
    """Return the threshold (N, 1, 1, 1), and (N,) whether it parts the levels as well as PARTED."""
    levels = torch.arange(LEVELS + 1)
    counts = (filled.flatten(1)[:, None] == levels[:, None]).double().sum(dim=2)
    values = levels.double()
    cells, total = counts.sum(dim=1, keepdim=True), (counts * values).sum(dim=1, keepdim=True)
    spread = cells * (counts * values**2).sum(dim=1, keepdim=True) - total**2
    below, sums = counts.cumsum(dim=1)[:, :-1], (counts * values).cumsum(dim=1)[:, :-1]
    sizes = below * (cells - below)
    between = torch.where(sizes > 0, (total * below - cells * sums) ** 2 / sizes.clamp(min=1), 0.0)
    best, threshold = between.max(dim=1, keepdim=True)
    return threshold[..., None, None], ((best >= PARTED * spread) & (spread > 0))[:, 0]


def _solid_box(foreground: Tensor) -> Boxes:
    """Return the box in cells; one that ends where it begins, or before, where nothing is solid."""
    mask = foreground.float()

    def spread(reached: Tensor) -> Tensor:
        return max_pool2d(reached, 3, 1, 1) * mask

    solid = _repeated(spread, _eroded(foreground, CORE).float())[:, 0] > 0
    (left, right), (top, bottom) = (_ends(solid.any(dim=axis)) for axis in (1, 2))
    return Boxes(left, top, right, bottom)


def _ends(marked: Tensor) -> tuple[Tensor, Tensor]:
    """Return the place before the first one of (N, G) that is marked, and two after the last, within the grid."""
    places = torch.arange(GRID_PX)
    first = torch.where(marked, places, GRID_PX).amin(dim=1)
    last = torch.where(marked, places, -2).amax(dim=1)
    return (first - 1).clamp(min=0), (last + 2).clamp(max=GRID_PX)


def _eroded(cells: Tensor, radius: int) -> Tensor:
    """Return whether all cells within `radius` are true; those outside of the grid are not."""
    lacking = pad((~cells).float(), (radius,) * 4, value=1.0)
    return max_pool2d(lacking, 2 * radius + 1, 1) == 0


def _repeated(step: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Return what `step` makes of `start` again and again, once it changes nothing; as a loop of the graph."""

    def go_on(cells: Tensor, changed: Tensor) -> Tensor:
        return changed.clone()

    def once(cells: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
        later = step(cells)
        return later, (later != cells).any()

    settled: Tensor = while_loop(go_on, once, (start, torch.tensor(True)))[0]  # type: ignore[no-untyped-call]
    return settled
