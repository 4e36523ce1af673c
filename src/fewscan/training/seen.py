"""Which rows a run has learned from: with their labels, and without."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.datasets.snapshot import Snapshot
from fewscan.learning.registry import method_type
from fewscan.training.batches import Rows
from fewscan.training.budget import LabelBearers
from fewscan.training.run import Run

Marks = npt.NDArray[np.bool_]


class Learned(NamedTuple):
    """(N,) of the rows of a run's snapshot each; none is both."""

    taught: Marks  # learned from with a label, or by weights that the run began with
    seen: Marks  # learned from without


def learned_by(run: Run, dataset: Snapshot, *, encoder_alone: bool = False) -> Learned:
    """Return what `run`, with the weights that it began with, has learned from; dataset: as the run saw it.

    An unlabeled copy that bears the label of another image is learned from with it. A guessed label is none. encoder_alone:
    leave out what only the classifier has learned from.
    """
    settings = run.settings
    taught, seen = (dataset.manifest[column].to_numpy(bool).copy() for column in ("taught_before", "seen_before"))
    if encoder_alone and settings.solved:  # its encoder stayed as it was
        return Learned(taught, seen & ~taught)
    taught[dataset.rows("labeled")] = True
    if settings.copies_share_labels:
        taught[LabelBearers.of(dataset).copies] = True
    if method_type(settings.method.name).uses_unlabeled:
        seen[dataset.rows("unlabeled")] = True
    return Learned(taught, seen & ~taught)


def seen_among(dataset: Snapshot, rows: Rows) -> int:
    """Return how many of the rows a run's first weights have seen without their labels, or scans that belong to them."""
    seen = dataset.manifest["seen_before"].to_numpy(bool)
    return int(np.isin(dataset.groups[rows], dataset.groups[seen]).sum())


def seen_sentence(seen: int, images: int, image_word: str = "test image") -> str:
    """Return in words that `seen` of the images that judge a run are not new to it."""
    return (
        f"{seen:,} of the {images:,} {image_word}s, or scans that belong to them, were seen without their labels in "
        "pretraining: on entirely new scans the score may be lower"
    )
