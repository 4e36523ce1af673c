"""The names of a table's columns -> which of them holds paths, labels, patients and splits."""

import difflib
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fewscan.errors import FewscanError, Reasons
from fewscan.images.options import TableOptions
from fewscan.images.tables.alike import labels_column, patients_column
from fewscan.images.tables.column_names import (
    COMMON_NAMES,
    GERMAN_NAMES,
    called_patient,
    like_labels,
    like_patients,
    may_be_data,
    names_headers,
)
from fewscan.images.tables.one_hot import ClassColumn, asked_columns, in_words, sure_columns
from fewscan.images.tables.reading import Cells, cell, plain
from fewscan.wording import counted, listed

# What paths are called where no column is called so plainly: files and folders named by a number, or by a patient's.
_ELSE_PATHS = ("id", "idcode", *COMMON_NAMES["patient"])
_OPTIONS = {"path": "--path-column", "label": "--label-column", "patient": "--patient-column", "split": "--split-column"}
HEADERS = "rows may also name numbers in DICOM headers (docs/labels.md)"
_AND_NONE = "' and no column '"
_FILE_NAME = re.compile(r".+\.[A-Za-z]\w{1,4}(\.gz)?")
_NAMES_SHOWN = 8


class NoFileNamedError(FewscanError):
    """A table that names no file of the sources, or a row that names none; it may name scans by numbers in their headers.

    column: the only one that may then hold these, None for any.
    """

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class Columns:
    """Positions of the columns that are used; `one_hot` are those of 0 and 1 that are classes each."""

    path: int
    label: int | None = None
    patient: int | None = None
    split: int | None = None
    one_hot: tuple[ClassColumn, ...] = ()
    patients: tuple[int, ...] = ()  # all that name the patient, unless one was asked for
    taken: str = ""  # in words, where a column goes by another name than `path`, `label`, `patient` or `split`

    @property
    def has_labels(self) -> bool:
        """Whether any column says labels."""
        return self.label is not None or bool(self.one_hot)


def find_columns(
    table: Path, cells: Cells, options: TableOptions, *, labels_alone: bool = False, by_path: bool = True
) -> Columns:
    """Return which columns to read: those that `options` name, else those that go by a common name, where one alone does.

    labels_alone: columns of patients and splits are not looked for. by_path: whether the column of paths holds paths.

    Raises FewscanError where columns are asked for and not there, where several fit, and where nothing is said of images.
    """
    asked = {"path": options.path_column, "label": options.label_column, "patient": options.patient_column}
    asked |= {"split": options.split_column}
    one_hot = asked_columns(cells, asked["label"])
    if one_hot:
        asked["label"] = None
    left = ("patient", "split") if labels_alone else ()
    positions: dict[str, _Position] = {}
    with Reasons(f"{table} cannot be read") as reasons:
        for what, name in asked.items():
            if what not in left:
                with reasons.noted():
                    positions[what] = _position(table, cells, what, name, options)
    found: dict[str, int | None] = {what: positions[what].at if what in positions else None for what in asked}
    beside = {at for at, name in enumerate(cells.columns) for what in left if plain(name) in COMMON_NAMES[what]}
    # Beside a column of files' names one of patients or numbers is hardly that of the paths.
    unsure = found["path"] is None and _of_file_names(cells) is not None
    if found["path"] is None:
        found["path"] = _else_path(cells.columns)
    lacking: list[str] = []
    if one_hot:
        found["label"] = None
    elif found["label"] is None:
        one_hot = sure_columns(cells, _taken(found) | beside)
        speaks_otherwise = found["patient"] is not None or found["split"] is not None
        if not one_hot and (_close(cells.columns, "label") or unsure or not speaks_otherwise):
            lacking.append("label")
    if found["path"] is None or (lacking and unsure):
        lacking.insert(0, "path")
    if found["path"] is None or lacking:
        raise _missing(table, cells, *lacking)
    if found["path"] in (found["label"], found["split"]):
        name = cells.columns[found["path"]]
        raise FewscanError(f"{table}: the column '{name}' cannot be both the path and something else: choose another one")
    named = {what: cells.columns[at] for what, at in found.items() if at is not None and (by_path or what != "path")}
    said = [f"{what} in '{name}'" for what, name in named.items() if name != what]
    if one_hot:
        said.append(in_words(one_hot))
    if unread := _unread_labels(cells.columns, _taken(found) | {one.at for one in one_hot}):
        said.append(f"not read: {', '.join(unread)} (--label-column says which column holds the labels)")
    patients: Sequence[int] = () if found["patient"] is None else (found["patient"],)
    if found["patient"] is not None and not asked["patient"]:
        patients = _that_may_be(cells.columns, "patient")
        said += positions["patient"].beside
    if found["patient"] is None and not labels_alone and (unread := _unread_patients(cells.columns, _taken(found))):
        said.append(f"not read: {', '.join(unread)} (--patient-column says which column holds the patients)")
    path = found["path"]
    return Columns(path, found["label"], found["patient"], found["split"], one_hot, tuple(patients), ", ".join(said))


