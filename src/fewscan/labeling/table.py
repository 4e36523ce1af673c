"""The table of labels, part by part: what was labeled before a stop or a kill is kept, and the whole appears at once."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fewscan.atomic import remove_folder, replaced_file, require_place, write_text, writing
from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.images.table_rows import TableRows, in_rows, standing
from fewscan.images.tables.reading import Cells, cell, read_cells
from fewscan.images.tables.workbook import is_workbook
from fewscan.parquet import parquet_frame, parquet_table
from fewscan.partial import partial_folder, refuse_finished
from fewscan.spreadsheet import SPREADSHEETS, from_text, require_spreadsheet, write_spreadsheet_to
from fewscan.workbooks import WORKBOOK

_PARQUET = ".parquet"
_WRITTEN = (*SPREADSHEETS, _PARQUET)
# Rows of a part: what a kill loses at most.
PART_ROWS = 2048
_PLAN_FILE = "plan.json"
# There as soon as tables beside the one that grows may be of its own making.
_BESIDE_FILE = "beside"


class LabelPlan(Settings):
    """What a table of labels is made from; a stopped one is gone on with by the same plan alone."""

    scans: str  # the folder, or which of the dataset's scans
    version: str  # another one where they are others
    model_sha256: str
    temperature: float
    threshold: float | None
    refusal: str | None = None  # in every row where there is no threshold; it names the error that was asked for
    inclusion: tuple[float, ...]  # of every class
    columns: tuple[str, ...]
    fewscan: str


class LabelTable:
    """A table at `out` (CSV, workbook or Parquet by its name) that grows beside it, in `OUT.partial`, until it is finished.

    It is for one at a time: see `growing`.
    """

    def __init__(self, out: Path, columns: Mapping[str, pa.DataType], plan: LabelPlan, *, overwrite: bool = False) -> None:
        """Begin a table, or go on with the one that the same plan began.

        overwrite: a whole one at `out` is replaced in the end, and what another plan began is dropped. Raises FewscanError
        where `out` exists, is not called as a table, or was begun by another plan.
        """
        require_table_name(out)
        require_place(out, overwrite=overwrite)
        self.out = out
        self._overwrite = overwrite
        self.schema = pa.schema(list(columns.items()))
        self.folder = partial_folder(out)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._plan, self._written = plan.model_dump_json(indent=2) + "\n", self.folder / _PLAN_FILE
        # A plan without a single part is of a table that was stopped before it kept anything.
        begun = self._written.exists() and bool(self._parts())
        if begun and self._written.read_text(encoding="utf-8") == self._plan:
            return
        if begun and not overwrite:
            raise FewscanError(
                f"{self.folder} was started with another run, target or version of fewscan, or with other scans or known "
                "patients: continue with the same command on the same scans, or give --overwrite to begin anew"
            )
        for left in (*self._parts(), self._written, self.folder / _BESIDE_FILE):
            left.unlink(missing_ok=True)

    def done(self) -> set[str]:
        """Return the paths that are in the table already."""
        return {path for part in self._parts() for path in parquet_table(part, ["path"])["path"].to_pylist()}

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, of which none is lost from here on."""
        number = len(self._parts())
        if not number:
            write_text(self._written, self._plan)
        with replaced_file(self.folder / f"part-{number:06}.parquet") as temporary:
            pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], self.schema), temporary)

    def numbers(self, column: str, where_empty: str) -> npt.NDArray[np.float64]:
        """Return the numbers of a column in the rows where another is empty; those without a number are left out."""
        parts = [parquet_table(part, [column, where_empty]).to_pandas(use_threads=False) for part in self._parts()]
        found = [part.loc[part[where_empty].isna(), column].dropna().to_numpy(np.float64) for part in parts]
        return np.concatenate([np.zeros(0), *found])

    def counted(self, column: str, *, where: str, holds: str) -> Counter[str]:
        """Return how often each value of a column stands in the rows where another column holds a value."""
        counts: Counter[str] = Counter()
        for part in self._parts():
            table = parquet_table(part, [column, where])
            values = zip(table[column].to_pylist(), table[where].to_pylist(), strict=True)
            counts.update(value for value, other in values if other == holds and value is not None)
        return counts

    def finish(self, count: Sequence[str]) -> Counter[tuple[str | None, ...]]:
        """Write the table as a whole, drop the parts, and return how often the values of the columns `count` occur together."""
        counts: Counter[tuple[str | None, ...]] = Counter()
        with replaced_file(self.out) as temporary:
            rows = sum(pq.read_metadata(part).num_rows for part in self._parts())
            _write(temporary, self._counted(count, counts), self.schema, self.out, rows)
        remove_folder(self.folder)
        return counts

    def parts(self) -> Iterator[pa.Table]:
        """Yield the rows so far, some at a time, in their order."""
        return map(parquet_table, self._parts())

    def require_beside(self, beside: Path, *, needed: bool, is_own: Callable[[Path], bool]) -> None:
        """Raise FewscanError where something stands in the place of a table beside this one that is not to be replaced.

        needed: whether there will be one; is_own: whether a file is such a table, so that --overwrite is about it, too.
        """
        if os.path.lexists(beside) and not is_own(beside):
            if needed:
                raise FewscanError(
                    f"{beside}, where a second table belongs, is something else: move it, or choose another --out"
                )
        elif os.path.lexists(beside) and not self._overwrite and not (self.folder / _BESIDE_FILE).exists():
            raise FewscanError(f"{beside} is of another table: choose another --out, or give --overwrite to replace both")
        elif needed:
            require_place(beside, overwrite=True)

    def write_beside(self, beside: Path, table: pd.DataFrame | None, is_own: Callable[[Path], bool]) -> None:
        """Write what a table beside this one is to hold; of None, there is none, and one of a table that is replaced goes."""
        (self.folder / _BESIDE_FILE).touch()
        if table is not None:
            write_table(table, beside)
        elif is_own(beside):
            with writing(beside):
                beside.unlink()

    def _counted(self, columns: Sequence[str], counts: Counter[tuple[str | None, ...]]) -> Iterator[pa.Table]:
        for part in self._parts():
            table = parquet_table(part)
            counts.update(zip(*(table[column].to_pylist() for column in columns), strict=True))
            yield table

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.parquet"))


