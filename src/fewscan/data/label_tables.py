"""CSVs with labels and patients -> what they say of the images that were listed."""

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fewscan.data.options import LabelColumns
from fewscan.data.sources import ScanFile, Source, file_place, is_inside, real_path
from fewscan.errors import FewscanError


@dataclass(frozen=True)
class _LabelRow:
    """One row of a CSV with labels; `where` says which one, for people."""

    table: Path
    where: str
    path: str
    label: str | None
    patient: str | None = field(repr=False)


def label_from_tables(
    scans: Sequence[ScanFile], sources: Sequence[Source], tables: Sequence[Path], columns: LabelColumns
) -> list[ScanFile]:
    """Return the images with the labels and patients that the CSVs give them, and those that are not there, set aside.

    A source that a CSV speaks of has no other labels than the CSV's; see `listing.list_scans`, which says how files are named.
    Raises FewscanError where a CSV cannot be read, contradicts itself or another, or names no image at all.
    """
    files = {path: file_place(path) for path in {scan.path for scan in scans}}
    # Where a row may point: at a file, or at one of the images that it holds.
    by_place: dict[Path, ScanFile] = {}
    for scan in scans:
        by_place.setdefault(files[scan.path], scan)
        by_place[_place(scan, files)] = scan
    rows: dict[Path, _LabelRow] = {}
    missing: list[_LabelRow] = []
    for table in tables:
        found = 0
        for row in _read_table(table, columns):
            place = _find(row, sources, by_place)
            if place is None:
                missing.append(row)
                continue
            found += 1
            _check_agreement(rows.setdefault(place, row), row)
        if not found:
            looked = ", ".join(dict.fromkeys(str(folder) for folder in [table.parent, *(source.folder for source in sources)]))
            raise FewscanError(f"{table} names no file of the sources: '{missing[-1].path}', for one, is not in {looked}")

    spoken_of = list(dict.fromkeys(by_place[place].source for place in rows))
    unlabeled = {source.name for source in sources if not source.labeled}
    labeled = []
    for scan in scans:
        said = rows.get(_place(scan, files)) or rows.get(files[scan.path])
        if said is not None:
            label = None if scan.source in unlabeled else said.label
            label_from = None if label is None else said.table.name
            labeled.append(_with_patient(replace(scan, label=label, label_from=label_from), said))
        else:
            labeled.append(replace(scan, label=None, label_from=None) if scan.source in spoken_of else scan)
    absent: dict[tuple[str, str], ScanFile] = {}
    for row in missing:
        scan = _missing_scan(row, sources, spoken_of[0])
        absent.setdefault((scan.source, scan.relative), scan)
    labeled += absent.values()
    order = {source.name: number for number, source in enumerate(sources)}
    # Sorting keeps the images of a file in their order, slice 9 before slice 10.
    return sorted(labeled, key=lambda scan: (order[scan.source], scan.file))


def _with_patient(scan: ScanFile, said: _LabelRow) -> ScanFile:
    """Return the image with the patient that the CSV gives it, if it does: one number in one CSV is one patient."""
    if said.patient is None:
        return scan
    # What the file's header says too, the CSV only repeats.
    scopes = scan.patient_scopes if said.patient == scan.patient else ()
    table = f"csv {file_place(said.table)}"
    return replace(scan, patient=said.patient, patient_known=True, patient_scopes=(*scopes, table))


def _place(scan: ScanFile, files: Mapping[Path, Path]) -> Path:
    """Return what a row that means this image alone points at, as `file_place` spells it."""
    file = files[scan.path]
    return file if scan.part is None else file.with_name(f"{file.name}#{scan.part}")


def _read_table(table: Path, columns: LabelColumns) -> list[_LabelRow]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            present = [name for name in reader.fieldnames or () if name]
            optional = columns.patient_column == LabelColumns().patient_column and columns.patient_column not in present
            for wanted in [columns.path_column, columns.label_column, *([] if optional else [columns.patient_column])]:
                if wanted not in present:
                    raise FewscanError(f"{table} has no column '{wanted}': {_columns_hint(wanted, present, columns)}")
            rows = [_label_row(table, reader.line_num, cells, columns) for cells in reader]
    except OSError as error:
        raise FewscanError(f"cannot read the labels {table}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FewscanError(f"{table} is not UTF-8 text: save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise FewscanError(f"{table}, after line {reader.line_num}: {error}; save it as CSV, separated by commas") from None
    if not rows:
        raise FewscanError(f"{table} holds no rows: it needs one for each labeled image")
    return rows


def _columns_hint(wanted: str, present: Sequence[str], columns: LabelColumns) -> str:
    if not present:
        return "it is empty"
    # A CSV without names of columns begins with a row, which may hold a patient's name or number: it is not repeated.
    names = [name for name in present if not any(letter.isdigit() for letter in name)]
    if close := difflib.get_close_matches(wanted, names, n=1):
        return f"did you mean '{close[0]}'?"
    first_line = f"{columns.path_column},{columns.label_column}[,{columns.patient_column}]"
    return f"it has {len(present)} column{'s' if len(present) > 1 else ''}, which its first line should name: {first_line}"


def _label_row(table: Path, line: int, cells: Mapping[str | None, str | None], columns: LabelColumns) -> _LabelRow:
    def cell(column: str) -> str | None:
        return (cells.get(column) or "").strip() or None

    where = f"{table.name}, line {line}"
    if None in cells:
        raise FewscanError(f"{where} has more cells than the first line: put names that hold a comma in quotes")
    path = cell(columns.path_column)
    if path is None or "\0" in path:
        raise FewscanError(f"{where}: the column '{columns.path_column}' names no file; name the image, or take the row out")
    return _LabelRow(table, where, path, cell(columns.label_column), cell(columns.patient_column))


def _find(row: _LabelRow, sources: Sequence[Source], by_place: Mapping[Path, ScanFile]) -> Path | None:
    beside_table = file_place(row.table.parent / row.path)
    if beside_table in by_place:
        return beside_table
    in_sources = [file_place(source.folder / row.path) for source in sources]
    found = list(dict.fromkeys(place for place in in_sources if place in by_place))
    if len(found) > 1:
        raise FewscanError(
            f"{row.where}: '{row.path}' is in several sources ({', '.join(by_place[place].source for place in found)}): "
            f"write its path from the folder of {row.table.name}"
        )
    return found[0] if found else None


def _check_agreement(first: _LabelRow, row: _LabelRow) -> None:
    if first.label != row.label:
        raise FewscanError(
            f"'{row.path}' has two values as its label: '{first.label or ''}' ({first.where}) and "
            f"'{row.label or ''}' ({row.where}); keep one of them"
        )
    if first.patient != row.patient:
        # A patient's number is for no terminal or log.
        raise FewscanError(f"'{row.path}' has two values as its patient ({first.where} and {row.where}); keep one of them")


def _missing_scan(row: _LabelRow, sources: Sequence[Source], otherwise: str) -> ScanFile:
    path = row.table.parent / row.path
    file, sign, _ = row.path.rpartition("#")
    in_file = sign and any((folder / file).is_file() for folder in (row.table.parent, *(one.folder for one in sources)))
    what = (
        "no such image: its file holds none of that name, or it is no slice that --plane and --slices choose;"
        if in_file
        else "no such file:"
    )
    reason = f"{what} named in {row.where}"
    for source in sources:
        if is_inside(path, source.folder):
            relative = real_path(path).relative_to(real_path(source.folder)).as_posix()
            return ScanFile(source.name, relative, path, set_aside=reason)
    return ScanFile(otherwise, row.path, path, set_aside=reason)