class _Position(NamedTuple):
    """Where a column is, if there is one, and in words what others say beside it."""

    at: int | None
    beside: Sequence[str] = ()


def _position(table: Path, cells: Cells, what: str, asked: str | None, options: TableOptions) -> _Position:
    columns = cells.columns
    if asked is not None:
        fits = [position for position, name in enumerate(columns) if name == asked]
        if not fits:
            raise _missing(table, cells, asked)
    else:
        fits = _that_may_be(columns, what)
    if len(fits) > 1 and what == "patient":
        return _Position(*patients_column(table, cells, fits, options.no_label))
    if len(fits) > 1 and what == "label" and (at := labels_column(cells, fits, options.no_label)) is not None:
        return _Position(at)
    if len(fits) > 1:
        names = ", ".join(f"'{columns[position]}'" for position in fits)
        way = f"choose one with {_OPTIONS[what]}" if len({columns[position] for position in fits}) > 1 else "rename one"
        raise FewscanError(f"{table} has {len(fits)} columns that may be the {what} ({names}): {way}")
    return _Position(fits[0] if fits else None)


def _that_may_be(columns: Sequence[str], what: str) -> list[int]:
    """Return the columns that are called as one of `what` is: of patients all, which are compared, of others the best names."""
    if what == "patient":
        return [at for at, name in enumerate(columns) if called_patient(name)]
    # Under its plain name a column goes before all that are called otherwise, and one of an English name before a German.
    fits = [at for at, name in enumerate(columns) if name == what]
    for names in (COMMON_NAMES[what], GERMAN_NAMES.get(what, ())):
        fits = fits or [at for at, name in enumerate(columns) if plain(name) in names]
    return fits


def _taken(found: Mapping[str, int | None]) -> set[int]:
    return {position for position in found.values() if position is not None}


def _unread_labels(columns: Sequence[str], taken: Set[int]) -> list[str]:
    """Return names of columns that are called like labels and are not taken, in quotes."""
    return [f"'{name}'" for position, name in enumerate(columns) if position not in taken and like_labels(name)]


def _unread_patients(columns: Sequence[str], taken: Set[int]) -> list[str]:
    """Return names of columns that are called like patients and are not taken, in quotes."""
    return [f"'{name}'" for at, name in enumerate(columns) if at not in taken and like_patients(name)]


def names_paths(column: str) -> bool:
    """Return whether a column is not called as one of what files and folders are sometimes named after."""
    return plain(column) not in _ELSE_PATHS


def _else_path(columns: Sequence[str]) -> int | None:
    fits = [position for position, name in enumerate(columns) if plain(name) in _ELSE_PATHS]
    return fits[0] if len(fits) == 1 else None


