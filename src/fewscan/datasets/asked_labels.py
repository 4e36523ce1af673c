"""Labels of scans that were chosen: by the review page as hard ones, or as those whose labels a network was sure of."""

import numpy as np
import numpy.typing as npt

from fewscan.datasets.labels import REVIEW
from fewscan.datasets.snapshot import Snapshot
from fewscan.wording import counted

# Why some labels measure nothing.
TEACHING = (
    "labels from a check, from predictions or from the page's grid belong to scans that a network was sure of, "
    "so mostly to easy ones"
)


def asked_by_review(dataset: Snapshot, rows: npt.NDArray[np.int64]) -> int:
    """Return how many of the rows have a label that was given on the review page, which chooses what it asks for."""
    return int((dataset.manifest["label_from"].to_numpy(object)[rows] == REVIEW).sum())


def asked_sentence(labels: int, images: str) -> str:
    """Return in words what follows where so many labels of the `images`, in words, were given on the review page.

    Not all labels that are held out judge in the same way: a score is of all images, a promise of one a group.
    """
    return (
        f"{labels:,} of the labels of {images} were given on the review page, which asks for the scans that teach most "
        "and draws only some at random: scans like these are mostly harder than the others"
    )


def teaching_labels(dataset: Snapshot) -> int:
    """Return how many labels are learned from and measure nothing."""
    return int(dataset.manifest["only_teaches"].to_numpy(bool)[dataset.rows("labeled")].sum())


def teaching_sentence(labels: int) -> str:
    """Return in words that so many labels measure nothing, and why."""
    return f"{counted(labels, 'label')} only for learning, and nothing was measured with them: {TEACHING}"
