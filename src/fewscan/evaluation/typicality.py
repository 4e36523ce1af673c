"""Is a scan like those that the run learned from? If not, no probability says anything of it."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from fewscan.data.dataset import Dataset
from fewscan.evaluation.predictor import Prediction, Predictor
from fewscan.training.batches import Rows

# Of scans like those learned from, about so many are called out of distribution.
FALSE_ALARMS = 0.02
# So many of the images learned from stand for them all: time and memory grow with them.
REFERENCE_IMAGES = 10_000
_BLOCK_IMAGES = 256

THUMBNAIL_SIDE = 16
HISTOGRAM_BINS = 32
# Contrast, in gray levels, below which a thumbnail is not stretched: noise would look like a picture.
LEAST_CONTRAST = 4.0

Vectors = npt.NDArray[np.float32]  # (N, D)


class Descriptions(NamedTuple):
    """Three ways in which scans can be alike; Euclidean distances mean something within each."""

    features: Vectors  # what the network sees, of length 1
    thumbnails: Vectors  # where it is bright, whatever brightness and contrast
    histograms: Vectors  # how much of it has which gray level (roots of shares: Hellinger distance)


def describe(pixels: npt.NDArray[np.uint8], prediction: Prediction) -> Descriptions:
    """Describe images (N, C, S, S) uint8 and what a run predicted of them."""
    gray = pixels.astype(np.float32).mean(axis=1)
    lengths = np.linalg.norm(prediction.features, axis=1, keepdims=True)
    features = prediction.features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return Descriptions(features, _thumbnails(gray), _histograms(gray))


def describe_rows(predictor: Predictor, dataset: Dataset, rows: Rows) -> Descriptions:
    """Describe rows of a dataset, a block at a time."""
    blocks = np.split(rows, np.arange(_BLOCK_IMAGES, len(rows), _BLOCK_IMAGES))
    parts = [describe(dataset.pixels[block], predictor.predict(dataset.pixels[block])) for block in blocks]
    return Descriptions(*(np.concatenate(vectors) for vectors in zip(*parts, strict=True)))


class Typicality:
    """How far scans lie from the nearest image that a run learned from, and how far is too far.

    Too far is what hardly any of these images is from the nearest one of another group, in any of the three descriptions.
    Source: Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors", with two descriptions of the pixels
    added: a network may see nothing where it was never taught to look.
    """

    def __init__(self, reference: Descriptions, groups: Rows) -> None:
        """reference: (N, ...) the images learned from; groups: (N,)."""
        self.reference = reference
        self.groups = groups
        own = self.distances(reference, groups)
        self.limits = np.quantile(own, 1 - FALSE_ALARMS / own.shape[1], axis=0, method="higher")

    @classmethod
    def of(cls, predictor: Predictor, dataset: Dataset, seed: int = 0) -> Self:
        """Describe the dataset's labeled and unlabeled images, or REFERENCE_IMAGES of them drawn by `seed`."""
        rows = dataset.rows("labeled", "unlabeled")
        if len(rows) > REFERENCE_IMAGES:
            rows = np.sort(np.random.default_rng(seed).choice(rows, REFERENCE_IMAGES, replace=False))
        return cls(describe_rows(predictor, dataset, rows), dataset.groups[rows])

    def out_of_distribution(self, described: Descriptions, groups: Rows | None = None) -> npt.NDArray[np.bool_]:
        """Return (N,) which scans are like nothing that was learned from; with `groups` (N,), their own groups do not count."""
        too_far: npt.NDArray[np.bool_] = (self.distances(described, groups) > self.limits).any(axis=1)
        return too_far

    def distances(self, described: Descriptions, groups: Rows | None = None) -> Vectors:
        """Return (N, 3) the distance to the nearest reference image by each description; infinite where none is left."""
        starts = range(0, len(described.features), _BLOCK_IMAGES)
        return np.stack(
            [
                np.concatenate(
                    [self._nearest(scans, reference, groups, slice(start, start + _BLOCK_IMAGES)) for start in starts]
                )
                for scans, reference in zip(described, self.reference, strict=True)
            ],
            axis=1,
        )

    def _nearest(self, scans: Vectors, reference: Vectors, groups: Rows | None, block: slice) -> Vectors:
        near = scans[block]
        squared = (near**2).sum(axis=1)[:, None] + (reference**2).sum(axis=1) - 2 * near @ reference.T
        if groups is not None:
            squared[groups[block, None] == self.groups] = np.inf
        nearest: Vectors = np.sqrt(np.maximum(squared.min(axis=1), 0))
        return nearest


def _thumbnails(gray: npt.NDArray[np.float32]) -> Vectors:
    side = gray.shape[1]
    # Means of as equal parts as the side allows: it need not be a multiple of the thumbnail's.
    edges = np.arange(min(THUMBNAIL_SIDE, side)) * side // min(THUMBNAIL_SIDE, side)
    sizes = np.diff(edges, append=side)
    sums = np.add.reduceat(np.add.reduceat(gray, edges, axis=1), edges, axis=2)
    flat = (sums / (sizes[:, None] * sizes)).reshape(len(gray), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    thumbnails: Vectors = (flat / np.maximum(lengths, LEAST_CONTRAST * np.sqrt(flat.shape[1]))).astype(np.float32)
    return thumbnails


def _histograms(gray: npt.NDArray[np.float32]) -> Vectors:
    bins = (gray * (HISTOGRAM_BINS / 256)).astype(np.int64).reshape(len(gray), -1)
    offsets = np.arange(len(gray))[:, None] * HISTOGRAM_BINS
    counts = np.bincount((bins + offsets).ravel(), minlength=len(gray) * HISTOGRAM_BINS).reshape(len(gray), HISTOGRAM_BINS)
    roots: Vectors = np.sqrt(counts / bins.shape[1]).astype(np.float32)
    return roots
