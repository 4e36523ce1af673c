"""The map of all scans as one self-contained HTML page: to look at, to hover over, to zoom into."""

import base64
import colorsys
import io
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.png import as_in_a_file
from fewscan.images.stored import one_by_one
from fewscan.mapping.coordinates import Int64s
from fewscan.mapping.scan_map import Coloring, ScanMap
from fewscan.reporting.rendering import render, script, write_page
from fewscan.seeds import stream

# Scans on the page, of which each has a picture; the side of that in pixels. So the page stays near 5 MB.
MOST_SCANS = 6_000
PICTURE_PX = 56
QUALITY = 60  # of JPEG: enough to see what a scan shows at this size
# So many pictures stand in a row of the one that holds all.
COLUMNS = 64

# Okabe and Ito 2008: told apart also by the color-blind, and on white as on black.
_COLORS = ("#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#0072b2", "#b8ad1f")
# For what says nothing: a gray that is seen on white as on black, told apart by the mark.
_GRAY = "#7f7f7f"
_MARKS = ("dot", "ring", "cross")


def table_beside(page: Path) -> Path:
    """Return where the table of positions about a page lies."""
    return page.with_suffix(".csv")


def write_map(found: ScanMap, out: Path, *, names: bool = False) -> Path:
    """Write the page to `out` and return it; what is there is replaced.

    Scans are called by their rows, with `names` by their files, which may hold names of patients or classes.
    """
    shown = shown_scans(found.rows)
    rows = found.rows[shown]
    file_names = found.dataset.file_names
    content: dict[str, Any] = {
        "xy": np.round(found.placed.xy[shown], 4).tolist(),
        "rows": rows.tolist(),
        "names": [file_names[row] for row in rows.tolist()] if names else [],
        "colorings": [_colored(one, shown, found.dataset.classes) for one in found.colorings],
        "side": PICTURE_PX,
        "columns": COLUMNS,
    }
    page = render(
        "map.html",
        found=found,
        shown=len(shown),
        table=table_beside(out).name,
        dataset_name=found.dataset.folder.resolve().name,
        pictures=pictures(found.dataset, rows),
        content=content,
        drawing=script("drags.js", "map.js"),
    )
    return write_page(page, out)


def shown_scans(rows: Int64s) -> Int64s:
    """Return the positions of the scans that the page shows: all, or of many some, drawn at random."""
    drawn = stream(0, "scans of a map's page").numpy().permutation(len(rows))[:MOST_SCANS]
    return np.sort(drawn)


def pictures(dataset: Snapshot, rows: Int64s) -> str:
    """Return the scans of these rows, small, in one JPEG as a data URI: COLUMNS in a row, PICTURE_PX square each."""
    lines = -(-len(rows) // COLUMNS)
    sheet = np.zeros((lines * PICTURE_PX, COLUMNS * PICTURE_PX, dataset.spec.channels), np.uint8)
    for place, image in enumerate(one_by_one(dataset.pixels, rows)):
        top, left = (PICTURE_PX * number for number in divmod(place, COLUMNS))
        sheet[top : top + PICTURE_PX, left : left + PICTURE_PX] = _small(image)
    file = io.BytesIO()
    Image.fromarray(sheet[:, :, 0] if sheet.shape[2] == 1 else sheet).save(file, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _small(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a scan (C, S, S) as (PICTURE_PX, PICTURE_PX, C)."""
    image = Image.fromarray(as_in_a_file(pixels))
    small = np.asarray(image.resize((PICTURE_PX, PICTURE_PX), Image.Resampling.BOX))
    return small[:, :, np.newaxis] if small.ndim == 2 else small


def _colored(coloring: Coloring, shown: Int64s, classes: Sequence[str]) -> dict[str, Any]:
    """Return a coloring as the page's script takes it: its values, the commonest first, and of each scan which.

    A class has one color, whether scans are labeled so or called so.
    """
    counts = Counter(coloring.values)
    values = sorted(counts, key=lambda value: (value in coloring.plain, -counts[value], value))
    place = {value: number for number, value in enumerate(values)}
    plain, told = ([value for value in values if (value in coloring.plain) == is_plain] for is_plain in (True, False))
    named = list(dict.fromkeys([*classes, *told])) if set(told) & set(classes) else told
    looks = {value: (color, _MARKS[0]) for value, color in zip(named, _palette(len(named)), strict=True)}
    looks |= {value: (_GRAY, mark) for value, mark in zip(plain, cycle(_MARKS), strict=False)}
    return {
        "name": coloring.name,
        "values": [
            {"name": value, "count": counts[value], "color": looks[value][0], "mark": looks[value][1]} for value in values
        ],
        "of": [place[coloring.values[position]] for position in shown.tolist()],
    }


def _palette(count: int) -> Sequence[str]:
    """Return so many colors; more than there are names for go round the circle of hues."""
    if count <= len(_COLORS):
        return _COLORS[:count]
    hues = (colorsys.hls_to_rgb(number / count, 0.55, 0.65) for number in range(count))
    return [f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}" for red, green, blue in hues]
