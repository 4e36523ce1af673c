"""Several columns of a table that may say the same of its rows, such as an ID beside a name -> which of them to read.

Columns are compared by how they group the rows: one holds together what another does where no two rows that are the same in
the other are several in it. To take two patients for one only costs images, to take one for two leaks: so of patients the
column is read that holds together all that the others do.
"""

import re
import shlex
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from functools import cache
from pathlib import Path

from fewscan.errors import FewscanError
from fewscan.images.classes import number_key, spelling_key
from fewscan.images.options import words_for_no_label
from fewscan.images.patients import patient_key
from fewscan.images.tables.reading import Cells, cell, plain
from fewscan.wording import counted, listed

# What stands for a patient nobody knows, besides what stands for no label.
NO_PATIENT = frozenset(["unknown", "anonymous", "anonymized", "anonymised", "anon"])

_OF_NAMES = re.compile(r"name|nombre|^nom|nom$")

Keys = Sequence[Hashable]  # what a column says of each row, None for nothing


def patients_column(table: Path, cells: Cells, fits: Sequence[int], no_label: Collection[str]) -> tuple[int, list[str]]:
    """Return which of several columns `fits` to read patients from, and of each other in words how these are known in it.

    Of several that hold together the same a plain `patient` goes first, and a name last. Raises FewscanError where no column
    holds together all that the others do.
    """
    nothing = NO_PATIENT | words_for_no_label(no_label)
    keys = {at: _keys(cells, at, patient_key, nothing) for at in fits}
    said = [at for at in fits if any(key is not None for key in keys[at])] or fits
    best = [at for at in said if all(_holds(keys[at], keys[other]) for other in said)]
    if not best:
        raise FewscanError(_contradiction(table, cells, said, keys))
    taken = min(best, key=lambda at: _rank(cells.columns[at]))
    return taken, [_beside(keys[taken], keys[at], cells.columns[at]) for at in fits if at != taken]


def _beside(taken: Keys, other: Keys, name: str) -> str:
    """Return in words how the patients of the column that is taken are known in another, `name`."""
    if several := _several(taken, other):
        way = f"--patient-column {shlex.quote(name)} separates them"
        return f"{counted(several, 'patient')} with several values in '{name}' ({way})"
    if any(key is not None for key in other):
        return f"the same patients in '{name}'{' where it names any' if _unnamed(other, taken) else ''}"
    return f"no patient in '{name}'"


def labels_column(cells: Cells, fits: Sequence[int], no_label: Collection[str]) -> int | None:
    """Return which of several columns of labels to read, where all name the same classes: words before numbers; else None."""
    nothing = words_for_no_label(no_label)
    keys = [_keys(cells, at, spelling_key, nothing) for at in fits]
    if not all(_holds(one, other) for one in keys for other in keys):
        return None
    texts = {at: [text for _, row in cells.rows if (text := cell(row, at)) is not None] for at in fits}
    return min(fits, key=lambda at: all(number_key(text) is not None for text in texts[at]))


def _keys(cells: Cells, at: int, key_of: Callable[[str], str | None], nothing: Collection[str]) -> Keys:
    @cache
    def key(text: str | None) -> str | None:
        return None if text is None or text.casefold() in nothing else key_of(text)

    return [key(cell(row, at)) for _, row in cells.rows]


def _holds(one: Keys, other: Keys) -> bool:
    """Return whether `one` holds together what `other` does; not where it says nothing of a row of which the other does."""
    groups: dict[Hashable, Hashable] = {}
    of_each = ((mine, theirs) for mine, theirs in zip(one, other, strict=True) if theirs is not None)
    return all(mine is not None and groups.setdefault(theirs, mine) == mine for mine, theirs in of_each)


def _several(one: Keys, other: Keys) -> int:
    """Return how many of those that `one` tells apart are several in `other`."""
    seen: dict[Hashable, set[Hashable]] = {}
    for mine, theirs in zip(one, other, strict=True):
        if mine is not None and theirs is not None:
            seen.setdefault(mine, set()).add(theirs)
    return sum(len(theirs) > 1 for theirs in seen.values())


def _unnamed(one: Keys, other: Keys) -> int:
    """Return of how many rows `one` says nothing, and `other` something."""
    return sum(mine is None and theirs is not None for mine, theirs in zip(one, other, strict=True))


def _rank(name: str) -> int:
    return 0 if plain(name) == "patient" else 2 if _OF_NAMES.search(plain(name)) else 1


def _contradiction(table: Path, cells: Cells, fits: Sequence[int], keys: dict[int, Keys]) -> str:
    a, b = next(_apart(fits, keys))
    names = listed([f"'{cells.columns[at]}'" for at in fits])
    why = " and ".join(_parts(cells.columns, keys, *pair) for pair in ((a, b), (b, a)))
    return (
        f"{table} has {len(fits)} columns that may be the patient ({names}), and none keeps together all that the others do: "
        f"{why}: choose one with --patient-column"
    )


def _parts(names: Sequence[str], keys: dict[int, Keys], one: int, other: int) -> str:
    """Return in words why a column does not hold together what the other does."""
    if several := _several(keys[other], keys[one]):
        return f"'{names[one]}' has several values for {several:,} in '{names[other]}'"
    return f"'{names[one]}' names no patient in {counted(_unnamed(keys[one], keys[other]), 'row')} where '{names[other]}' does"


def _apart(fits: Sequence[int], keys: dict[int, Keys]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of columns of which neither holds together what the other does."""
    for number, a in enumerate(fits):
        yield from ((a, b) for b in fits[number + 1 :] if not _holds(keys[a], keys[b]) and not _holds(keys[b], keys[a]))
