"""An Excel workbook -> the rows of its one sheet, each cell as the text that people see; no formula and no macro is run."""

import datetime
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.parsers import expat

from fewscan.errors import FewscanError
from fewscan.images.formats.recognition import silenced
from fewscan.memory import is_too_little
from fewscan.wording import listed

SUFFIXES = (".xlsx", ".xlsm")

# A file of a few kB can unpack to any size, and one row of it take all memory. So many bytes are 200,000 rows or more.
_MOST_BYTES = 64 * 2**20
_MOST_ROWS = 2**20  # of a sheet, in Excel
_MOST_AT_ONCE = 2**18  # XML elements: of a row of 2^14 cells, the most that Excel has, 16 each
_MOST_CELLS = 10_000_000
_OF_ROWS = ("sheetData", "sst")  # elements whose children, rows and texts, are read one by one
_OVERFULL = "holds more than a sheet of Excel can"
_NAMES_SHOWN = 3
# What a lookup in vain leaves: a word for no label in a CSV, too.
_NOT_AVAILABLE = "#N/A"
# A format of zeros and fixed text, as numbers of patients have it: 0000000, "P-"000, 00\-00\-00.
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|([-/() :])|0')
_OF_ZEROS = re.compile(rf"(?:{_TOKEN.pattern})+")

Rows = list[tuple[int, list[str]]]


def is_workbook(table: Path) -> bool:
    """Whether a table is read as an Excel workbook, by its name."""
    return table.suffix.lower() in SUFFIXES


