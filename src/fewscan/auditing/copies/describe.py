"""Step 1, describe: every image becomes a unit vector that hardly changes when the image is processed anew.

Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) are projected by linear discriminant analysis, in which every
image is a class of its own and changed versions of it are the examples. An edge and its negative count as one orientation, so
an inverted image has the same vector. The histograms of mirrored and quarter-turned images follow by exchanging cells.
"""

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from fewscan.auditing.copies.images import (
    WORK_PX,
    Floats,
    Int64s,
    in_batches,
    read_gray,
    slopes_of,
    smoothing,
    to_unit,
    without_contrast,
)
from fewscan.auditing.copies.placing import SYMMETRIES, VIEWS, WHOLE, Placing, in_pixels, placed, shown_by
from fewscan.images.stored import StoredImages
from fewscan.seeds import stream

SEED = 0

DESCRIPTOR_PX = 48
CELLS = 8
ORIENTATIONS = 8
FEATURES = ORIENTATIONS * CELLS**2
DIMENSIONS = 128

# So few images at once that what is computed of them stays in the processor's cache.
AT_ONCE = 32

FITTING_IMAGES = 800
FITTING_CROP = 0.12
FITTING_DEGREES = 3.0
FITTING_LOG_GAMMA = 0.6
FITTING_BLUR_PX = 2.0
LETTERS = "ABCDEFGHIKLMNOPRSTUVXYZ 0123456789"


@dataclass(frozen=True)
class Projection:
    """Turns histograms (B, H) into unit vectors (B, D): `offset` (H,) is taken off, `directions` (H, D) are kept."""

    offset: Floats
    directions: Floats

    @classmethod
    def onto_nothing(cls) -> Self:
        """Return what keeps nothing of any image, since there was none to learn from."""
        return cls(np.zeros(FEATURES, np.float32), np.zeros((FEATURES, 0), np.float32))

    def __call__(self, described: Floats) -> Floats:
        """Return the vectors (B, D)."""
        return to_unit(np.asarray((described - self.offset) @ self.directions, np.float32))

    def in_all_symmetries(self, described: Floats) -> Floats:
        """Return the vectors (8 * B, D) of images put onto themselves: of all by the first of SYMMETRIES, then by the next."""
        vectors = (described @ self._turned).reshape(len(described), len(SYMMETRIES), -1) - self.offset @ self.directions
        return to_unit(np.ascontiguousarray(vectors.swapaxes(0, 1)).reshape(-1, self.directions.shape[1]))

    @cached_property
    def _turned(self) -> Floats:
        """(H, 8 * D) directions for each symmetry: it changes the order of a histogram, and theirs instead is changed once."""
        numbers = np.arange(FEATURES, dtype=np.float32)[np.newaxis]
        turned = np.empty((len(SYMMETRIES), *self.directions.shape), np.float32)
        for symmetry in range(len(SYMMETRIES)):
            turned[symmetry, put_onto_itself(numbers, symmetry)[0].astype(np.int64)] = self.directions
        return np.concatenate(list(turned), axis=1)


def fit_projection(pixels: StoredImages, rows: Int64s) -> Projection:
    """Learn from the images themselves: keep what tells images apart, drop what processing changes; of no images, nothing."""
    if not len(rows):
        return Projection.onto_nothing()
    random = stream(SEED, "description").numpy()
    chosen = np.sort(random.choice(rows, min(len(rows), FITTING_IMAGES), replace=False))
    versions = max(6, math.ceil(2 * DIMENSIONS / len(chosen)))
    parts = []
    for batch in in_batches(chosen):
        gray = read_gray(pixels, batch)
        changed = [histograms(np.stack([_processed(image, random) for image in gray]), VIEWS[WHOLE]) for _ in range(versions)]
        parts.append(np.stack(changed, axis=1))
    samples = np.concatenate(parts).astype(np.float64)
    mean = samples.mean(axis=(0, 1))
    within = _covariance(samples - samples.mean(axis=1, keepdims=True))
    # Shrunk towards a multiple of the identity, so that few images give a usable projection too.
    within += (0.05 * within.diagonal().mean() + 1e-9) * np.eye(len(within))
    largest = [len(within) - DIMENSIONS, len(within) - 1]
    _, directions = eigh(_covariance(samples - mean), within, subset_by_index=largest)
    return Projection(mean.astype(np.float32), directions.astype(np.float32))