def _missing(table: Path, cells: Cells, *wanted: str) -> FewscanError:
    """Return the refusal of a table that has none of the `wanted` columns, with all options that it then takes."""
    if line := _line_of_names(cells):
        return FewscanError(
            f"{table}: its first line holds only one cell, and names of columns seem to stand in row {line}: remove the rows "
            "above that one"
        )
    guesses = [_guess(cells, what) for what in wanted]
    names = ["NAME" if guess is None else f"'{guess}'" for guess in guesses]
    add = " ".join(f"{_OPTIONS[what]} {name}" for what, name in zip(wanted, names, strict=True) if what in _OPTIONS)
    if None not in guesses:
        meant = " and ".join(names)
        hint = f"did you mean {meant}?" + (f" Then add {add}" if add else "")
    else:
        # A CSV without names of columns begins with a row, which may hold a patient's name or number: it is not repeated.
        count = counted(sum(map(bool, cells.columns)), "column")
        if names := _surely_names(cells):
            count += f" ({listed(names, _NAMES_SHOWN)})"
        way = f"add {add}, or " if add else ""
        hint = f"it has {count}, which its first line should name: {way}write path,label,patient there, for example"
    no_path = "path" in wanted and _of_file_names(cells) is None
    if no_path and any(map(names_headers, cells.columns)):
        hint += f"; {HEADERS}"
    kind = NoFileNamedError if no_path else FewscanError
    return kind(f"{table} has no column '{_AND_NONE.join(wanted)}': {hint}")


def _line_of_names(cells: Cells) -> int | None:
    """Return the line that seems to name the columns where the first one is a title, of one cell; None where it is not."""
    if not cells.columns[0] or any(cells.columns[1:]):
        return None
    filled = [sum(map(bool, map(str.strip, row))) for _, row in cells.rows]
    most = max(filled, default=0)
    if most < 2:
        return None
    at = filled.index(most)
    line, names = cells.rows[at]
    return line if _surely_names(Cells(tuple(map(str.strip, names)), cells.rows[at + 1 :])) else None


def _surely_names(cells: Cells) -> list[str]:
    """Return the columns' names in quotes, for a message; none unless the first line surely names columns and holds no data."""
    called = [called_patient(name) or any(_that_may_be([name], what) for what in COMMON_NAMES) for name in cells.columns]
    again = [any(cell(row, at) == name for _, row in cells.rows) for at, name in enumerate(cells.columns)]
    is_header = _of_file_names(cells) is not None
    if not is_header and not any(is_name and not twice for is_name, twice in zip(called, again, strict=True)):
        return []
    if any(_FILE_NAME.fullmatch(name) or twice for name, twice in zip(cells.columns, again, strict=True) if name):
        return []
    return [f"'{name}'" for name in cells.columns if name and not may_be_data(name)]


def _guess(cells: Cells, wanted: str) -> str | None:
    """Return which column may be meant, by its name, or for paths by its cells first."""
    if wanted == "path" and (of_files := _of_file_names(cells)):
        return of_files
    if close := _close(cells.columns, wanted):
        return close
    return next((name for name in cells.columns if name and wanted == "label" and like_labels(name)), None)


def _of_file_names(cells: Cells) -> str | None:
    """Return the one column of which every cell ends as the name of a file does; None where its first cell does, too."""
    fits = []
    for position, name in enumerate(cells.columns):
        texts = [text for _, row in cells.rows if (text := cell(row, position)) is not None]
        if texts and all(map(_FILE_NAME.fullmatch, texts)):
            fits.append(name)
    return fits[0] if len(fits) == 1 and fits[0] and not may_be_data(fits[0]) and "." not in fits[0] else None


def _close(columns: Sequence[str], wanted: str) -> str | None:
    names = [name for name in columns if name and not may_be_data(name)]
    close = difflib.get_close_matches(wanted, names, n=1)
    return close[0] if close else None
