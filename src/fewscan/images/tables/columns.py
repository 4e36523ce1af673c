"""The names of a table's columns -> which of them holds paths, labels, patients and splits."""

import difflib
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fewscan.errors import FewscanError
from fewscan.images.options import TableOptions
from fewscan.images.tables.alike import labels_column, patients_column
from fewscan.images.tables.reading import Cells, cell, plain
from fewscan.wording import counted

# What columns are commonly called, without case, spaces and punctuation; the first of each goes before the others.
_COMMON_NAMES = {
    "path": (
        *(
            "path",
            "file",
            "filename",
            "filepath",
            "filelocation",
            "image",
            "imagepath",
            "imagefile",
            "imagefilename",
            "imageid",
        ),
        *(
            "imagename",
            "imageindex",
            "img",
            "imgpath",
            "imgname",
            "imgid",
            "picture",
            "scan",
            "slice",
            "dicom",
            "isicid",
            "png",
        ),
    ),
    "label": (
        *("label", "labels", "class", "classname", "category", "diagnosis", "dx", "target", "finding", "findings"),
        *("findinglabel", "findinglabels", "groundtruth"),
    ),
    "patient": ("patient", "patientid", "patientnumber", "patientname", "pid", "subject", "subjectid", "participantid"),
    "split": ("split", "subset", "partition"),
}
# What they are called in German, where no column is called as above.
_GERMAN_NAMES: dict[str, tuple[str, ...]] = {
    "path": ("datei", "dateiname", "dateipfad", "pfad", "bild", "bilddatei", "bildname"),
    "label": ("befund", "befunde", "diagnose", "klasse"),
}
# What paths are called where no column is called so plainly: files and folders named by a number, or by a patient's.
_ELSE_PATHS = ("id", "idcode", *_COMMON_NAMES["patient"])
_OPTIONS = {"path": "--path-column", "label": "--label-column", "patient": "--patient-column", "split": "--split-column"}
# Of fewscan's own tables: what is said beside a label.
_BESIDE_LABELS = ("labelstate", "labelprobability")
# A column is called like one of labels where it is as like as that to one of the common names, or holds one that is so long.
_AS_LIKE = 0.8
_SO_LONG = 5
# A column is one of patients by such a word, and what numbers and codes are called behind it: PatientenID, Pat.-Nr., MRN. With
# anything before, `inpatient` too, and where it numbers cases, of which a patient may have several, it is only called like one.
_CODE = r"(u?id|nr|no|n[uú]m(ber|mer|[eé]ro)?|code|key|hash|name|nombre)"
# Before the word: ID del paciente, nom du patient.
_CODE_OF = r"(u?id|n[uú]m([eé]ro)?|code|name|nombre|nom)(of|de|del|du|des|della?|d)?"
_PERSON = r"(patient|subject|participant|proband|paciente|paziente)(s|in|en|innen)?"
_PATIENTS = rf"{_PERSON}{_CODE}?|{_CODE_OF}{_PERSON}|pat{_CODE}|mrn|(medical)?recordnumber"
_OF_PATIENTS = re.compile(_PATIENTS)
_LIKE_PATIENTS = re.compile(rf".*({_PATIENTS})|case(id|no|number)|fall(id|nr|nummer)")
# Numbers that stand in headers of DICOM files, besides the patient's.
_OF_HEADERS = re.compile(r"accession(nr|no|number|nummer)?|(study|series|sop)(instance)?uid")
HEADERS = "rows find files by name, not by numbers in their headers; docs/labels.md shows how to add a column of paths"
_AND_NONE = "' and no column '"
_FILE_NAME = re.compile(r".+\.[A-Za-z]\w{1,4}(\.gz)?")
_ZERO_OR_ONE = re.compile(r"[01]([.,]0*)?")


