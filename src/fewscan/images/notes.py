"""What a user should know of how the pixels of images came about: as a field of a table, and counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from fewscan.wording import each_counted

# Of one image there may be several notes, which stand in one field of a table so.
BETWEEN_NOTES = " | "
# Of a row that was found to be about an image all the same: nothing is lost by it.
SPELLED_OTHERWISE = "spells folders, case, slashes or suffix differently"


def in_one_field(notes: Sequence[str]) -> str | None:
    """Return the notes on one image as one text, None where there are none."""
    return BETWEEN_NOTES.join(notes) or None


def how_often(notes: Iterable[Iterable[str]]) -> dict[str, int]:
    """Return of how many images each note was made, of the notes on each."""
    return dict(sorted(Counter(note for one in notes for note in one).items()))


def kind_of(note: str) -> str:
    """Return what a note has in common with those that differ from it in names only: what stands before its first colon."""
    return note.split(":")[0]


def by_kind(counts: Mapping[str, int]) -> Counter[str]:
    """Return how often there are notes of each kind, of how often each note is there."""
    kinds: Counter[str] = Counter()
    for note, count in counts.items():
        kinds[kind_of(note)] += count
    return kinds


def of_one_kind(notes: Mapping[str, int], most: int) -> str:
    """Return notes of one kind, of how often each was made, as one text: what they differ in, the `most` frequent first."""
    first = next(iter(notes))
    if len(notes) == 1:
        return first
    kind = kind_of(first)
    differing = {note.removeprefix(f"{kind}: "): count for note, count in Counter(notes).most_common()}
    return f"{kind}: {each_counted(differing, most)}"


def of_spelling(note: str) -> bool:
    """Whether a note is only on how a row was found, which matters least to its readers."""
    return note.endswith(SPELLED_OTHERWISE)
