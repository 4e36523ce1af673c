"""How people who label agree: Cohen's kappa between each two, on what each said of a scan by themselves."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score

from fewscan.evaluation.intervals import Interval, bootstrap
from fewscan.labels.log import LabelLog

RESAMPLES = 400
# Kappa of fewer scans says nothing.
LEAST_SCANS = 10


class ReaderPair(NamedTuple):
    """Two readers, of how many scans both said something, how often the same; kappa is None of too few scans or one answer."""

    one: str
    other: str
    both: int
    same: int
    kappa: Interval | None


def agreement(log: LabelLog) -> list[ReaderPair]:
    """Return every pair of people who said something of the same scan, by name.

    What counts is the first that each said of a scan and did not take back: what is said later may follow from a talk about it.
    What settles a difference is no reading. Source: Cohen 1960, "A coefficient of agreement for nominal scales".
    """
    entries = log.entries()
    counts = entries["who"].notna() & ~entries["undone"] & entries["undoes"].isna() & ~entries["settles"]
    first = entries[counts].drop_duplicates(["row", "who"])
    said = first.assign(said=first["label"].fillna("\0" + first["state"].astype(str)))
    table = said.set_index(["row", "who"])["said"].unstack()  # noqa: PD010  # texts are not to be summed up
    found = []
    for one, other in combinations(sorted(table.columns), 2):
        both = table[[one, other]].dropna()
        if len(both):
            same = int((both[one] == both[other]).sum())
            found.append(ReaderPair(one, other, len(both), same, _kappa(both[one], both[other])))
    return found


def _kappa(one: pd.Series, other: pd.Series) -> Interval | None:
    names = sorted({*one, *other})
    if len(one) < LEAST_SCANS or len(names) < 2:
        return None
    codes = [pd.Index(names).get_indexer(said) for said in (one, other)]

    def score(positions: np.ndarray) -> dict[str, float]:
        first, second = (code[positions] for code in codes)
        if len(np.unique(np.concatenate([first, second]))) < 2:
            return {"kappa": np.nan}  # both said one thing only: chance alone agrees as well
        return {"kappa": float(cohen_kappa_score(first, second))}

    return bootstrap(score, np.arange(len(one)), differences=["kappa"], resamples=RESAMPLES)["kappa"]
