"""Tables that fewscan wrote itself: what a network predicted is no label, unless the user says that it is to be."""

from collections.abc import Sequence
from pathlib import Path

from fewscan.errors import FewscanError
from fewscan.images.sources import CHECK, PREDICTIONS
from fewscan.images.tables.reading import Cells, cell, plain, position_of

ACCEPTED = "accept"
# What `label` decides, in its column `decision`.
DECISIONS = frozenset([ACCEPTED, "review", "out_of_distribution", "unreadable"])

_DECISION = "decision"
# Where a label comes from, as `labels export` and `check` say it: those of scans that a network was sure of keep it.
ORIGIN_COLUMN = "origin"
_OF_A_CLASS = ("probability_", "logit_")


def require_trust(table: Path, cells: Cells, trusted: bool) -> bool:
    """Return whether a table holds a network's labels.

    Raises FewscanError where it does and they are not to be trusted, or it does not say which were accepted; and for tables
    about the rows of a dataset, as `test_predictions.csv` and `held_out.csv` of a run are: these name no files.
    """
    columns = cells.columns
    of_classes = any(name.casefold().startswith(_OF_A_CLASS) for name in columns)
    if of_classes and position_of(columns, "row") is not None and position_of(columns, "path") is None:
        raise FewscanError(
            f"{table} has predictions for row numbers of a dataset and names no files, so it cannot give labels: "
            "give the table that the labels came from"
        )
    if not _is_predicted(cells):
        return False
    if not trusted:
        raise FewscanError(
            f"{table} has predictions of a network, as 'fewscan label' writes them, not labels from a person. To learn from "
            "them, add --trust-predictions (only accepted ones are taken, and none is used to score a network); if a person "
            "has looked at every scan in it, keep only the columns path and label"
        )
    if position_of(columns, _DECISION) is None:
        raise FewscanError(f"{table} does not say which labels were accepted: keep its column '{_DECISION}'")
    return True


def _is_predicted(cells: Cells) -> bool:
    """Return whether labels stand beside what a network says of them: all columns that `label` writes, or some of them.

    These are probabilities of the very classes that are labels, or the words of a decision. Whoever took away other columns has
    not looked at the scans by that.
    """
    at = position_of(cells.columns, "label")
    if at is None:
        return False
    names = {plain(name) for name in cells.columns}
    labels = {text for _, row in cells.rows if (text := cell(row, at)) is not None}
    if any(plain(f"{start}{label}") in names for label in labels for start in _OF_A_CLASS):
        return True
    decision = position_of(cells.columns, _DECISION)
    said = {text.casefold() for _, row in cells.rows if (text := cell(row, decision)) is not None}
    return bool(said) and said <= DECISIONS


def kept_origin(text: str | None) -> str | None:
    """Return the origin that a cell of ORIGIN_COLUMN names where labels of it only teach, None for any other text."""
    said = text or ""
    if said.casefold() == CHECK:
        return CHECK
    return PREDICTIONS + said[len(PREDICTIONS) :] if said.casefold().startswith(PREDICTIONS) else None


def decision_column(columns: Sequence[str]) -> int | None:
    """Return the position of the column of decisions."""
    return position_of(columns, _DECISION)
