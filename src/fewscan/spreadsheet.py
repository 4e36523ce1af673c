"""Tables of texts that spreadsheets show and never calculate, and back, exactly as they were.

In a CSV a spreadsheet takes a cell that begins with =, +, - or @ for a formula, whoever wrote the name in it. Such a cell gets
an apostrophe in front, as spreadsheets themselves mark text, and reading takes it away again. A workbook says what is text.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from fewscan.atomic import replaced_file, require_suffix
from fewscan.errors import FewscanError
from fewscan.workbooks import WORKBOOK, require_openpyxl, write_workbook

# The kinds of table that people open and fill in, and `labels set` takes, by the ends of their names.
SPREADSHEETS = (".csv", WORKBOOK)

# Where a cell begins, also for a program that separates by semicolons or tabs.
_BEGIN = r"""(?<![^;\t\r\n"])"""
# What makes a formula, wide letters of East Asian keyboards among it; numbers are none. What has apostrophes before a formula
# gets one more, so that reading knows which one to take.
_FORMULA = r"(?=[\t\r\n]|[ \f\v]*[=+\-@\uff1d\uff0b\uff0d\uff20])(?![+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?\Z)"
_TO_MARK = re.compile(rf"{_BEGIN}('*){_FORMULA}", re.ASCII | re.IGNORECASE)
_MARKED = re.compile(rf"{_BEGIN}'('*){_FORMULA}", re.ASCII | re.IGNORECASE)


def as_text(text: str) -> str:
    """Return `text` as a CSV holds it: with an apostrophe before all that a spreadsheet would take for a formula."""
    return _TO_MARK.sub(r"'\1", text)


def from_text(cell: str) -> str:
    """Return the text that a CSV's cell holds: what `as_text` was given."""
    return _MARKED.sub(r"\1", cell) if "'" in cell else cell


def require_spreadsheet(out: Path, *others: str, argument: str = "--out") -> None:
    """Raise FewscanError where `out` is no name for one of SPREADSHEETS or `others`, or cannot be written as it says.

    argument: by which a user names it.
    """
    require_suffix(out, *SPREADSHEETS, *others, argument=argument)
    if out.suffix.lower() == WORKBOOK:
        require_openpyxl(out, "name a .csv file")


def write_spreadsheet(
    table: pd.DataFrame, out: Path, *, float_format: str | None = None, choices: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Write a table as a workbook or as CSV, by the name of `out`, atomically; its folder is made where there is none.

    choices: what cells of a workbook may be chosen from, as in `write_workbook`.
    """
    with replaced_file(out, parents=True) as temporary:
        write_spreadsheet_to(temporary, [table], out, float_format=float_format, choices=choices, rows=len(table))


def write_spreadsheet_to(
    path: Path,
    tables: Iterable[pd.DataFrame],
    out: Path,
    *,
    float_format: str | None = None,
    choices: Mapping[str, Sequence[str]] | None = None,
    rows: int | None = None,
) -> None:
    """Write tables of the same columns, at least one, below each other to `path`, of the kind that the name of `out` says.

    choices, rows: as `write_workbook` takes them.
    """
    if out.suffix.lower() == WORKBOOK:
        write_workbook(path, tables, out, float_format, choices, rows)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, table in enumerate(tables):
            write_csv_to(file, table, header=not number, float_format=float_format)


def write_csv(table: pd.DataFrame, path: Path, *, parents: bool = False, float_format: str | None = None) -> None:
    """Write a table as a CSV file, atomically; parents: whether its folder is made, as by `atomic.replaced_file`."""
    with replaced_file(path, parents=parents) as temporary:
        write_csv_to(temporary, table, float_format=float_format)


def write_csv_to(file: Path | TextIO, table: pd.DataFrame, *, header: bool = True, float_format: str | None = None) -> None:
    """Write a table as CSV in UTF-8, every text in quotes: a name may hold a carriage return, which alone would get none."""
    texts = table.select_dtypes(include=["object", "str"]).columns
    marked = table.assign(**{name: table[name].map(as_text, na_action="ignore") for name in texts})
    marked.columns = [as_text(name) for name in table.columns]
    marked.to_csv(file, index=False, header=header, float_format=float_format, quoting=csv.QUOTE_NONNUMERIC)


def read_csv(path: Path, types: Mapping[str, Any], otherwise: str) -> pd.DataFrame:
    """Return the columns of `types` of a CSV that `write_csv` wrote, each of its type; no word stands for a missing value.

    Raises FewscanError, saying with `otherwise` what helps, where the file cannot be read, lacks a column, or holds what is not
    of a column's type.
    """
    marked = {as_text(name): kind for name, kind in types.items()}
    try:
        # A class may be called '01' or 'NA'. Infinity is no whole number, and 1e300 none of float32.
        with np.errstate(invalid="raise", over="raise"):
            table = pd.read_csv(path, usecols=list(marked), dtype=marked, keep_default_na=False)[list(marked)]
    except PermissionError:
        raise FewscanError(f"no permission to read {path}") from None
    except (OSError, ValueError, ArithmeticError):
        raise FewscanError(f"{path} is missing, damaged or incomplete: {otherwise}") from None
    table.columns = list(types)
    for name, kind in types.items():
        if kind == "str":
            table[name] = table[name].map(from_text)
    if table.isna().to_numpy().any():
        raise FewscanError(f"{path} is missing, damaged or incomplete: {otherwise}")
    return table
