"""Features -> two dimensions: scans that are alike lie side by side."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from fewscan.evaluation.main_directions import main_directions
from fewscan.seeds import stream

Floats = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]

# t-SNE looks at the main directions of the features alone, which takes a tenth of the time; more say nothing new.
DIRECTIONS = 50
# How many neighbors a scan is held near to, and for how many steps: 5,000 scans then take a quarter of a minute.
NEIGHBORS = 30
STEPS = 500
# Of more scans t-SNE places so many, drawn at random; each other one lies among the placed ones most like it.
MOST = 8_000
PLACED_AMONG = 3
# With fewer there are no neighborhoods to keep.
FEWEST = 10


class Coordinates(NamedTuple):
    """Where N scans lie."""

    xy: Floats  # (N, 2), each axis in [0, 1]
    way: str  # how they were placed, a sentence for people


def coordinates(features: npt.NDArray[np.floating], seed: int = 0, most: int = MOST) -> Coordinates:
    """Return where scans with these features (N, D) lie; the same for the same features and seed.

    Features are standardized, then PCA, then t-SNE; of more than `most` scans, t-SNE of so many and the others between these.
    Distances across the map mean little, neighborhoods do. Source: van der Maaten and Hinton 2008, "Visualizing data using
    t-SNE"; its beginning by PCA: Kobak and Berens 2019.
    """
    count = len(features)
    points = main_directions(features, DIRECTIONS, seed)
    if count < FEWEST or not np.ptp(points):
        return Coordinates(_scaled(points[:, :2]), "by the two main directions of their features (PCA)")
    placed = np.arange(count)
    if count > most:
        placed = np.sort(stream(seed, "scans of the map").numpy().permutation(count)[:most])
    neighbors = min(NEIGHBORS, (len(placed) - 1) // 3)
    tsne = TSNE(2, perplexity=neighbors, init="pca", max_iter=STEPS, random_state=seed, n_jobs=1)
    xy = tsne.fit_transform(points[placed])
    way = "by t-SNE of their features: neighbors are alike, far distances mean little"
    if count == len(placed):
        return Coordinates(_scaled(xy), way)
    return Coordinates(
        _scaled(_among(points, placed, xy)),
        f"{way}. t-SNE placed {len(placed):,} scans, drawn at random; each other scan lies among the {PLACED_AMONG} of these "
        "that are most like it",
    )


def _among(points: Floats, placed: Int64s, xy: Floats) -> Floats:
    """Return (N, 2) where all points lie, those at `placed` at `xy`, the others between the nearest of these."""
    others = np.setdiff1d(np.arange(len(points)), placed)
    distances, nearest = NearestNeighbors(n_neighbors=PLACED_AMONG).fit(points[placed]).kneighbors(points[others])
    weights = 1 / np.maximum(distances, 1e-6)
    found = np.empty((len(points), 2), np.float32)
    found[placed] = xy
    found[others] = (weights[:, :, np.newaxis] * xy[nearest]).sum(axis=1) / weights.sum(axis=1, keepdims=True)
    return found


def _scaled(xy: Floats) -> Floats:
    """Return positions with each axis in [0, 1]; where all are one, in the middle."""
    low, span = xy.min(axis=0), np.ptp(xy, axis=0)
    return np.asarray(np.where(span > 0, (xy - low) / np.where(span > 0, span, 1), 0.5), np.float32)
