"""The rows of a table, and which image each means: by a path, else by a number in headers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fewscan.errors import FewscanError
from fewscan.images.options import TableOptions
from fewscan.images.sources import ScanFile, Source
from fewscan.images.tables.columns import NoFileNamedError, names_paths
from fewscan.images.tables.finding import Found, Places
from fewscan.images.tables.headers import ByNumber, HeaderNumbers
from fewscan.images.tables.reading import Cells, read_cells
from fewscan.images.tables.rows import Row, rows_of
from fewscan.images.tables.said import require_found


class Pointed(NamedTuple):
    """The rows of a table and where each points among `places`: an error for one that names several images, None for none.

    number: by which of NUMBERS, None where it is by a path.
    """

    rows: list[Row]
    looked: Sequence[Found | FewscanError | None]
    places: Places
    number: str | None


def pointed(
    table: Path,
    cells: Cells,
    options: TableOptions,
    sources: Sequence[Source],
    read: Callable[[TableOptions, ByNumber | None], list[Row]],
    places_of: Callable[[Sequence[Row] | None], Places],
    numbers: HeaderNumbers,
) -> Pointed:
    """Return the rows of a table and where each points; only where none does so by path, or it is asked for, by a number.

    read: gives the rows, by path or as they name images by a number. places_of: gives the places that these rows may mean by
    path, or for None those of all images that `numbers` knows. Raises FewscanError where no row points anywhere.
    """
    by = numbers.asked(table, cells, options.path_column)
    if by is None:
        try:
            rows = read(options, None)
            places = places_of(rows)
            return Pointed(rows, _looked(rows, sources, places), places, None)
        except NoFileNamedError as error:
            by = numbers.column(table, cells, options.path_column or error.column, error, sure=options.path_column is not None)
    places = places_of(None)
    for place, images in numbers.images(by):
        places.mean(place, images, by.whose)
    rows = read(options.model_copy(update={"path_column": by.column}), by)
    return Pointed(rows, [None if one is None else Found(one, closely=True) for one in by.places], places, by.number)


def _looked(rows: Sequence[Row], sources: Sequence[Source], places: Places) -> Sequence[Found | FewscanError | None]:
    """Return where each row points by its path; raises NoFileNamedError where none points anywhere."""
    looked = places.look(rows)
    unclear = [one for one in looked if isinstance(one, FewscanError)]
    if not unclear:
        require_found(rows, looked, places, sources)
    elif not any(isinstance(one, Found) for one in looked):
        said = unclear[0] if len(unclear) == 1 else FewscanError(f"{rows[0].table} cannot be read", *unclear)
        raise NoFileNamedError(str(said), rows[0].path_column if names_paths(rows[0].path_column) else None)
    return looked


class Naming(NamedTuple):
    """The numbers of all rows of a table, and of those that name a scan; whether they do so by paths, and have labels.

    column: where they name scans by numbers, the --path-column that says so: NAME=NUMBER.
    """

    lines: tuple[int, ...]
    named: frozenset[int]
    by_path: bool
    about_labels: bool
    column: str | None = None


def naming_by(
    table: Path, scans: Sequence[ScanFile], sources: Sequence[Source], options: TableOptions, rename: Mapping[str, str]
) -> Naming:
    """Return which rows of a table name one of these scans, read as an import of them reads it."""
    cells = read_cells(table, options.encoding, options.separator)
    lines = tuple(line for line, _ in cells.rows)
    places, numbers = Places(scans, sources), HeaderNumbers(lambda: scans)

    def read(asked: TableOptions, by: ByNumber | None) -> list[Row]:
        return rows_of(table, cells, asked, rename, by=by)

    try:
        found = pointed(table, cells, options, sources, read, lambda _: places, numbers)
    except FewscanError:
        return Naming(lines, frozenset(), by_path=False, about_labels=True)
    hits = zip(found.rows, found.looked, strict=True)
    named = frozenset(line for row, one in hits if isinstance(one, Found) for line in row.where.rows)
    column = None if found.number is None else f"{found.rows[0].path_column}={found.number}"
    return Naming(lines, named, found.number is None, any(row.about_labels for row in found.rows), column)