def require_table_name(out: Path) -> None:
    """Raise FewscanError where the name does not say which kind of table it is to be."""
    require_spreadsheet(out, _PARQUET)


def table_beside(table: Path, called: str) -> Path:
    """Return the name of a table beside another, of its kind: `labels.checked.csv`.

    Of a kind that is read and not written, as .xlsm is, or that the name does not say, it is one that is written.
    """
    kind = table.suffix if table.suffix.lower() in _WRITTEN else WORKBOOK if is_workbook(table) else ".csv"
    return table.with_suffix(f".{called}{kind}")


def require_table_place(out: Path, *, overwrite: bool) -> None:
    """Raise FewscanError where no table of labels can be made at `out`, or one is there and is not to be replaced."""
    require_table_name(out)
    refuse_finished(out, "label", "give --overwrite to replace it", overwrite=overwrite)


def read_table(path: Path) -> pd.DataFrame:
    """Return a finished table as it was written, an empty cell being None or NaN.

    A CSV or workbook may have been saved by a spreadsheet since. Raises FewscanError where it is gone, and where cells that are
    to be numbers are none.
    """
    read = _read_cells if is_workbook(path) else parquet_frame if path.suffix.lower() == _PARQUET else _read_csv
    try:
        return _with_whole_numbers(read(path))
    except (OSError, ValueError, pa.ArrowException):
        raise FewscanError(f"{path} is missing or damaged: run 'fewscan label' again") from None


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Write a table that `read_table` has read, and that was changed since, of the kind that its name says."""
    whole = pa.Table.from_pandas(table, preserve_index=False)
    with replaced_file(out, parents=True) as temporary:
        _write(temporary, [whole], whole.schema, out, len(whole))


def _read_csv(path: Path) -> pd.DataFrame:
    # Classes may be called '01' or 'NA', and a scan that cannot be read has no number: no column's type can be guessed.
    try:
        written = pd.read_csv(path, nrows=0).columns
    except UnicodeDecodeError:
        return _read_cells(path)
    names = [from_text(name) for name in written]
    if "path" not in names:  # where somebody saved it with semicolons or tabs
        return _read_cells(path)
    kinds = _kinds(names)
    try:
        table = pd.read_csv(path, dtype=dict(zip(written, kinds, strict=True)), keep_default_na=False, na_values=[""])
    except ValueError:
        return _read_cells(path)  # it names the cells that are no numbers
    table.columns = names
    for name, kind in zip(names, kinds, strict=True):
        if kind == "str":
            table[name] = table[name].map(from_text, na_action="ignore").astype("str")
    return table


def _read_cells(path: Path) -> pd.DataFrame:
    cells = read_cells(path)
    _require_numbers(path, cells)
    rows = [[text or None for text in row] + [None] * (len(cells.columns) - len(row)) for _, row in cells.rows]
    table = pd.DataFrame(rows, columns=list(cells.columns), dtype="str")
    return table.astype(dict(zip(cells.columns, _kinds(cells.columns), strict=True)))


def _require_numbers(path: Path, cells: Cells) -> None:
    """Raise FewscanError, with their rows, where cells that are to be numbers are none."""
    places = [at for at, kind in enumerate(_kinds(cells.columns)) if kind != "str"]
    texts = ((line, text) for line, row in cells.rows for at in places if (text := cell(row, at)) is not None)
    wrong = standing((text, TableRows("", (line,))) for line, text in texts if not _is_number(text))
    if wrong:
        raise FewscanError(f"{path} has texts where numbers belong: {in_rows(wrong, wrong)}: correct these cells")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _with_whole_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with numbers of patients and scans as such, unless somebody has put other words in their place."""
    whole = {}
    for name in (name for name in table.columns if name == "patient" or name.startswith("scans")):
        numbers = pd.to_numeric(table[name], errors="coerce")
        if numbers.notna().equals(table[name].notna()) and (numbers.dropna() % 1 == 0).all():
            whole[name] = numbers.astype("Int64")
    return table.assign(**whole)


def _frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a data frame in which whole numbers stay such beside empty cells."""
    frame: pd.DataFrame = table.to_pandas(use_threads=False, types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame


def _kinds(names: Sequence[str]) -> list[str]:
    """Return the types of a table's columns, by their names."""
    return ["float64" if name in ("score", "typicality") or name.startswith("probability_") else "str" for name in names]


def _write(path: Path, tables: Iterable[pa.Table], schema: pa.Schema, out: Path, rows: int) -> None:
    """Write tables of so many rows below each other to `path`, of the kind that the name of `out` says."""
    if out.suffix.lower() == _PARQUET:
        with pq.ParquetWriter(path, schema) as writer:
            for table in tables:
                writer.write_table(table)
        return
    frames = (_frame(table) for table in chain([schema.empty_table()], tables))
    write_spreadsheet_to(path, frames, out, float_format="%.6f", rows=rows)