@dataclass(frozen=True)
class Columns:
    """Positions of the columns that are used; `one_hot` are those of 0 and 1 that are classes each, by name."""

    path: int
    label: int | None = None
    patient: int | None = None
    split: int | None = None
    one_hot: tuple[tuple[int, str], ...] = ()
    patients: tuple[int, ...] = ()  # all that name the patient, unless one was asked for
    taken: str = ""  # in words, where a column goes by another name than `path`, `label`, `patient` or `split`

    @property
    def has_labels(self) -> bool:
        """Whether any column says labels."""
        return self.label is not None or bool(self.one_hot)


def find_columns(table: Path, cells: Cells, options: TableOptions, *, labels_alone: bool = False) -> Columns:
    """Return which columns to read: those that `options` name, else those that go by a common name, where one alone does.

    labels_alone: columns of patients and splits are not looked for.

    Raises FewscanError where a column is asked for and not there, where several fit, and where nothing is said of images.
    """
    asked = {"path": options.path_column, "label": options.label_column, "patient": options.patient_column}
    asked |= {"split": options.split_column}
    one_hot = _asked_one_hot(cells, asked["label"])
    if one_hot:
        asked["label"] = None
    left = ("patient", "split") if labels_alone else ()
    positions = {what: _position(table, cells, what, name, options) for what, name in asked.items() if what not in left}
    found: dict[str, int | None] = {what: positions[what].at if what in positions else None for what in asked}
    beside = {at for at, name in enumerate(cells.columns) for what in left if plain(name) in _COMMON_NAMES[what]}
    # Beside a column of files' names one of patients or numbers is hardly that of the paths.
    unsure = found["path"] is None and _of_file_names(cells) is not None
    if found["path"] is None:
        found["path"] = _else_path(cells.columns)
    lacking: list[str] = []
    if one_hot:
        found["label"] = None
    elif found["label"] is None:
        one_hot = _one_hot(cells, _taken(found) | beside)
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
    said = [f"{what} in '{cells.columns[at]}'" for what, at in found.items() if at is not None and cells.columns[at] != what]
    if one_hot:
        said.append(f"label in the columns {', '.join(name for _, name in one_hot)}")
    if unread := _unread_labels(cells.columns, _taken(found) | {position for position, _ in one_hot}):
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
        common = _COMMON_NAMES[what]
        return [at for at, name in enumerate(columns) if plain(name) in common or _of_patients(name, _OF_PATIENTS)]
    # Under its plain name a column goes before all that are called otherwise, and one of an English name before a German.
    fits = [at for at, name in enumerate(columns) if name == what]
    for names in (_COMMON_NAMES[what], _GERMAN_NAMES.get(what, ())):
        fits = fits or [at for at, name in enumerate(columns) if plain(name) in names]
    return fits


def _taken(found: Mapping[str, int | None]) -> set[int]:
    return {position for position in found.values() if position is not None}


def _unread_labels(columns: Sequence[str], taken: Set[int]) -> list[str]:
    """Return names of columns that are called like labels and are not taken, in quotes."""
    return [f"'{name}'" for position, name in enumerate(columns) if position not in taken and _like_labels(name)]


def _unread_patients(columns: Sequence[str], taken: Set[int]) -> list[str]:
    """Return names of columns that are called like patients and are not taken, in quotes."""
    return [f"'{name}'" for at, name in enumerate(columns) if at not in taken and _of_patients(name, _LIKE_PATIENTS)]


def _of_patients(name: str, pattern: re.Pattern[str]) -> bool:
    return pattern.fullmatch(plain(name)) is not None and not _may_be_data(name)


def _like_labels(name: str) -> bool:
    text, common = plain(name), (*_COMMON_NAMES["label"], *_GERMAN_NAMES["label"])
    if text in _BESIDE_LABELS or _may_be_data(name):
        return False
    return any(len(one) >= _SO_LONG and one in text for one in common) or bool(
        difflib.get_close_matches(text, common, n=1, cutoff=_AS_LIKE)
    )


def _may_be_data(name: str) -> bool:
    """Return whether a name may be a patient's number: of a table whose first line names no columns."""
    return any(letter.isdigit() for letter in name)


