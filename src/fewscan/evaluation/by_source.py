"""A score source by source: a mean over several hides that one of them is not understood."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fewscan.config import Settings
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.intervals import Interval, Rows, bootstrap
from fewscan.evaluation.metrics import Labels, Probabilities, weights


class SourceScore(Settings):
    """How the images of one source fared; balanced over the classes that it has images of."""

    name: str
    images: int
    groups: int
    accuracy: Interval
    balanced_accuracy: Interval


def source_scores(dataset: Snapshot, rows: Rows, probabilities: Probabilities, labels: Labels) -> tuple[SourceScore, ...]:
    """Return the score of each source that the rows (N,) are from, in the dataset's order; nothing where all are from one.

    probabilities: (N, K); labels: (N,).
    """
    sources = dataset.manifest["source"].to_numpy(object)[rows]
    names = [source.name for source in dataset.description.sources if source.name in sources]
    if len(names) < 2:
        return ()
    right = probabilities.argmax(axis=1) == labels
    return tuple(
        _score(name, right[own], labels[own], dataset.groups[rows[own]], probabilities.shape[1])
        for name, own in ((name, np.flatnonzero(sources == name)) for name in names)
    )


def _score(name: str, right: npt.NDArray[np.bool_], labels: Labels, groups: Rows, classes: int) -> SourceScore:
    there = np.unique(labels)

    def score(positions: Rows) -> Mapping[str, float]:
        images = np.bincount(labels[positions], minlength=classes)[there]
        hits = np.bincount(labels[positions], right[positions], minlength=classes)[there]
        with np.errstate(invalid="ignore"):
            return {"accuracy": float(right[positions].mean()), "balanced_accuracy": float((hits / images).mean())}

    balanced = weights(labels, classes)["balanced_accuracy"]
    intervals = bootstrap(score, groups, weights={"balanced_accuracy": balanced})
    return SourceScore(name=name, images=len(labels), groups=len(np.unique(groups)), **intervals)
