"""Labels that the review page asked for: it chooses what it asks, so scans that have one are not like the others."""

import numpy as np
import numpy.typing as npt

from fewscan.datasets.labels import REVIEW
from fewscan.datasets.snapshot import Snapshot


def asked_by_review(dataset: Snapshot, rows: npt.NDArray[np.int64]) -> int:
    """Return how many of the rows have a label that was given on the review page, which chooses what it asks for."""
    return int((dataset.manifest["label_from"].to_numpy(object)[rows] == REVIEW).sum())


def asked_sentence(labels: int) -> str:
    """Return in words what follows where so many of the labels that judge a network were given on the review page."""
    return (
        f"{labels:,} of their labels were given on the review page, which asks for the scans that teach most and draws only "
        "some at random: scans like these are mostly harder than the others, but those of a check of labels mostly easier"
    )