def _covariance(centered: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    flat = centered.reshape(-1, centered.shape[-1])
    return np.asarray(flat.T @ flat / len(flat), np.float64)


def _processed(gray: Floats, random: np.random.Generator) -> Floats:
    """Crop, turn, re-contrast and at times blur, equalize or write on an image (S, S), as people do."""
    left, right, top, bottom = random.uniform(0, FITTING_CROP, 4)
    angle = math.radians(random.uniform(-FITTING_DEGREES, FITTING_DEGREES))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    window: Placing = np.column_stack([turn * [1 - left - right, 1 - top - bottom], [left - right, top - bottom]])
    bright = np.clip(placed(gray, window, len(gray)), 0, 255) / 255
    image = 255 * bright ** math.exp(random.uniform(-FITTING_LOG_GAMMA, FITTING_LOG_GAMMA))
    if random.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, FITTING_BLUR_PX)), np.float32)
    drawn = image.astype(np.uint8)
    if random.random() < 0.25:
        drawn = np.asarray(cv2.equalizeHist(drawn), np.uint8)
    if random.random() < 0.5:
        _write_on(drawn, random)
    return drawn.astype(np.float32)


def _write_on(image: npt.NDArray[np.uint8], random: np.random.Generator) -> None:
    """Burn in up to four lines of letters, above and below where heads are."""
    for _ in range(random.integers(1, 5)):
        text = "".join(LETTERS[number] for number in random.integers(len(LETTERS), size=random.integers(3, 14)))
        height = random.uniform(0.05, 0.3) if random.random() < 0.5 else random.uniform(0.8, 1)
        at = (int(random.uniform(0, 0.8) * WORK_PX), int(height * WORK_PX))
        gray = float(random.uniform(150, 255))
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, random.uniform(0.15, 0.3), gray, 1, cv2.LINE_AA)


def histograms(gray: Floats, view: Placing) -> Floats:
    """Describe a view of images (B, S, S) by (B, FEATURES) histograms of edge orientation, unit length."""
    found = np.empty((len(gray), FEATURES), np.float32)
    matrix = in_pixels(view, DESCRIPTOR_PX, WORK_PX)
    for start in range(0, len(gray), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        found[some] = _histograms(shown_by(gray[some], matrix, DESCRIPTOR_PX))
    return to_unit(found)


def _histograms(images: Floats) -> Floats:
    across, down = slopes_of(without_contrast(images, 5.0))
    strength_squared = across**2 + down**2 + np.float32(1e-12)
    # Twice the angle, so that an edge and its negative count as one orientation.
    cosine = (across**2 - down**2) / strength_squared
    sine = 2 * across * down / strength_squared
    root = np.sqrt(np.sqrt(strength_squared))
    cells = _cell_weights()
    found = np.empty((len(images), ORIENTATIONS, CELLS, CELLS), np.float32)
    half = ORIENTATIONS // 2
    for number in range(half):
        angle = 2 * math.pi / ORIENTATIONS * number
        near = cosine * np.float32(math.cos(angle)) + sine * np.float32(math.sin(angle))
        near = near * near * near * root
        # On the other side of the circle it is the same with the other sign.
        on_this_side = np.maximum(near, 0)
        found[:, number] = cells @ on_this_side @ cells.T
        found[:, number + half] = cells @ (on_this_side - near) @ cells.T
    return found.reshape(len(images), FEATURES)


@cache
def _cell_weights() -> Floats:
    step = DESCRIPTOR_PX / CELLS
    middle = (np.arange(CELLS, dtype=np.float32) + 0.5) * step
    return smoothing(np.arange(DESCRIPTOR_PX, dtype=np.float32) + 0.5 - middle[:, None], 0.6 * step)


def put_onto_itself(described: Floats, symmetry: int) -> Floats:
    """Return the histograms (B, H) that the images would have after a symmetry, by its number in SYMMETRIES."""
    cells = described.reshape(-1, ORIENTATIONS, CELLS, CELLS)
    mirrored = -np.arange(ORIENTATIONS) % ORIENTATIONS
    if symmetry & 2:
        cells = cells[:, mirrored, ::-1]
    if symmetry & 1:
        cells = cells[:, mirrored, :, ::-1]
    if symmetry & 4:
        cells = cells[:, (ORIENTATIONS // 2 - np.arange(ORIENTATIONS)) % ORIENTATIONS].transpose(0, 1, 3, 2)
    return np.ascontiguousarray(cells).reshape(len(described), -1)
