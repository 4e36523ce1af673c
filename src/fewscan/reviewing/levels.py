"""A scan as large as its file has it, for a canvas in which window and level can be moved: gray of 8 or 16 bits, or color."""

import json
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.datasets.dataset import Dataset
from fewscan.images.formats.gray import window
from fewscan.images.formats.image import Decoded, Pixels, UnreadableImage, Values
from fewscan.images.grid import small_grid
from fewscan.images.negatives import is_negative
from fewscan.images.png import as_in_a_file
from fewscan.images.readers import locate, read_values

# The longest side that is sent; a screen has no more, and a tablet's memory has an end.
LARGEST_PX = 2048
INVERTED = "a negative in its file, inverted here"
STORED = "the file is missing or has changed: this is the dataset's small copy"


class Levels(NamedTuple):
    """An image for a canvas. A gray value is `low + step * level`; it is black at `black`, white at `white`, linear between.

    levels: (H, W) uint8 or uint16, or (H, W, 3) uint8 of color, which has no window. width, height: its proportions on the
    screen, which are others than the levels' where a voxel is no square. note: what people should know of it.
    """

    levels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    width: int
    height: int
    low: float
    step: float
    black: float
    white: float
    source: Literal["file", "stored"]
    note: str

    @property
    def head(self) -> str:
        """All but the levels, as JSON in ASCII."""
        rows, columns = self.levels.shape[:2]
        bits = 24 if self.levels.ndim == 3 else 8 * self.levels.itemsize
        told = {name: value for name, value in self._asdict().items() if name != "levels"}
        return json.dumps(told | {"rows": rows, "columns": columns, "bits": bits})

    @property
    def content(self) -> bytes:
        """The levels, row after row, little-endian."""
        return self.levels.astype(self.levels.dtype.newbyteorder("<"), copy=False).tobytes()


def levels_of_row(dataset: Dataset, row: int, source: str, path: str, digest: str) -> Levels:
    """Return a row's image from its file; where that is gone or changed the dataset's own small copy, which the note says.

    source, path, digest: where it came from, and the SHA-256 of its pixels then.
    """
    folders = {one.name: Path(one.folder) for one in dataset.description.sources}
    try:
        file, part = locate(folders[source] / path)
        decoded, found = read_values(file, part=part, reading=dataset.description.spec)
    except UnreadableImage:
        return _stored(dataset, row)
    if found != digest:
        return _stored(dataset, row)
    undo = dataset.description.spec.negatives == "undo"
    return _inverted(levels_of(decoded)) if undo and is_negative(small_grid(decoded.pixels)) else levels_of(decoded)


def levels_of(decoded: Decoded) -> Levels:
    """Return an image that was read as levels for a canvas."""
    height, width = decoded.pixels.shape[:2]
    if decoded.values.ndim == 3:
        color = _fitted(decoded.pixels)
        return Levels(color, width, height, 0.0, 1.0, 0.0, 255.0, "file", "")
    black, white = _shown_window(decoded.values, decoded.pixels)
    values = _fitted(decoded.values)
    low, high = float(values.min()), float(values.max())
    note = "" if values.shape == decoded.values.shape else "shown reduced in size"
    if values.dtype == np.uint8:
        return Levels(values, width, height, 0.0, 1.0, black, white, "file", note)
    whole = values.dtype.kind in "iu" and high - low <= np.iinfo(np.uint16).max
    step = 1.0 if whole else (high - low) / np.iinfo(np.uint16).max or 1.0
    levels = np.rint((values.astype(np.float64) - low) / step).astype(np.uint16)
    return Levels(levels, width, height, low, step, black, white, "file", note)


def _inverted(found: Levels) -> Levels:
    """Return a negative as the dataset stores it, white for black; the values stay the file's where there is a window."""
    note = "; ".join(filter(None, (found.note, INVERTED)))
    if found.levels.ndim == 3:
        return found._replace(levels=255 - found.levels, note=note)
    return found._replace(black=found.white, white=found.black, note=note)


def _stored(dataset: Dataset, row: int) -> Levels:
    image = as_in_a_file(dataset.pixels[row])
    return Levels(np.array(image), image.shape[1], image.shape[0], 0.0, 1.0, 0.0, 255.0, "stored", STORED)


def _shown_window(values: Values, pixels: Pixels) -> tuple[float, float]:
    """Return the values that the 8-bit pixels show black and white; black above white where they are shown inverted."""
    if values.dtype == np.uint8:
        return 0.0, 255.0
    if values.shape != pixels.shape:
        return window(values)
    dark, bright = values[pixels < 128], values[pixels >= 128]
    if len(dark) == 0 or len(bright) == 0:
        return window(values)
    inverted = float(dark.mean()) > float(bright.mean())
    blacks, whites = values[pixels == 0], values[pixels == 255]
    if inverted:
        return float(blacks.min(initial=values.max())), float(whites.max(initial=values.min()))
    return float(blacks.max(initial=values.min())), float(whites.min(initial=values.max()))


def _fitted(image: Values) -> Values:
    """Return an image no longer than LARGEST_PX on any side."""
    longest = max(image.shape[:2])
    if longest <= LARGEST_PX:
        return image
    size = tuple(max(1, round(side * LARGEST_PX / longest)) for side in (image.shape[1], image.shape[0]))
    kind = image.dtype
    small = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.rint(small).astype(kind) if kind.kind in "iu" else small.astype(kind)