def names_patients(column: str) -> bool:
    """Return whether a column is called as those of patients are."""
    return plain(column) in _COMMON_NAMES["patient"]


def names_headers(column: str) -> bool:
    """Return whether a column is called as one of numbers that are in headers, and name no file."""
    return _of_patients(column, _OF_PATIENTS) or _OF_HEADERS.fullmatch(plain(column)) is not None


def _else_path(columns: Sequence[str]) -> int | None:
    fits = [position for position, name in enumerate(columns) if plain(name) in _ELSE_PATHS]
    return fits[0] if len(fits) == 1 else None


def _missing(table: Path, cells: Cells, *wanted: str) -> FewscanError:
    """Return the refusal of a table that has none of the `wanted` columns, with all options that it then takes."""
    guesses = [_guess(cells, what) for what in wanted]
    names = ["NAME" if guess is None else f"'{guess}'" for guess in guesses]
    add = " ".join(f"{_OPTIONS[what]} {name}" for what, name in zip(wanted, names, strict=True) if what in _OPTIONS)
    if None not in guesses:
        meant = " and ".join(names)
        hint = f"did you mean {meant}?" + (f" Then add {add}" if add else "")
    else:
        # A CSV without names of columns begins with a row, which may hold a patient's name or number: it is not repeated.
        count = counted(sum(map(bool, cells.columns)), "column")
        way = f"add {add}, or " if add else ""
        hint = f"it has {count}, which its first line should name: {way}write path,label,patient there, for example"
    if "path" in wanted and guesses[0] is None and any(map(names_headers, cells.columns)):
        hint += f"; {HEADERS}"
    return FewscanError(f"{table} has no column '{_AND_NONE.join(wanted)}': {hint}")


def _guess(cells: Cells, wanted: str) -> str | None:
    """Return which column may be meant, by its name, or for paths by its cells first."""
    if wanted == "path" and (of_files := _of_file_names(cells)):
        return of_files
    if close := _close(cells.columns, wanted):
        return close
    return next((name for name in cells.columns if name and wanted == "label" and _like_labels(name)), None)


def _of_file_names(cells: Cells) -> str | None:
    """Return the one column of which every cell ends as the name of a file does; None where its first cell does, too."""
    fits = []
    for position, name in enumerate(cells.columns):
        texts = [text for _, row in cells.rows if (text := cell(row, position)) is not None]
        if texts and all(map(_FILE_NAME.fullmatch, texts)):
            fits.append(name)
    return fits[0] if len(fits) == 1 and fits[0] and not _may_be_data(fits[0]) and "." not in fits[0] else None


def _close(columns: Sequence[str], wanted: str) -> str | None:
    names = [name for name in columns if name and not _may_be_data(name)]
    close = difflib.get_close_matches(wanted, names, n=1)
    return close[0] if close else None


def _asked_one_hot(cells: Cells, asked: str | None) -> tuple[tuple[int, str], ...]:
    """Return the columns that were asked for as NAME,NAME and are all there; none where one column has that very name."""
    if asked is None or asked in cells.columns:
        return ()
    names = [name.strip() for name in asked.split(",")]
    return tuple((cells.columns.index(name), name) for name in names) if set(names) <= set(cells.columns) else ()


def _one_hot(cells: Cells, taken: set[int]) -> tuple[tuple[int, str], ...]:
    """Return the columns of 0 and 1, of which one alone is 1 in every row; none where there is no such set of two or more."""
    columns = [
        (position, name)
        for position, name in enumerate(cells.columns)
        if name and position not in taken and all(_ZERO_OR_ONE.fullmatch(cell(row, position) or "") for _, row in cells.rows)
    ]
    single = all(sum(is_one(row, position) for position, _ in columns) == 1 for _, row in cells.rows)
    return tuple(columns) if len(columns) > 1 and cells.rows and single else ()


def is_one(row: Sequence[str], position: int) -> bool:
    """Return whether a cell holds 1, as `1` or `1.0`."""
    return (cell(row, position) or "").startswith("1")
