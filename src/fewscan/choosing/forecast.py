"""What the next labels are likely to bring: how accuracy has been found to grow with labels, from where it is now."""

from fewscan.evaluation.intervals import Interval

MORE = 20
# The error of a model falls as a power of its labels. Which power, the labels that are there tell less well than what
# is usual (docs/review.md). So all powers are allowed for that were seen. Source: Viering and Loog 2021, "The
# shape of learning curves: a review".
USUAL_POWER, STEEPEST_POWER = 0.3, 0.7
# By how much one model differs from the next by chance, in accuracy, with one label: it falls with their root.
CHANCE = 0.3


def next_gain(accuracy: Interval, labels: int, more: int = MORE) -> Interval | None:
    """Return by how much accuracy is likely to grow with `more` labels, in [-1, 1]; None where nothing can be said.

    accuracy: of now, with its interval, on scans that nobody chose; labels: what the model has learned from.
    """
    if accuracy.value is None or accuracy.low is None or labels < 1:
        return None
    chance = CHANCE / labels**0.5
    usual = (1 - accuracy.value) * _fall(labels, more, USUAL_POWER)
    most = (1 - accuracy.low) * _fall(labels, more, STEEPEST_POWER) + chance
    return Interval(value=usual, low=-chance, high=min(most, 1 - accuracy.low))


def _fall(labels: int, more: int, power: float) -> float:
    """Return which part of the error goes."""
    return float(1 - (1 + more / labels) ** -power)
