"""What is said of an image whose row, or rows, name several findings: which label is left, and why."""

from pathlib import Path

from fewscan.images.classes import IN_PLACE
from fewscan.images.options import Several

_CHOSEN: dict[Several, str] = {
    "none": "{}: no single class, so no label (--several first takes the first one; docs/data.md: one finding or none)",
    "first": "{}: the first is taken as the label",
    "whole": "{}: together they are the label",
}
# What one row says cannot be entered as a dispute: it may be true all at once.
_OF_ROWS = _CHOSEN | {"none": "{}: all is kept, and no label until somebody settles it (--several first takes the first one)"}


def chosen_note(table: Path, several: Several) -> str:
    """Return what is said of an image for which one row names different labels."""
    return _CHOSEN[several].format(f"several findings in {table.name}")


def differing_note(table: Path, several: Several) -> str:
    """Return what is said of an image that rows of a table name with different labels."""
    return _OF_ROWS[several].format(f"rows of {table.name} differ, as with several findings or readers")


def unsettled_note(table: Path, word: str, unsure: bool) -> tuple[str | None, str]:
    """Return the label of an image of several, of which this one says that nobody knows, and what is to be said of that."""
    said = f"{table.name} says '{word.removeprefix(IN_PLACE)}' beside another label"
    return word if unsure else None, f"{said}: not settled, so {'it is unsure' if unsure else 'no label'}"
