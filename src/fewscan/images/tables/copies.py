"""Tables that ask of several copies of a scan once: what is said of the one is said of the others."""

from collections.abc import Sequence

from fewscan.images.tables.reading import Cells, cell, position_of

# Of a table of fewscan's own: the row of a dataset's manifest that a line is about, and that of which it is a copy.
ROW_COLUMN = "row"
COPY_COLUMN = "copy_of"


def with_copies(cells: Cells, *said: str) -> Cells:
    """Return a table in which a copy whose cells are empty says in the columns `said` what the scan that it is a copy of says.

    A table without these columns stays as it is, and a copy of which something is said itself.
    """
    places = [place for name in said if (place := position_of(cells.columns, name)) is not None]
    if not {ROW_COLUMN, COPY_COLUMN} <= set(cells.columns) or not places:
        return cells
    at, copy_at = cells.columns.index(ROW_COLUMN), cells.columns.index(COPY_COLUMN)
    of_row = {_number(row, at): row for _, row in cells.rows}
    rows = []
    for line, row in cells.rows:
        asked = of_row.get(first) if (first := _number(row, copy_at)) is not None else None
        if asked is not None and all(cell(row, place) is None for place in places):
            whole = [*row, *[""] * (len(cells.columns) - len(row))]
            for place in places:
                whole[place] = cell(asked, place) or ""
            rows.append((line, whole))
        else:
            rows.append((line, row))
    return Cells(cells.columns, rows)


def _number(row: Sequence[str], at: int) -> str | None:
    """Return a row's number as it was written: pandas makes 12.0 of 12 in a column where cells are empty, as of `copy_of`."""
    text = cell(row, at)
    return None if text is None else text.removesuffix(".0")
