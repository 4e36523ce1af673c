"""Scans as a page shows them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.png import scan_picture
from fewscan.seeds import stream

Rows = npt.NDArray[np.int64]
Naming = Callable[[int], str]  # what the page calls the scan of a row


@dataclass(frozen=True)
class Scan:
    """A scan as the page shows it: its row, or its file where names were asked for, and its picture."""

    called: str
    picture: str


def row_number(row: int) -> str:
    """Return what a scan is called whose name may point to a patient or a class."""
    return f"row {row}"


def shown(dataset: Snapshot, row: int, called: Naming) -> Scan:
    """Return the scan of a row."""
    return Scan(called(row), scan_picture(dataset.pixels[row]))


def some(rows: Rows, count: int) -> Rows:
    """Return `count` of the rows at most, drawn at random, the same ones every time."""
    return np.sort(stream(0, "page samples").numpy().permutation(rows)[:count])
