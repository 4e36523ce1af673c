"""An Excel workbook -> the rows of its one sheet, each cell as the text that people see; no formula and no macro is run."""

import datetime
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from fewscan.errors import FewscanError
from fewscan.images.formats.recognition import silenced
from fewscan.images.sources import WORKBOOKS
from fewscan.memory import is_too_little
from fewscan.progress import track
from fewscan.spreadsheet import as_text
from fewscan.wording import listed
from fewscan.workbooks import AUTHOR, CHOICES, ROWS_WITHOUT_BAR, require_openpyxl, unescaped

# A file of a few kB can unpack to any size, and one row of it take all memory. So many bytes are 200,000 rows or more; of a
# large file so many times its own, as a table of labels unpacks to ten.
_MOST_BYTES = 64 * 2**20
_MOST_TIMES = 20
_MOST_ROWS = 2**20  # of a sheet, in Excel
_MOST_AT_ONCE = 2**18  # XML elements: of a row of 2^14 cells, the most that Excel has, 16 each
_MOST_CELLS = 10_000_000
_BLOCK_BYTES = 2**20
_BLOCKS_WITHOUT_BAR = 16
_OF_ROWS = ("sheetData", "sst")  # elements whose children, rows and texts, are read one by one
_OVERFULL = "holds more than a sheet of Excel can"
_NAMES_SHOWN = 3
# Of a larger whole number a workbook keeps 15 digits, and those that reading would make up after them are none.
_MOST_EXACT = 2**53
# What a lookup in vain leaves: a word for no label in a CSV, too.
_NOT_AVAILABLE = "#N/A"
# A format of zeros and fixed text, as numbers of patients have it: 0000000, "P-"000, 00\-00\-00; also with what is no text, a
# language or color ([$-407]0000000) or the space of a sign (0000_-).
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|([-/() :])|(?:_.|\[[^]<>=]*\])()|0')
_OF_ZEROS = re.compile(rf"(?:{_TOKEN.pattern})+")

Rows = list[tuple[int, list[str]]]


def is_workbook(table: Path) -> bool:
    """Whether a table is read as an Excel workbook, by its name."""
    return table.suffix.lower() in WORKBOOKS


def workbook_rows(table: Path, content: bytes) -> Rows:
    """Return the rows that hold anything, with their numbers in Excel, of the one sheet that is shown and holds anything.

    content: the file's bytes. A number is its text without a needless `.0`, with the leading zeros and the fixed text that its
    format shows; a date is ISO text, an empty cell "". A cell merged over several rows counts in each of them that holds
    anything else. Cells right of the last one in the first row are left out, unless that is its only one and may be a title.
    Texts are as in a CSV, with an apostrophe before what looks like a formula: in a workbook of somebody else's they may be so.

    Raises FewscanError without openpyxl, and where the file is no workbook, unpacks to too much, has several sheets with cells,
    an error as the value of a cell, or a formula whose value the file does not hold.
    """
    require_openpyxl(table, "save it as CSV")
    from openpyxl import load_workbook

    with _damage_named(table), silenced():
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = _parts(table, archive, max(_MOST_BYTES, _MOST_TIMES * len(content)))
        book = load_workbook(io.BytesIO(content), read_only=True, keep_links=False, data_only=True)
        sheet = _only_sheet(table, book, parts)
        if sheet is None:
            return []
        # Where another program saved it since, texts are shared, and openpyxl does not tell all that was escaped in them.
        ours = book.properties.creator == AUTHOR and not sheet._shared_strings
        part = parts[sheet._worksheet_path]
        read = track(_bounded(table, sheet), f"read {table.name}", part.rows, passing=True, quick=ROWS_WITHOUT_BAR)
        with closing(read) as rows:
            return _rows(table, rows, part, ours=ours)


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


