"""Which scans to be labeled a run has seen already: it learned from them, was chosen by them, or is scored by them.

A scan is compared with the run's dataset by its file and its pixels, and where these are others, as a near-duplicate: the most
similar small picture of the dataset, mirrored, turned by quarters or cropped, is compared with the scan as the audit does.
Where the dataset's scans are cropped and kept whole besides, whole ones are compared.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies import are_copies
from fewscan.datasets.descriptions import Split
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.readers import Image
from fewscan.learning.registry import method_type
from fewscan.training.batches import Rows
from fewscan.training.run import Run

LEARNED_FROM = "learned from"
VALIDATION = "validation set"
TEST = "test set"

# Small pictures of near-duplicates correlate at least so much in 95 % of the pairs that an audit named among 4,575 real scans.
LEAST_CORRELATION = 0.95
# How much of each side a copy may lack, or have besides.
BORDERS = (0.0, 0.05, 0.1)
_PICTURE_PX = 16
_BATCH = 1024

Floats = npt.NDArray[np.float32]


class Seen:
    """What a run's dataset holds of scans that are to be labeled."""

    def __init__(self, run: Run, dataset: Snapshot, *, near: bool = True) -> None:
        """Take the run's dataset; without `near` only the same files and pixels are recognized."""
        self._dataset = dataset
        self._near = near
        self._words = _words(run, dataset)
        manifest = dataset.manifest.assign(row=np.arange(len(dataset.manifest)))[self._words != ""]
        files = manifest.drop_duplicates("sha256", keep=False)  # of a file with several images, the pixels say which
        self._by_pixels = dict(zip(manifest["pixels_sha256"], manifest["row"], strict=True))
        self._by_file = dict(zip(files["sha256"], files["row"], strict=True))

    def rows(self, rows: Rows) -> list[str | None]:
        """Return of rows of the dataset how each was seen, None where it was not."""
        return [word or None for word in self._words[rows].tolist()]

    def scans(self, images: Sequence[Image]) -> list[str | None]:
        """Return of scans, read as the dataset's were, how each was seen, None where it is new."""
        found = [self._by_pixels.get(image.pixels_sha256, self._by_file.get(image.sha256)) for image in images]
        unknown = [place for place, row in enumerate(found) if row is None]
        if self._near and len(unknown):
            keeps_whole = self._dataset.store.keeps_whole
            shown = [images[place].whole if keeps_whole else images[place].pixels for place in unknown]
            for place, row in self._near_copies(np.stack(shown)):
                found[unknown[place]] = row
        return [None if row is None else str(self._words[row]) for row in found]

    def _near_copies(self, pixels: npt.NDArray[np.uint8]) -> Iterable[tuple[int, int]]:
        """Yield (place, row) of near-duplicates of the dataset's rows among new `pixels` (B, C, S, S)."""
        rows, pictures = self._pictures
        if not len(rows):
            return
        everyone = np.arange(len(pixels))
        correlation, partner, symmetry = np.zeros(len(pixels), np.float32), np.zeros_like(everyone), np.zeros_like(everyone)
        # The scan may lack a border, or the dataset's image.
        for border, theirs in [(border, 0.0) for border in BORDERS] + [(0.0, border) for border in BORDERS[1:]]:
            for way, turned in enumerate(_eight_ways(_small(pixels, border))):
                agreement = _unit(turned) @ pictures[theirs].T
                place = agreement.argmax(axis=1)
                better = agreement[everyone, place] > correlation
                correlation[better] = agreement[everyone, place][better]
                partner[better], symmetry[better] = rows[place[better]], way
        alike = np.flatnonzero(correlation >= LEAST_CORRELATION)
        both = np.concatenate([pixels[alike], self._dataset.whole[partner[alike]]])
        first = np.arange(len(alike))
        for place in alike[are_copies(both, first, first + len(alike), symmetry[alike])]:
            yield int(place), int(partner[place])

    @cached_property
    def _pictures(self) -> tuple[Rows, dict[float, Floats]]:
        """The rows that were seen, and of each a small picture, (R, P) of length 1, without each of BORDERS."""
        rows = np.intersect1d(np.flatnonzero(self._words != ""), self._dataset.usable)
        parts: dict[float, list[Floats]] = {border: [np.zeros((0, _PICTURE_PX**2), np.float32)] for border in BORDERS}
        for start in range(0, len(rows), _BATCH):
            pixels = self._dataset.whole[rows[start : start + _BATCH]]
            for border, pictures in parts.items():
                pictures.append(_unit(_small(pixels, border)))
        return rows, {border: np.concatenate(pictures) for border, pictures in parts.items()}


def _words(run: Run, dataset: Snapshot) -> npt.NDArray[np.str_]:
    """Return (N,) how each row was seen, '' where it was not; a copy of a row was seen as the row was."""
    learned: tuple[Split, ...] = (
        ("labeled", "unlabeled") if method_type(run.settings.method.name).uses_unlabeled else ("labeled",)
    )
    words = np.full(len(dataset.manifest), "", dtype="<U14")
    manifest = dataset.manifest
    sets = manifest["copy_set"]
    # What was learned from goes before what was judged by, where a split leaks.
    for word, parts in ((TEST, ("test",)), (VALIDATION, ("validation",)), (LEARNED_FROM, learned)):
        own = manifest["split"].isin(parts)
        words[(own | (sets.notna() & sets.isin(sets[own].dropna()))).to_numpy()] = word
    return words


def _small(pixels: npt.NDArray[np.uint8], border: float) -> Floats:
    """Return (B, P, P) small gray pictures of (B, C, S, S), without a `border`, a share of the side, on each side."""
    cut = round(border * pixels.shape[-1])
    gray = pixels[:, :, cut : pixels.shape[2] - cut, cut : pixels.shape[3] - cut].mean(axis=1, dtype=np.float32)
    return np.stack([cv2.resize(image, (_PICTURE_PX, _PICTURE_PX), interpolation=cv2.INTER_AREA) for image in gray])


def _unit(pictures: Floats) -> Floats:
    """Return (B, P * P) the pictures without brightness and contrast; an even one is 0, and like no other."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    unit: Floats = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-3)
    return unit


def _eight_ways(pictures: Floats) -> Iterable[Floats]:
    """Yield (B, P, P) pictures put onto themselves, in the order of `placing.SYMMETRIES`."""
    for way in range(8):
        mirrored = pictures[:, :, ::-1] if way & 1 else pictures
        flipped = mirrored[:, ::-1] if way & 2 else mirrored
        yield flipped.swapaxes(1, 2) if way & 4 else flipped
