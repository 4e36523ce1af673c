"""Rows of a person's table, as a spreadsheet numbers them: the names of the columns stand in row 1."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from fewscan.wording import listed

_NAMES_SHOWN = 4
_ROWS_SHOWN = 3


class TableRows(NamedTuple):
    """Rows of one table, for people; `table` is what it is called, and "" where that has been said."""

    table: str
    rows: tuple[int, ...]

    def __str__(self) -> str:
        """Return `labels.csv, row 5`, or of several `labels.csv, rows 5, 9, 12 and 4 more`."""
        numbers = f"row{'' if len(self.rows) == 1 else 's'} {listed([*map(str, self.rows)], _ROWS_SHOWN)}" if self.rows else ""
        return ", ".join(filter(None, (self.table, numbers)))

    def with_others(self, others: "TableRows") -> "TableRows":
        """Return these rows and others of the same table."""
        return TableRows(self.table, (*self.rows, *others.rows))


# Names -> where each stands, for those that stand in a table; asked only where there is something to say of them.
Standing = Callable[[], Mapping[str, Sequence[TableRows]]]


def nowhere() -> Mapping[str, Sequence[TableRows]]:
    """Return what is known of names that stand in no table."""
    return {}


def together(rows: Iterable[TableRows]) -> list[TableRows]:
    """Return rows once for each table, ascending."""
    tables: dict[str, set[int]] = {}
    for one in rows:
        tables.setdefault(one.table, set()).update(one.rows)
    return [TableRows(table, tuple(sorted(numbers))) for table, numbers in tables.items()]


def standing(said: Iterable[tuple[str, TableRows]]) -> dict[str, list[TableRows]]:
    """Return where each name stands, of names and rows in which they do."""
    found: dict[str, list[TableRows]] = {}
    for name, rows in said:
        found.setdefault(name, []).append(rows)
    return {name: together(rows) for name, rows in found.items()}


def in_rows(
    names: Iterable[str], where: Mapping[str, Sequence[TableRows]], meant: Callable[[str], str | None] | None = None
) -> str:
    """Return the first of at least one name as a sentence lists them, with their rows: `'gliom' (labels.csv, row 5)`.

    meant: gives the name that one may be a slip of, None for none.
    """

    def told(name: str) -> str:
        slip = meant(name) if meant is not None else None
        hint = [] if slip is None else [f"did you mean '{slip}'?"]
        said = "; ".join([*map(str, where.get(name, ())), *hint])
        return f"'{name}' ({said})" if said else f"'{name}'"

    return listed([*map(told, names)], _NAMES_SHOWN)
