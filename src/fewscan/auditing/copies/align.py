"""Step 3, align: one image of a pair is laid over the other by an affine map, from coarse to fine.

Enhanced correlation coefficient maximization (Evangelidis and Psarakis, PAMI 2008), by OpenCV, on images whose local brightness
and contrast have been removed. After each resolution the two are compared block by block, and most pairs that are no copies are
given up there, before the fine resolutions, which take nearly all of a pair's time.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.candidates import Candidates
from fewscan.auditing.copies.compare import agreement
from fewscan.auditing.copies.images import WORK_PX, Floats, Int64s, blurred, read_gray, reduced, without_contrast
from fewscan.auditing.copies.placing import UNMOVED, combined, from_pixels, in_pixels, overlap, placing_of, shown_by
from fewscan.images.stored import StoredImages

Placings = npt.NDArray[np.float64]

# An affine map that shrinks or stretches more than this has run away.
LARGEST_STRETCH = 2.5

# Equalized histograms must leave no more than this share of what is missing to full agreement.
CLEARLY = 0.4

# Pairs that agree this far lie over one another at a resolution, and wait for a finer one.
IN_PLACE = 0.97


@dataclass(frozen=True)
class Level:
    """One resolution of the alignment.

    `blur_px` and `contrast_px` are what is smoothed before and what counts as local; `blocks` a side are compared; pairs whose
    agreement, in [-1, 1], is below `least_before` are given up before they are aligned at this resolution, those below `least`
    after it.
    """

    size_px: int
    blur_px: float
    contrast_px: float
    steps: int
    blocks: int
    least_before: float
    least: float


# At 16 px turns of some degrees and shifts of an eighth of the frame are bridged; at 96 px folds are laid over folds.
# Each `least` is below what nearly all true copies reach (docs/audit.md).
LEVELS = (
    Level(size_px=16, blur_px=0.5, contrast_px=3.0, steps=4, blocks=4, least_before=0.0, least=0.72),
    Level(size_px=32, blur_px=0.6, contrast_px=3.0, steps=4, blocks=8, least_before=0.65, least=0.86),
    Level(size_px=48, blur_px=0.6, contrast_px=2.0, steps=4, blocks=6, least_before=0.65, least=0.83),
    Level(size_px=96, blur_px=0.8, contrast_px=2.5, steps=4, blocks=12, least_before=0.67, least=0.67),
)


@dataclass(frozen=True)
class Aligned:
    """Pairs in the frame of their second image: `which` of those asked for, both images there (P, WORK_PX, WORK_PX).

    `inside` is 1 where the first image shows something, else 0. `placings` (P, 2, 3) map the frame of the second image to that
    of the first. `signs` (P,): -1 where one image is the other's negative, else 1.
    """

    which: Int64s
    first: Floats
    second: Floats
    inside: Floats
    placings: Placings
    signs: npt.NDArray[np.float32]


class _Pairs:
    """The images of candidates, each read once, and each view of one, made once; all of them also histogram equalized."""

    def __init__(self, pixels: StoredImages, rows: Int64s, candidates: Candidates) -> None:
        numbers, places = np.unique(np.stack([candidates.first, candidates.second]), return_inverse=True)
        self.gray = read_gray(pixels, rows[numbers])
        self.first, self.second = places.reshape(2, -1)
        self.views, view = np.unique(
            np.column_stack([self.first, candidates.view, candidates.symmetry]), axis=0, return_inverse=True
        )
        self.view = view.ravel()
        self.roughly = np.array([placing_of(*which) for which in self.views[:, 1:].tolist()])
        equalized = np.array([cv2.equalizeHist(image) for image in np.rint(self.gray).astype(np.uint8)], np.float32)
        self._templates = (self.gray, equalized)
        self._shown = tuple(_moved(images[self.views[:, 0]], self.roughly) for images in self._templates)

    def at(self, level: Level, which: Int64s, equalized: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        """Return (P, n, n) each, as a level compares them: views of first images, where these show something, second images."""
        inside = np.stack([_covered(*self.views[number, 1:].tolist(), level.size_px) for number in self.view[which]])
        shown, templates = np.empty_like(inside), np.empty_like(inside)
        for version, chosen in enumerate((~equalized, equalized)):
            shown[chosen] = _at_level(self._shown[version], self.view[which[chosen]], level)
            templates[chosen] = _at_level(self._templates[version], self.second[which[chosen]], level)
        return shown, inside, templates

    def images(self, which: Int64s, equalized: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return the first and the second images (P, WORK_PX, WORK_PX) of pairs, equalized where they were aligned so."""
        gray, equal = self._templates
        first, second = self.first[which], self.second[which]
        where = equalized[:, None, None]
        return np.where(where, equal[first], gray[first]), np.where(where, equal[second], gray[second])


