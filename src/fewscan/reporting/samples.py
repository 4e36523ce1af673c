"""Scans as a page shows them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from fewscan.datasets.originals import originals
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.crop import shown as shown_of
from fewscan.images.png import scan_picture
from fewscan.seeds import stream

Rows = npt.NDArray[np.int64]
_CROP_PX = 128
_BOX_COLOR = (0, 170, 90)
Naming = Callable[[int], str]  # what the page calls the scan of a row


@dataclass(frozen=True)
class Scan:
    """A scan as the page shows it: its row, or its file where names were asked for, and its picture."""

    called: str
    picture: str


def shown(dataset: Snapshot, row: int, called: Naming) -> Scan:
    """Return the scan of a row."""
    return Scan(called(row), scan_picture(dataset.pixels[row]))


def some(rows: Rows, count: int) -> Rows:
    """Return `count` of the rows at most, drawn at random, the same ones every time."""
    return np.sort(stream(0, "page samples").numpy().permutation(rows)[:count])


@dataclass(frozen=True)
class Crop:
    """A scan as it is in its file, with the box of what is kept, and as the dataset holds it."""

    before: Scan
    after: Scan


def crops(dataset: Snapshot, rows: Rows, called: Naming) -> Iterator[Crop]:
    """Yield the scans of these rows whose files are still there; none where the dataset's scans are not cropped."""
    if dataset.spec.crop == "none":
        return
    for position, pixels in originals(dataset, rows):
        if pixels is None:
            continue
        box = shown_of(pixels, dataset.spec).box
        picture = Image.fromarray(pixels).convert("RGB")
        # Made small first, so that the line is seen.
        scale = _CROP_PX / max(picture.size)
        picture = picture.resize([max(1, round(side * scale)) for side in picture.size])
        if box is not None:
            edges = [round(edge * scale) for edge in box]
            ImageDraw.Draw(picture).rectangle([*edges[:2], edges[2] - 1, edges[3] - 1], outline=_BOX_COLOR)
        row = int(rows[position])
        before = Scan(called(row), scan_picture(np.asarray(picture).transpose(2, 0, 1)))
        yield Crop(before, shown(dataset, row, called))
