"""The bytes of a table -> its columns' names and its rows of cells; what cannot be read in one way is refused.

Whatever reads a table that a person gives reads it here, be it text or a workbook.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fewscan.errors import FewscanError
from fewscan.idle import refuse_idle
from fewscan.images.tables.workbook import is_workbook, workbook_rows
from fewscan.spreadsheet import from_text

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}

_OLD_KIND = "an Excel workbook in an old format"
_OTHER_KINDS = {
    ".xls": _OLD_KIND,
    ".xlsb": "a binary Excel workbook",
    ".ods": "an OpenDocument table",
    ".numbers": "a Numbers table",
    ".parquet": "a Parquet file",
    ".json": "a JSON file",
}
# What Excel and LibreOffice keep beside a file that is open: ~$list.xlsx, .~lock.list.xlsx#
_LOCK_FILE = re.compile(r"(?:~\$|\.~lock\.)(?P<of>.+?)#?")
# Excel's way to write digits that are to stay text: ="0012".
_KEPT_AS_TEXT = re.compile(r'="([^"]*)"')
# Besides blanks, what nobody sees at the ends of a cell: it comes along from web pages and word processors.
_UNSEEN = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_ZIP_MAGIC = b"PK\x03\x04"
_OLE_MAGIC = b"\xd0\xcf\x11\xe0"
# What such a file holds where a password encrypts a workbook.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
# So many of the first bytes say whether a text without a mark is UTF-16: every other one of them is zero there.
_HEAD_BYTES = 200


class Cells(NamedTuple):
    """A table as it stands: the names of its columns, and every row that holds anything, with its number in a spreadsheet."""

    columns: tuple[str, ...]
    rows: list[tuple[int, list[str]]]


def read_cells(table: Path, encoding: str | None = None, separator: str | None = None) -> Cells:
    """Read a table: an Excel workbook by its name, else text, separated by commas, semicolons or tabs.

    Text is in UTF-8 or, with a mark, in UTF-16, unless `encoding` says otherwise. separator: a name in SEPARATORS. Raises
    FewscanError where the file cannot be opened or read in one way only.
    """
    content = _content(table)
    written = workbook_rows(table, content) if is_workbook(table) else _text_rows(table, content, encoding, separator)
    rows = [(line, [_text_of(text) for text in row]) for line, row in written]
    if not rows:
        raise FewscanError(f"{table} is empty: its first line must name the columns, such as path,label")
    (_, columns), *others = rows
    # Excel writes lines of nothing but separators.
    return Cells(tuple(name.strip() for name in columns), [(line, row) for line, row in others if any(map(str.strip, row))])


def refuse_idle_for_text(tables: Sequence[Path], encoding: str | None, separator: str | None) -> None:
    """Raise FewscanError where it is said how text is to be read, and every table is a workbook."""
    if all(map(is_workbook, tables)):
        options = {"--encoding": encoding is not None, "--separator": separator is not None}
        refuse_idle(options, "tables of text", "give one")


def _content(table: Path) -> bytes:
    """Return the bytes of a file; raises FewscanError where it cannot be opened, or is of a kind that is not read."""
    if of_lock := _LOCK_FILE.fullmatch(table.name):
        raise FewscanError(
            f"{table} only says that {of_lock['of']} is open in a program: give {table.with_name(of_lock['of'])}"
        )
    if table.is_dir():
        raise FewscanError(f"{table} is a folder, not a table of labels: give the file with the table")
    try:
        content = table.read_bytes()
    except OSError as error:
        raise FewscanError(f"cannot read the labels {table}: {error.strerror}") from None
    kind = _OTHER_KINDS.get(table.suffix.lower())
    if content.startswith(_OLE_MAGIC):
        if _ENCRYPTED in content:
            raise FewscanError(f"{table} is protected by a password: save it without one")
        kind = kind or _OLD_KIND
    elif content.startswith(_ZIP_MAGIC) and not is_workbook(table):
        kind = kind or "an Excel workbook by another name"
    if kind:
        raise FewscanError(f"{table} is {kind}: save it as .xlsx or as CSV (comma-separated, UTF-8) and give that file")
    return content


def _text_rows(table: Path, content: bytes, encoding: str | None, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    whole = _text(table, content, encoding)
    text = whole.lstrip("\r\n")
    above = len(whole.removesuffix(text).splitlines())
    first = _first_line(text)
    if first[:4].lower() == "sep=":  # Excel's own line, which it does not show
        text = text.removeprefix(first)
    return _rows(table, text, SEPARATORS[separator] if separator else _separator(table, text), above)


def _text(table: Path, content: bytes, encoding: str | None) -> str:
    try:
        codecs.lookup(encoding or "utf-8")
        # A mark of UTF-8 may stand before text that is in another encoding, where a script put it there.
        return content.removeprefix(codecs.BOM_UTF8).decode(encoding or _encoding(content)).removeprefix("\ufeff")
    except LookupError:
        raise FewscanError(f"--encoding {encoding} is unknown: give, for example, utf-8, utf-16, cp1252 or latin-1") from None
    except UnicodeDecodeError:
        if encoding:
            raise FewscanError(f"{table} is not text in {encoding}: give another --encoding, or save it as UTF-8") from None
        raise FewscanError(
            f"{table} is not UTF-8 text, and its encoding cannot be recognized: save it as UTF-8, or give its encoding, "
            "such as --encoding cp1252 for Western European Windows"
        ) from None


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = content[:_HEAD_BYTES]
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(head) > 1 and not any(zeros):
            return encoding
    return "utf-8"


def _separator(table: Path, text: str) -> str:
    """Return the one separator under which the table is one: its first line has several cells, and each row as many.

    Of a table whose first line has one cell, the one separator of the first line that has several.
    """
    possible = _separating(_first_line(text))
    if len(possible) > 1:
        even = [mark for mark in possible if _is_even(text, mark)]
        if len(even) != 1:
            names = [name for name, mark in SEPARATORS.items() if mark in possible]
            raise FewscanError(
                f"{table}: its first line may be separated by {' or '.join(names)}: add --separator {names[0]}, for example"
            )
        possible = even
    elif not possible:  # the names of columns may stand below a title
        below = next(filter(None, map(_separating, io.StringIO(text, newline=""))), [])
        possible = below if len(below) == 1 else []
    return possible[0] if possible else ","


def _separating(line: str) -> list[str]:
    """Return the separators under which a line has several cells."""
    try:
        return [mark for mark in SEPARATORS.values() if len(next(csv.reader([line], delimiter=mark), [])) > 1]
    except csv.Error:  # said of the line when it is read
        return []


def _first_line(text: str) -> str:
    return next(io.StringIO(text, newline=""), "")


def _is_even(text: str, mark: str) -> bool:
    try:
        return len({len(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True) if row}) == 1
    except csv.Error:
        return False


def _rows(table: Path, text: str, mark: str, above: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows and their numbers, below so many that are empty; a cell may go over several lines of the text."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    try:
        for number, row in enumerate(reader, above + 1):
            if row:
                yield number, row
    except csv.Error as error:
        raise FewscanError(f"{table}, after line {reader.line_num}: {error}; save it as comma-separated CSV") from None


def _text_of(written: str) -> str:
    kept = _KEPT_AS_TEXT.fullmatch(written.strip()) if '="' in written else None
    return from_text(written) if kept is None else kept[1]


def cell(row: Sequence[str], position: int | None) -> str | None:
    """Return a cell's text; None where it is empty, or the row too short for it."""
    if position is None or position >= len(row):
        return None
    text = row[position].strip()
    return (text if text.isascii() else text.strip(_UNSEEN).strip()) or None


def plain(name: str) -> str:
    """Return a column's name without case, spaces and punctuation: spreadsheets and scripts change these."""
    return re.sub(r"[\W_]", "", name.casefold())


def position_of(columns: Sequence[str], name: str) -> int | None:
    """Return the position of the column of that very name, else of the first that is called so but for case and punctuation."""
    if name in columns:
        return columns.index(name)
    return next((position for position, other in enumerate(columns) if plain(other) == plain(name)), None)
