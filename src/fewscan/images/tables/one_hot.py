"""Columns of one class each, such as MEL,NV,BCC: which of them a row marks, and in which it says neither yes nor no."""

import re
from collections.abc import Sequence, Set
from typing import NamedTuple

from fewscan.images.classes import said_in_place
from fewscan.images.tables.reading import Cells, cell
from fewscan.wording import listed

_ONE, _ZERO = re.compile(r"1([.,]0*)?"), re.compile(r"0([.,]0*)?")
# What people write for 1, if a column has no other mark than this, and for 0.
_YES = frozenset(["x", "ja", "yes", "true", "wahr"])
_NO = frozenset(["nein", "no", "false", "falsch"])


class ClassColumn(NamedTuple):
    """A column that is a class: its position, its name, and what says in it that a scan is of that class."""

    at: int
    name: str
    yes: str = "1"


class Marks(NamedTuple):
    """The classes that a row marks, and its cells that say neither yes nor no, each with its column's name."""

    classes: list[str]
    doubts: list[tuple[str, str]]

    @property
    def unsure(self) -> bool:
        """Whether a cell says `unsure`."""
        return any(said_in_place(word) == "unsure" for word, _ in self.doubts)

    def note(self, table: str, line: int) -> str:
        """Say of an image which cells of its row keep it from having a label."""
        cells = listed([f"'{word}' in '{name}'" for word, name in self.doubts])
        so = "it is unsure" if self.unsure else "no label"
        return f"a column of {table} is neither 0 nor 1, so {so} until 0 or 1 stands there: row {line}, {cells}"


def asked_columns(cells: Cells, asked: str | None) -> tuple[ClassColumn, ...]:
    """Return the columns that were asked for as NAME,NAME and are all there; none where one column has that very name."""
    if asked is None or asked in cells.columns:
        return ()
    names = [name.strip() for name in asked.split(",")]
    if not set(names) <= set(cells.columns):
        return ()
    return tuple(ClassColumn(at, name, _yes_of(cells, at)) for name in names for at in [cells.columns.index(name)])


def sure_columns(cells: Cells, taken: Set[int]) -> tuple[ClassColumn, ...]:
    """Return the columns of 0 and 1, of which one alone is 1 in every row; none where there is no such set of two or more."""
    columns = [
        ClassColumn(at, name)
        for at, name in enumerate(cells.columns)
        if name and at not in taken and all(_word(row, at) in ("0", "1") for _, row in cells.rows)
    ]
    single = all(sum(_word(row, one.at) == "1" for one in columns) == 1 for _, row in cells.rows)
    return tuple(columns) if len(columns) > 1 and cells.rows and single else ()


def marks_of(columns: Sequence[ClassColumn], row: Sequence[str]) -> Marks:
    """Return what a row says in columns of classes; an empty cell says no."""
    marks = Marks([], [])
    for at, name, yes in columns:
        word = _word(row, at)
        if word == yes:
            marks.classes.append(name)
        elif word != "0":
            marks.doubts.append((cell(row, at) or "", name))
    return marks


def in_words(columns: Sequence[ClassColumn]) -> str:
    """Return which columns are classes, and what is read as 1 in them."""
    crosses = [f"'{word}'" for word in sorted({one.yes for one in columns} - {"1"})]
    read = f" ({listed(crosses)} {'is' if len(crosses) == 1 else 'are'} read as 1)" if crosses else ""
    return f"label in the columns {', '.join(one.name for one in columns)}{read}"


def _yes_of(cells: Cells, at: int) -> str:
    """Return what says yes in a column: a cross or the like where it is the only mark, else 1."""
    marks = {word for _, row in cells.rows if (word := _word(row, at)) != "0"}
    return marks.pop() if len(marks) == 1 and marks <= _YES else "1"


def _word(row: Sequence[str], at: int) -> str:
    """Return what a cell says in lower case, of all ways to write them `0` and `1`; of an empty one `0`."""
    word = (cell(row, at) or "").casefold()
    return "0" if not word or word in _NO or _ZERO.fullmatch(word) else "1" if _ONE.fullmatch(word) else word