def align(pixels: StoredImages, rows: Int64s, candidates: Candidates) -> Aligned:
    """Lay the first image of each candidate, numbers of `rows`, over the second, beginning with the view that looks like it."""
    pairs, which = _Pairs(pixels, rows, candidates), np.arange(len(candidates))
    signs = np.ones(len(which), np.float32)
    # From the frame of the second image to that of the view.
    placings = np.tile(UNMOVED, (len(which), 1, 1))
    equalized = _better_equalized(pairs, placings, LEVELS[0])
    for level in LEVELS:
        shown, inside, templates = pairs.at(level, which, equalized)
        before = _agreement(shown, inside, placings, templates, level.blocks)
        signs = np.where(before < 0, -1, 1).astype(np.float32)
        worth = signs * before >= level.least_before
        shown, inside, templates, before = shown[worth], inside[worth], templates[worth], before[worth]
        which, signs, placings, equalized = which[worth], signs[worth], placings[worth], equalized[worth]
        moving = (signs * before < IN_PLACE) | (level is LEVELS[-1])
        nearer, after = placings.copy(), signs * before
        nearer[moving] = _nearer(
            templates[moving], signs[moving, None, None] * shown[moving], inside[moving], placings[moving], level.steps
        )
        after[moving] = signs[moving] * _agreement(
            shown[moving], inside[moving], nearer[moving], templates[moving], level.blocks
        )
        # Noise that was lifted in one image can lead the steps astray.
        placings = np.where((after > signs * before)[:, None, None], nearer, placings)
        kept = np.maximum(after, signs * before) >= level.least
        which, signs, placings, equalized = which[kept], signs[kept], placings[kept], equalized[kept]
        if not len(which):
            break
    placings = combined(pairs.roughly[pairs.view[which]], placings)
    inside = np.array([overlap(placing, WORK_PX) for placing in placings], np.float32).reshape(-1, WORK_PX, WORK_PX)
    first, second = pairs.images(which, equalized)
    return Aligned(which, _moved(first, placings), second, inside, placings, signs)


def _better_equalized(pairs: _Pairs, placings: Placings, level: Level) -> npt.NDArray[np.bool_]:
    """Return (P,) whether a pair agrees clearly better with both equalized, as when one of the two was equalized before."""
    agreeing = []
    for equalized in (False, True):
        shown, inside, templates = pairs.at(level, np.arange(len(placings)), np.full(len(placings), equalized))
        agreeing.append(np.abs(_agreement(shown, inside, placings, templates, level.blocks)))
    return 1 - agreeing[1] < CLEARLY * (1 - agreeing[0])


def _moved(images: Floats, placings: Placings, beyond: float | None = None) -> Floats:
    """Show images (P, n, n) in other frames; past their edge is what is at the edge, or `beyond`."""
    size_px = images.shape[-1]
    return shown_by(images, in_pixels(placings, size_px, size_px), size_px, beyond)


def _at_level(images: Floats, numbers: Int64s, level: Level) -> Floats:
    """Return images (len(numbers), n, n) as a level compares them; each that is asked for is made once."""
    needed, places = np.unique(numbers, return_inverse=True)
    small = blurred(reduced(images[needed], level.size_px), level.blur_px)
    return without_contrast(small, level.contrast_px)[places]


@cache
def _covered(view: int, symmetry: int, size_px: int) -> Floats:
    """Return 1 for each pixel of a view (size_px, size_px) that shows the image, 0 for those beyond its edge."""
    return overlap(placing_of(view, symmetry), size_px)


def _agreement(images: Floats, inside: Floats, placings: Placings, templates: Floats, blocks: int) -> Floats:
    """Return (P,) how far images (P, n, n), so placed, agree with the templates; below 0 where one is the other's negative."""
    seen = (_moved(inside, placings, beyond=0) > 0.99).astype(np.float32)
    return agreement(_moved(images, placings), templates, seen, blocks)


def _nearer(templates: Floats, images: Floats, inside: Floats, placings: Placings, steps: int) -> Placings:
    """Return placings (P, 2, 3) of the templates' points in the images after some steps, the old ones where these lead away."""
    size_px = templates.shape[-1]
    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, steps, 1e-4)
    matrices: Any = in_pixels(placings, size_px, size_px)
    found = np.ones(len(placings), bool)
    for number, mask in enumerate(inside.astype(np.uint8)):
        try:
            cv2.findTransformECC(templates[number], images[number], matrices[number], cv2.MOTION_AFFINE, until, mask, 3)
        except cv2.error:
            # This is how OpenCV says that the images do not overlap or do not correlate.
            found[number] = False
    nearer = np.where(found[:, None, None], from_pixels(matrices, size_px), placings)
    stretch = np.linalg.svd(nearer[:, :, :2], compute_uv=False)
    sane = (stretch[:, 0] <= LARGEST_STRETCH) & (stretch[:, 1] >= 1 / LARGEST_STRETCH)
    return np.where(sane[:, None, None], nearer, placings)
