"""Which labels of a table are worth a reader's check: those of which the run expects few enough to be wrong."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.splits.support import TARGET_ERROR

# What share of the error that is to be shown the run expects, by the probabilities in the table, of labels that are worth a
# check: where none is named the second. By the first it is shown sooner, by the last of more labels (docs/decisions.md).
EXPECTED_SHARES = (1 / 3, 2 / 3, 1.0)
EXPECTED_SHARE = EXPECTED_SHARES[1]
# So begins what stands as the reason of a label, or of none, that a reader gave in an earlier check.
READERS_WORD = "a reader"


class NothingToCheckError(FewscanError):
    """From no score on is the run sure enough of its labels."""


class Choice(Settings):
    """Labels that may be checked: those from a score on, and what share of them the run expects to be wrong, in [0, 1]."""

    least_score: float
    labels: int
    expected_wrong: float


def worth_checking(probabilities: npt.NDArray[np.floating], share: float) -> float | None:
    """Return the score from which on at most a `share` of labels is expected to be wrong; None where it is more from any on.

    probabilities: (N, K), calibrated; a label's score grows with the largest of them, of which this is the least.
    """
    ranked = -np.sort(-probabilities.max(axis=1))
    within = np.flatnonzero(np.cumsum(1 - ranked) <= share * np.arange(1, len(ranked) + 1))
    return float(ranked[within[-1]]) if len(within) else None


def worth_scores(table: pd.DataFrame, at_most: float) -> list[float]:
    """Return the scores, each once, from which on labels are worth a check, by EXPECTED_SHARES of what is to be shown."""
    found = (_probably_right(table, at_most * share) for share in EXPECTED_SHARES)
    return list(dict.fromkeys(_short(table, least) for least in found if least is not None))


def chosen_score(table: pd.DataFrame, at_most: float) -> float:
    """Return the score from which on labels are checked: of those accepted, or else of those that are probably right."""
    if not len(rows_from(table, -np.inf)):
        raise NothingToCheckError("none of these labels can be checked: they are out of distribution, or a reader's answers")
    accepted = table.loc[(table["decision"] == "accept") & ~_by_reader(table), "score"]
    if len(accepted):
        return _short(table, float(accepted.min()))
    least = _probably_right(table, at_most * EXPECTED_SHARE)
    if least is None:
        raise NothingToCheckError(
            f"the run expects more than {100 * at_most * EXPECTED_SHARE:.1f} % of these labels to be wrong, even of those that "
            "it is most confident in: choose which labels to check with --least-score, or label more scans and train again"
        )
    return _short(table, least)


def any_worth_checking(table: pd.DataFrame) -> bool:
    """Return whether a check of a table to which nothing else is said finds labels that are worth it."""
    try:
        chosen_score(table, TARGET_ERROR)
    except NothingToCheckError:
        return False
    return True


def rows_from(table: pd.DataFrame, least_score: float) -> npt.NDArray[np.int64]:
    """Return the rows of scans in distribution from a score on, whose labels are the run's."""
    usable = table["decision"].isin(("accept", "review")) & ~_by_reader(table)
    return np.flatnonzero((usable & (table["score"] >= least_score)).to_numpy())


def _by_reader(table: pd.DataFrame) -> "pd.Series[bool]":
    """Return whether a reader has said what a scan is: in a table that `check` wrote."""
    return table["reason"].astype("str").str.startswith(READERS_WORD, na=False)


def _short(table: pd.DataFrame, least_score: float) -> float:
    """Return the decimal of the fewest digits, three at least, from which on there are the same labels as from a score on.

    Who types it as it is printed gets the same draw.
    """
    labels = len(rows_from(table, least_score))
    decimals = (math.floor(least_score * 10**digits) / 10**digits for digits in range(3, 16))
    return next((short for short in decimals if len(rows_from(table, short)) == labels), least_score)


def _probabilities(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = table.iloc[rows].filter(regex="^probability_").to_numpy(np.float64)
    return found


def _probably_right(table: pd.DataFrame, share: float) -> float | None:
    """Return the score from which on at most a share of labels is expected to be wrong; None where there is none."""
    rows = rows_from(table, -np.inf)
    probabilities = _probabilities(table, rows)
    least = worth_checking(probabilities, share) if len(rows) else None
    return None if least is None else float(table["score"].iloc[rows[probabilities.max(axis=1) >= least]].min())


def choice_of(table: pd.DataFrame, least_score: float) -> Choice:
    """Return the labels from a score on, of which there are some, and how many of them are expected to be wrong."""
    rows = rows_from(table, least_score)
    expected = 1 - _probabilities(table, rows).max(axis=1).mean()
    return Choice(least_score=least_score, labels=len(rows), expected_wrong=round(float(expected), 4))
