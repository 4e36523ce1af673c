"""Which labels only teach: a network chose the scans that have them, as those whose labels it was sure of.

Such scans are easier than the others. Their labels are as good as any to learn from, but a score, a calibration or a promise
over them would be too good. What chose a scan is told by how it was first answered: who corrects or repeats a label later has
not chosen the scan anew.
"""

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.images.sources import CHECK, PREDICTIONS
from fewscan.labels.standing import Entries, Numbers, live

# Readings of the review page, as the notes of its entries name them, in which it shows scans by what a network says of them.
CHECK_READING, GRID_READING = "check", "grid"
# The one in which a person confirms or corrects labels that a network contradicts.
SUSPECT_READING = "suspect"


def chosen_by_network(origin: str, note: str = "") -> bool:
    """Return whether entries of this origin, and with this note, are of scans that a network was sure of."""
    return origin == CHECK or origin.startswith(PREDICTIONS) or asked_as(note, CHECK_READING, GRID_READING)


def asked_as(note: str, *readings: str) -> bool:
    """Return whether entries with this note were given in one of these readings of the review page."""
    return reading_of(note) in readings


def reading_of(note: str) -> str | None:
    """Return in which reading of the review page entries with this note were given; None: not on the page."""
    if '"reading"' not in note:
        return None
    try:
        told = json.loads(note)
    except ValueError:
        return None
    return str(told["reading"]) if isinstance(told, dict) and "reading" in told else None


def confirmed(entries: pd.DataFrame) -> set[tuple[int, str]]:
    """Return the labels, as row and label, that somebody gave who was asked of them as labels in doubt.

    entries: of the log, as `LabelLog.entries` has them; those that were taken back confirm nothing. Such a label is not asked
    of again, whichever run or check contradicts it; another label of the same scan is.
    """
    given = entries[~entries["undone"] & entries["undoes"].isna() & entries["label"].notna()]
    asked = given[given["note"].fillna("").map(lambda note: asked_as(note, SUSPECT_READING)).astype(bool)]
    return set(zip(asked["row"].tolist(), asked["label"].tolist(), strict=True))


def only_teaching(entries: Entries, by_network: Sequence[bool], count: int) -> npt.NDArray[np.bool_]:
    """Return (count,) the rows whose first answer a network chose; by_network: of each batch, the first one's first.

    What was taken back does not count, and where a row was said to have no label its next answer is its first.
    """
    stated = entries.take(live(entries) & (entries.undoes == 0) & (entries.row < count))
    none: Numbers = np.zeros(count, np.int64)
    np.maximum.at(none, stated.row[stated.said == 0], stated.id[stated.said == 0])
    answers = stated.take((stated.said != 0) & (stated.id > none[stated.row]))
    _, first = np.unique(answers.row, return_index=True)  # entries are in their order
    chosen = np.zeros(count, bool)
    chosen[answers.row[first]] = np.asarray(by_network, bool)[answers.batch[first] - 1]
    return chosen
