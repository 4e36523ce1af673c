"""Tables as Excel workbooks, row by row: a text is a text, whatever it looks like, and a number a number.

What a workbook cannot hold is written as Excel writes it, `_x0001_` for a control character, and `_x005F_` for a `_` that such
a code would begin with.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import chain, islice, zip_longest
from operator import attrgetter
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pandas as pd

from fewscan.errors import FewscanError
from fewscan.progress import track

WORKBOOK = ".xlsx"
AUTHOR = "fewscan"
# The sheet, which is hidden, of what cells may be chosen from: it says nothing itself, also where a program shows it.
CHOICES = "fewscan choices"

_MOST_ROWS = 2**20 - 1  # below the names of the columns
_MOST_CHARACTERS = 32_767  # of a cell, as UTF-16 counts them
# What XML cannot hold or would change, and a `_` before what would make it a code.
_TO_ESCAPE = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_CODE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CODE_OF_ANY = re.compile(r"_x(000D|005F)_")
_TEXT_FORMAT = "@"  # what is typed into such a cell stays as it is: 01, 1-2
_WIDTHS = (8, 60)  # the least and the most of a column, in characters
_ROWS_FOR_WIDTHS = 200
# Of so many rows nobody waits long.
ROWS_WITHOUT_BAR = 10_000
_FILTER_BUTTON = 3  # characters that it hides


def escaped(text: str) -> str:
    """Return a text as a workbook holds it."""
    return _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def unescaped(text: str, *, ours: bool) -> str:
    """Return the text that a workbook holds; ours: as `escaped` returned it.

    What others write as it is may look like a code, and be a name, as of a tile: _x0012_y0034.
    """
    return (_CODE if ours else _CODE_OF_ANY).sub(lambda found: chr(int(found[1], 16)), text)


def require_openpyxl(table: Path, instead: str) -> None:
    """Raise FewscanError where workbooks can be neither read nor written; `instead` is what helps besides the package."""
    try:
        import openpyxl  # noqa: F401
    except ImportError:
        raise FewscanError(
            f"{table} is an Excel workbook, which needs a package that is not installed: pip install 'fewscan[excel]', or "
            f"{instead}"
        ) from None


def require_rows(out: Path, rows: int) -> None:
    """Raise FewscanError where `out` is to be a workbook of more rows than Excel has."""
    if out.suffix.lower() == WORKBOOK and rows > _MOST_ROWS:
        raise _too_much(out, f"{_MOST_ROWS:,} rows, and this table has {rows:,} or more")


def write_workbook(
    path: Path,
    frames: Iterable[pd.DataFrame],
    out: Path,
    float_format: str | None = None,
    choices: Mapping[str, Sequence[str]] | None = None,
    rows: int | None = None,
) -> None:
    """Write frames of the same columns, at least one, below each other as the one sheet of a workbook that is shown.

    Nothing, as None, NaN or "", is an empty cell. out: what `path` will be called. float_format: as of a CSV, such as "%.6f";
    a cell holds the number that is left. choices: of columns, by name, what their cells may be chosen from; Excel warns of
    anything else, and takes it. rows: how many there are, for whoever waits; None where that is not known. Raises FewscanError
    where Excel cannot hold it.
    """
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter
    from openpyxl.writer.excel import ExcelWriter

    require_rows(out, rows or 0)  # before minutes of writing
    book = Workbook(write_only=True)
    book.properties.creator = AUTHOR
    sheet = book.create_sheet(AUTHOR)
    first = next(frames := iter(frames))
    lines = chain.from_iterable(frame.itertuples(index=False, name=None) for frame in chain([first], frames))
    read = ([_value(value, float_format) for value in line] for line in lines)
    shown = list(islice(read, _ROWS_FOR_WIDTHS))
    sheet.freeze_panes = "A2"
    for at, (name, kind) in enumerate(first.dtypes.items()):
        column = sheet.column_dimensions[get_column_letter(at + 1)]
        longest = max([len(str(name)) + _FILTER_BUTTON, *(len(str(row[at])) for row in shown)])
        column.width = min(max(longest + 1, _WIDTHS[0]), _WIDTHS[1])
        if not pd.api.types.is_numeric_dtype(kind):
            column.number_format = _TEXT_FORMAT  # of empty cells
    with ExitStack() as sheets:
        sheets.enter_context(_nothing_left_of(sheet))
        sheet.append(_cells(sheet, list(first.columns), out, bold=True))
        count = 0
        written = track(chain(shown, read), f"write {out.name}", rows, passing=True, quick=ROWS_WITHOUT_BAR)
        sheets.enter_context(closing(written))
        for count, row in enumerate(written, 1):
            require_rows(out, count)
            sheet.append(_cells(sheet, row, out))
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(first.columns))}{count + 1}"
        if offered := {name: words for name, words in (choices or {}).items() if name in first.columns and count}:
            listed = book.create_sheet(CHOICES)
            sheets.enter_context(_nothing_left_of(listed))
            _offer(offered, listed, sheet, list(first.columns), count, out)
        # Where openpyxl opens the file, an error leaves it open, and Python complains when it closes it on a full disk.
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            ExcelWriter(book, archive).write_data()


def _offer(choices: Mapping[str, Sequence[str]], listed: Any, sheet: Any, columns: list[str], rows: int, out: Path) -> None:
    """Let cells of a sheet be chosen from words in the sheet `listed`: a list in the cell itself holds no comma and not many.

    rows: so many below the names of the columns.
    """
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    listed.sheet_state = "hidden"
    for row in zip_longest(*choices.values()):
        listed.append(_cells(listed, row, out))
    for number, (name, words) in enumerate(choices.items(), 1):
        source, asked = get_column_letter(number), get_column_letter(columns.index(name) + 1)
        offered = DataValidation(
            type="list",
            formula1=f"'{CHOICES}'!${source}$1:${source}${len(words)}",
            allow_blank=True,
            showErrorMessage=True,
            errorStyle="warning",
            errorTitle=AUTHOR,
            error="This is none of the list's words.",
        )
        offered.add(f"{asked}2:{asked}{rows + 1}")
        sheet.data_validations.append(offered)


@contextmanager
def _nothing_left_of(sheet: Any) -> Iterator[None]:
    """Where a sheet cannot be written to its end, remove what openpyxl keeps of it: it names files, and would complain."""
    try:
        yield
    except BaseException:
        for ending in ("close", "_writer.cleanup"):
            with suppress(Exception):
                attrgetter(ending)(sheet)()
        raise


def _value(value: Any, float_format: str | None) -> Any:
    """Return what a cell is to hold: a text, a number, or None for nothing."""
    if value is None or value is pd.NA or value == "":
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None if math.isnan(value) else str(value)  # Excel knows no infinity
        return float(float_format % value) if float_format else value
    return value


def _cells(sheet: Any, row: Iterable[Any], out: Path, *, bold: bool = False) -> Iterator[Any]:
    """Yield what openpyxl is to write of a row: each cell is written before the next one, so that one does for all texts."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    cell = WriteOnlyCell(sheet)
    if bold:
        cell.font = Font(bold=True)
    cell.number_format = _TEXT_FORMAT
    for value in row:
        if isinstance(value, str):
            held = escaped(value)
            if len(held.encode("utf-16-le")) > 2 * _MOST_CHARACTERS:
                raise _too_much(out, f"{_MOST_CHARACTERS:,} characters in a cell, and one here has {len(value):,}")
            # Else openpyxl takes what begins with = for a formula, and #N/A for an error.
            cell.value, cell.data_type = held, "s"
            yield cell
        else:
            yield value


def _too_much(out: Path, what: str) -> FewscanError:
    return FewscanError(f"{out} cannot hold it all: Excel has at most {what}; write {out.with_suffix('.csv').name} instead")
