"""What a user should know of how the pixels of images came about: as a field of a table, and counted."""

from collections import Counter
from collections.abc import Iterable, Sequence

# Of one image there may be several notes, which stand in one field of a table so.
BETWEEN_NOTES = " | "


def in_one_field(notes: Sequence[str]) -> str | None:
    """Return the notes on one image as one text, None where there are none."""
    return BETWEEN_NOTES.join(notes) or None


def how_often(notes: Iterable[Iterable[str]]) -> dict[str, int]:
    """Return of how many images each note was made, of the notes on each."""
    return dict(sorted(Counter(note for one in notes for note in one).items()))