def workbook_rows(table: Path, content: bytes) -> Rows:
    """Return the rows that hold anything, with their numbers in Excel, of the one sheet that is shown and holds anything.

    content: the file's bytes. A number is its text without a needless `.0`, with the leading zeros and the fixed text that its
    format shows; a date is ISO text, an empty cell "". Cells right of the last one in the first row are left out.

    Raises FewscanError without openpyxl, and where the file is no workbook, unpacks to too much, has several sheets with cells,
    an error as the value of a cell, or a formula whose value the file does not hold.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise FewscanError(
            f"{table} is an Excel workbook, which needs a package that is not installed: pip install 'fewscan[excel]', or save "
            "it as CSV"
        ) from None
    with _damage_named(table), silenced():
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            _require_bounded(table, parts)
        book = load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
        sheet = _only_sheet(table, book)
        found = None if sheet is None else _Found(table, sheet, set())
        if found is None or not found.formulas:
            return [] if found is None else found.rows
        # Formulas and their values cannot be had at once.
        values = load_workbook(io.BytesIO(content), read_only=True, keep_links=False, data_only=True)
        return _Found(table, values[found.sheet], found.formulas).rows


@contextmanager
def _damage_named(table: Path) -> Iterator[None]:
    """Refuse a file that openpyxl cannot read: what it raises over damaged files is in no list, and may quote a cell."""
    try:
        yield
    except FewscanError:
        raise
    except Exception as error:
        if is_too_little(error):
            raise
        raise FewscanError(
            f"{table} is no Excel workbook, or is damaged: open it, and save it as .xlsx or as CSV (comma-separated, UTF-8)"
        ) from None


def _require_bounded(table: Path, parts: zipfile.ZipFile) -> None:
    """Raise FewscanError where a workbook may take much more memory than its table does."""
    # No more is unpacked than a part says of itself.
    if sum(part.file_size for part in parts.infolist()) > _MOST_BYTES:
        raise _too_large(table, f"unpacks to more than {_MOST_BYTES // 2**20} MiB")
    for part in parts.infolist():
        # What is no XML, such as a picture, is not read later either, and what is damaged is refused then.
        with parts.open(part) as file, suppress(expat.ExpatError, LookupError, ValueError):
            _counter(table).ParseFile(file)


def _counter(table: Path) -> expat.XMLParserType:
    """Return a parser that refuses what Excel has not: too many rows or texts, or too many elements in one or besides."""
    depth = rows = elements = 0
    row_depth = 0  # of rows or texts, while the parser is among them

    def begin(name: str, _: Any) -> None:
        nonlocal depth, rows, elements, row_depth
        depth += 1
        is_row = depth == row_depth
        rows, elements = rows + is_row, 0 if is_row else elements + 1
        if rows > _MOST_ROWS or elements > _MOST_AT_ONCE:
            raise _too_large(table, _OVERFULL)
        if not row_depth and name.rpartition(":")[2] in _OF_ROWS:
            row_depth = depth + 1

    def end(_: str) -> None:
        nonlocal depth, row_depth
        depth -= 1
        if depth < row_depth - 1:
            row_depth = 0

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    return parser


def _too_large(table: Path, why: str) -> FewscanError:
    return FewscanError(f"{table} {why}: save it as CSV, or the columns that matter as a workbook of their own")


def _only_sheet(table: Path, book: Any) -> Any:
    """Return the sheet with cells among those that are shown, None where there is none."""
    filled = []
    for sheet in book.worksheets:
        # What a file says of a sheet's size may be wrong, and rows would be left out.
        sheet.reset_dimensions()
        if sheet.sheet_state == "visible" and any(_has_value(row) for row in _bounded(table, sheet)):
            filled.append(sheet)
    if len(filled) > 1:
        names = listed([f"'{sheet.title}'" for sheet in filled], _NAMES_SHOWN)
        raise FewscanError(
            f"{table} has several sheets with cells ({names}): save the one with the labels as a file of its own"
        )
    return filled[0] if filled else None


def _bounded(table: Path, sheet: Any) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(sheet.rows, 1):
        if number > _MOST_ROWS:
            raise _too_large(table, _OVERFULL)
        yield row


def _has_value(row: tuple[Any, ...]) -> bool:
    return any(one.value is not None for one in row)


class _Found:
    """What a sheet holds: its rows, and where its formulas are, by line from 1 and column from 0.

    formulas: where they are, if the sheet holds their values.
    """

    def __init__(self, table: Path, sheet: Any, formulas: set[tuple[int, int]]) -> None:
        self.sheet: str = sheet.title
        self.rows: Rows = []
        self.formulas = formulas
        width, cells, empty, wrong = None, 0, [], []
        sheet.reset_dimensions()
        for line, row in enumerate(_bounded(table, sheet), 1):
            texts: list[str] = []
            for at, one in enumerate(row[:width]):
                texts.append(_text(one))
                if one.data_type == "f":
                    formulas.add((line, at))
                elif one.data_type == "e" and one.value != _NOT_AVAILABLE:
                    wrong.append(f"{one.coordinate} ({one.value})")
                # A formula whose value is an empty text says so by its type.
                elif one.value is None and one.data_type != "str" and (line, at) in formulas:
                    empty.append(one.coordinate)
            while texts and not texts[-1]:
                texts.pop()
            if texts:
                self.rows.append((line, texts))
                width = width or len(texts)
                cells += len(texts)
                if cells > _MOST_CELLS:
                    raise _too_large(table, f"has more than {_MOST_CELLS:,} cells")
        if wrong:
            raise FewscanError(f"{table} has errors for values, in {listed(wrong, _NAMES_SHOWN)}: correct or clear these cells")
        if empty:
            raise FewscanError(
                f"{table} has formulas that were never calculated, in {listed(empty, _NAMES_SHOWN)}: open it in Excel or "
                "LibreOffice, and save it"
            )


def _text(one: Any) -> str:
    value = one.value
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, one.number_format)
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ") if value.time() != datetime.time() else value.date().isoformat()
    if isinstance(value, datetime.timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return "="  # a formula of a whole range, whose value is asked for later


def _number(value: float, shown: str) -> str:
    """Return a number as it is written: 15 digits, which is what a workbook keeps, and more only where it is whole."""
    if not float(value).is_integer():
        return f"{value:.15g}"
    form = shown.partition(";")[0]
    if value < 0 or "0" not in form or not _OF_ZEROS.fullmatch(form):
        return str(int(value))
    fixed = [next((text for text in token.groups() if text is not None), None) for token in _TOKEN.finditer(form)]
    places = fixed.count(None)
    digits = str(int(value)).zfill(places)
    # The first place takes all digits that are more than there are places.
    more = len(digits) - places
    left = iter([digits[: more + 1], *digits[more + 1 :]])
    return "".join(next(left) if text is None else text for text in fixed)
