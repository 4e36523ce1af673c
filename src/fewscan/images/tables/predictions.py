"""Tables that fewscan wrote itself: what a network predicted is no label, unless the user says that it is to be."""

from collections.abc import Sequence
from pathlib import Path

from fewscan.errors import FewscanError
from fewscan.images.sources import CHECK, PREDICTIONS
from fewscan.images.tables.reading import plain, position_of

ACCEPTED = "accept"

_DECISION = "decision"
# Where a label comes from, as `labels export` and `check` say it: those of scans that a network was sure of keep it.
ORIGIN_COLUMN = "origin"
# What a table of `label` has besides a probability of every class.
_OF_LABEL = frozenset(["path", "label", "score", _DECISION])
_OF_A_CLASS = ("probability_", "logit_")


def require_trust(table: Path, columns: Sequence[str], trusted: bool) -> bool:
    """Return whether a table holds a network's labels.

    Raises FewscanError where it does and they are not to be trusted, and for tables about the rows of a dataset, as
    `test_predictions.csv` and `held_out.csv` of a run are: these name no files.
    """
    if not any(name.casefold().startswith(_OF_A_CLASS) for name in columns):
        return False
    if position_of(columns, "row") is not None and position_of(columns, "path") is None:
        raise FewscanError(
            f"{table} holds what a network said of rows of a dataset: it names no files, so it cannot give labels; "
            "name the table that the labels came from"
        )
    if not columns_of_label(columns):
        return False
    if not trusted:
        raise FewscanError(
            f"{table} was written by 'fewscan label': its labels are what a network predicted, not what a person saw. If they "
            "are to be learned from, add --trust-predictions (accepted ones alone are taken, and none measures a network); if "
            "a person has looked at every scan of it, keep only the columns path and label"
        )
    return True


def columns_of_label(columns: Sequence[str]) -> bool:
    """Return whether these are the columns of a table that `fewscan label` wrote."""
    return {plain(name) for name in columns} >= _OF_LABEL


def kept_origin(text: str | None) -> str | None:
    """Return the origin that a cell of ORIGIN_COLUMN names where labels of it only teach, None for any other text."""
    said = text or ""
    if said.casefold() == CHECK:
        return CHECK
    return PREDICTIONS + said[len(PREDICTIONS) :] if said.casefold().startswith(PREDICTIONS) else None


def decision_column(columns: Sequence[str]) -> int | None:
    """Return the position of the column of decisions."""
    return position_of(columns, _DECISION)
