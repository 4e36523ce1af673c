"""Images that are probably not scans: noise, low contrast, text, color among gray, sizes that stand out.

Plain measures of the stored pixels and of what the manifest says; no network is asked, and nothing is learned. The limits were
set on real scans and on drawn pictures, see `benchmarks/suspects.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.auditing.copies.images import Int64s, in_batches, read_gray
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.taking import NOT_A_SCAN
from fewscan.errors import FewscanError
from fewscan.images.stored import StoredImages

Kind = Literal["noise", "low contrast", "text", "color among gray", "size that stands out"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Images stored at fewer pixels a side show too little of noise and text; of them only the contrast is looked at.
LEAST_SIDE_PX = 64
# Gray levels, of 255, between all but 0.1 % of the pixels at either end.
LOW_CONTRAST_LEVELS = 32
# Noise with fewer levels than these is what JPEG leaves of an even gray.
LEAST_NOISE_LEVELS = 8
# Share of the variance that is left in the means of CELLS x CELLS cells: scans have large parts, noise has none.
NOISE_COARSE_SHARE = 0.08
CELLS = 8
# Correlation of neighboring pixels, from which on fine structure is rather text than noise, and below which it may be text.
NOISE_CORRELATION = 0.4
TEXT_CORRELATION = 0.7
# What an opening (or on bright paper a closing) of STROKE_PX leaves above the paper, of the contrast, at its 98th percentile:
# of text nothing, since its strokes are thin; of pages of it, shrunk to a gray, a little.
STROKE_PX = 7
TEXT_LEFT = 0.08
FINE_TEXT_LEFT = 0.2
# In color among gray: where no more than this share of a source, or of the dataset, has color.
RARE_COLOR = 0.2
# A longer side so many times longer or shorter than the source's median, or proportions so many times wider or narrower.
SIZE_FACTOR = 4.0
PROPORTIONS_FACTOR = 2.5


@dataclass(frozen=True)
class Suspect:
    """A row that probably holds no scan, and of which kind it is."""

    row: int
    kind: Kind


class _Measures(NamedTuple):
    levels: float
    coarse_share: float
    neighbor_correlation: float
    left_by_opening: float


def find_suspects(
    pixels: StoredImages, manifest: pd.DataFrame, rows: Int64s, asked: Int64s | None = None
) -> tuple[Suspect, ...]:
    """Look at pixels (N, C, S, S) uint8, and at source, color and size in the manifest; one kind a row, by row.

    `rows` are all images that can be used, by which it is judged what is usual; `asked` those to look at, by default all.
    """
    asked = rows if asked is None else asked
    kinds: dict[int, Kind] = {}
    kinds |= dict.fromkeys(_sizes_that_stand_out(manifest, rows).tolist(), "size that stands out")
    kinds |= dict.fromkeys(_color_among_gray(manifest, rows).tolist(), "color among gray")
    kinds = {row: kinds[row] for row in asked.tolist() if row in kinds}
    for some in in_batches(asked):
        for row, gray in zip(some.tolist(), read_gray(pixels, some), strict=True):
            if (kind := _kind(gray, fine=pixels.shape[-1] >= LEAST_SIDE_PX)) is not None:
                kinds[row] = kind
    return tuple(Suspect(row, kinds[row]) for row in sorted(kinds))


def enter_suspects(dataset: Dataset, snapshot: Snapshot, suspects: Sequence[Suspect]) -> None:
    """Enter the suspects in the label log as no scans; raises FewscanError where a class would have no image left."""
    rows = [suspect.row for suspect in suspects]
    labels = snapshot.manifest["label"]
    lost = set(snapshot.classes) - set(labels.drop(index=rows).dropna())
    if lost:
        raise FewscanError(
            f"every image of {', '.join(sorted(lost))} is probably not a scan: see audit.html, and import again without these"
        )
    for kind in KINDS:
        of_kind = [suspect.row for suspect in suspects if suspect.kind == kind]
        states = [NOT_A_SCAN] * len(of_kind)
        dataset.labels.enter(of_kind, [None] * len(of_kind), states=states, origin="audit", note=f"suspect: {kind}")


def _kind(gray: npt.NDArray[np.float32], *, fine: bool) -> Kind | None:
    measures = _measures(gray)
    is_fine_text = measures.neighbor_correlation < TEXT_CORRELATION and measures.left_by_opening < FINE_TEXT_LEFT
    is_noise = measures.coarse_share < NOISE_COARSE_SHARE and (
        measures.neighbor_correlation < NOISE_CORRELATION or not is_fine_text
    )
    if fine and is_noise and measures.levels >= LEAST_NOISE_LEVELS:
        return "noise"
    if measures.levels < LOW_CONTRAST_LEVELS:
        return "low contrast"
    if fine and (is_fine_text or measures.left_by_opening < TEXT_LEFT):
        return "text"
    return None


def _measures(gray: npt.NDArray[np.float32]) -> _Measures:
    image = np.rint(gray).astype(np.uint8)
    ranks = np.cumsum(cv2.calcHist([image], [0], None, [256], [0, 256])) / image.size
    low, middle, high = (int(np.searchsorted(ranks, share)) for share in (0.001, 0.5, 0.999))
    centered = gray - gray.mean()
    variance = max(float(np.square(centered).mean()), 1e-6)
    cells = cv2.resize(centered, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    beside = (centered[1:] * centered[:-1]).mean() + (centered[:, 1:] * centered[:, :-1]).mean()
    is_paper_bright = middle > (low + high) / 2
    operation = cv2.MORPH_CLOSE if is_paper_bright else cv2.MORPH_OPEN
    opened = cv2.morphologyEx(image, operation, np.ones((STROKE_PX, STROKE_PX), np.uint8))
    left = np.partition(np.abs(opened.ravel().astype(np.int16) - middle), int(0.98 * image.size))[int(0.98 * image.size)]
    return _Measures(
        levels=high - low,
        coarse_share=float(np.square(cells).mean()) / variance,
        neighbor_correlation=float(beside) / 2 / variance,
        left_by_opening=float(left) / max(high - low, 1),
    )


def _color_among_gray(manifest: pd.DataFrame, rows: Int64s) -> Int64s:
    """Return the rows in color where color is rare; where nobody has looked for color, none is."""
    color = manifest["color"].iloc[rows].fillna(False).to_numpy(bool)
    sources = manifest["source"].iloc[rows]
    share = pd.Series(color, index=sources.index).groupby(sources).transform("mean").to_numpy(float)
    rare = (share <= RARE_COLOR) | (color.mean() <= RARE_COLOR if len(color) else False)
    found: Int64s = rows[color & rare]
    return found


def _sizes_that_stand_out(manifest: pd.DataFrame, rows: Int64s) -> Int64s:
    """Return the rows whose longer side or proportions are far from what is usual in their source."""
    some = manifest[["source", "width_px", "height_px"]].iloc[rows]
    width, height = some["width_px"].astype(float), some["height_px"].astype(float)
    far = np.zeros(len(rows), bool)
    for values, factor in ((np.maximum(width, height), SIZE_FACTOR), (width / height, PROPORTIONS_FACTOR)):
        ratio = values / values.groupby(some["source"]).transform("median")
        far |= ((ratio > factor) | (ratio < 1 / factor)).to_numpy(bool)
    found: Int64s = rows[far]
    return found