class _Part:
    """What a part of a workbook, such as a sheet, says of its cells besides their values: where formulas are, what is merged.

    `rows` counts its rows, or texts.

    Raises FewscanError where it has what Excel has not: too many rows or texts, or too many elements in one or besides.
    """

    def __init__(self, table: Path, file: IO[bytes], size: int) -> None:
        self.formulas: set[str] = set()  # names of cells, such as B2
        self.merged: list[str] = []  # ranges, such as B2:B9
        self._table, self._cell = table, ""
        self.rows = 0
        self._depth = self._elements = 0
        self._row_depth = 0  # of rows or texts, while the parser is among them
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._begin, self._end
        # What is no XML, such as a picture, is not read later either, and what is damaged is refused then.
        blocks = iter(partial(file.read, _BLOCK_BYTES), b"")
        looked = track(blocks, f"look into {table.name}", -(-size // _BLOCK_BYTES), passing=True, quick=_BLOCKS_WITHOUT_BAR)
        with closing(looked), suppress(expat.ExpatError, LookupError, ValueError):
            for block in looked:
                parser.Parse(block)
            parser.Parse(b"", True)

    def may_calculate(self, name: str) -> bool:
        """Return whether a cell has a formula, or may have one, as a file need not say where its cells are."""
        return name in self.formulas or "" in self.formulas

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        is_row = self._depth == self._row_depth
        self.rows, self._elements = self.rows + is_row, 0 if is_row else self._elements + 1
        if self.rows > _MOST_ROWS or self._elements > _MOST_AT_ONCE or (is_row and _is_far(attributes.get("r", "0"))):
            raise _too_large(self._table, _OVERFULL)
        kind = name.rpartition(":")[2]
        if not self._row_depth and kind in _OF_ROWS:
            self._row_depth = self._depth + 1
        elif kind == "c":
            self._cell = attributes.get("r", "")
        elif kind == "f":
            self.formulas.add(self._cell)
        elif kind == "mergeCell":
            self.merged.append(attributes.get("ref", ""))

    def _end(self, _: str) -> None:
        self._depth -= 1
        if self._depth < self._row_depth - 1:
            self._row_depth = 0


def _is_far(number: str) -> bool:
    """Return whether the number of a row is none that Excel has: all rows before it would be read as empty ones."""
    try:
        return float(number) > _MOST_ROWS
    except ValueError:
        return False


def _parts(table: Path, archive: zipfile.ZipFile, most: int) -> dict[str, _Part]:
    """Return the parts of a workbook by name; raises FewscanError where they may take much more memory than their table.

    most: bytes that they may unpack to.
    """
    # No more is unpacked than a part says of itself.
    if sum(part.file_size for part in archive.infolist()) > most:
        raise _too_large(table, f"unpacks to more than {most // 2**20} MiB")
    parts = {}
    for part in archive.infolist():
        with archive.open(part) as file:
            parts[part.filename] = _Part(table, file, part.file_size)
    return parts


def _too_large(table: Path, why: str) -> FewscanError:
    return FewscanError(f"{table} {why}: save it as CSV, or the columns that matter as a workbook of their own")


def _only_sheet(table: Path, book: Any, parts: dict[str, _Part]) -> Any:
    """Return the sheet with cells among those that are shown, None where there is none; CHOICES says nothing."""
    if not book.worksheets:  # Excel's "Strict Open XML", which openpyxl takes for a workbook without sheets
        raise FewscanError(f"{table} has no sheet that can be read: save it as CSV, or as 'Excel Workbook (.xlsx)'")
    filled = []
    for sheet in book.worksheets:
        # What a file says of a sheet's size may be wrong, and rows would be left out.
        sheet.reset_dimensions()
        shown = sheet.sheet_state == "visible" and sheet.title != CHOICES
        if shown and (
            parts[sheet._worksheet_path].formulas or any(one.value is not None for row in _bounded(table, sheet) for one in row)
        ):
            filled.append(sheet)
    if len(filled) > 1:
        names = listed([f"'{sheet.title}'" for sheet in filled], _NAMES_SHOWN)
        raise FewscanError(
            f"{table} has several sheets with cells ({names}): hide all but the one with the labels, or save that one as a "
            "file of its own"
        )
    return filled[0] if filled else None


def _bounded(table: Path, sheet: Any) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(sheet.rows, 1):
        if number > _MOST_ROWS:
            raise _too_large(table, _OVERFULL)
        yield row


def _rows(table: Path, read: Iterable[tuple[Any, ...]], part: _Part, *, ours: bool) -> Rows:
    """Return the rows that are read of a sheet, as `workbook_rows` does; ours: as `workbooks.write_workbook` wrote it."""
    rows: Rows = []
    width, cells, empty, wrong = None, 0, [], []
    starts, above = _merged_down(part), dict[int, tuple[int, str]]()  # of a column: the last row, and the text
    for line, row in enumerate(read, 1):
        texts = [_text(one, ours=ours) for one in row[:width]]
        for at, one in enumerate(row[:width]):
            if one.data_type == "e" and one.value != _NOT_AVAILABLE:
                wrong.append(f"{_name(line, at)} ({one.value})")
            # A formula whose value is an empty text says so by its type.
            elif part.formulas and one.value is None and one.data_type != "str" and part.may_calculate(_name(line, at)):
                empty.append(_name(line, at))
        if any(texts):
            for at, (last, text) in above.items():
                if line <= last:
                    texts += [""] * (at + 1 - len(texts))
                    texts[at] = text
        above |= {at: (last, texts[at]) for at, last in starts.get(line, ()) if at < len(texts) and texts[at]}
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            rows.append((line, texts))
            width = width or (len(texts) if len(texts) > 1 else None)
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
    return rows


def _merged_down(part: _Part) -> dict[int, list[tuple[int, int]]]:
    """Return, by the line in which they begin, the columns, from 0, and the last lines of what is merged over several lines."""
    from openpyxl.utils import range_boundaries

    starts = defaultdict[int, list[tuple[int, int]]](list)
    for merged in part.merged:
        left, top, _, bottom = range_boundaries(merged)
        if top < bottom:
            starts[top].append((left - 1, bottom))
    return starts


def _name(line: int, at: int) -> str:
    from openpyxl.utils import get_column_letter

    return f"{get_column_letter(at + 1)}{line}"


def _text(one: Any, *, ours: bool) -> str:
    value = one.value
    if value is None:
        return ""
    if isinstance(value, str):
        text = unescaped(value, ours=ours)
        return as_text(text) if ours else text
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, one.number_format)
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ") if value.time() != datetime.time() else value.date().isoformat()
    if isinstance(value, datetime.timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return str(value.isoformat())


def _number(value: float, shown: str) -> str:
    """Return a number as it is written: 15 digits, which is what a workbook keeps, and one more where it surely is kept."""
    if not float(value).is_integer():
        return f"{value:.15g}"
    if abs(value) > _MOST_EXACT:
        value = int(Decimal(f"{value:.15g}"))
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
