"""A table -> what it says of the rows of a dataset, and the table that says of them what the log does.

Beside a label, a scan can be `unsure`, `not a scan`, or have none: `tables.rows` reads these words.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from fewscan.errors import FewscanError
from fewscan.images.classes import IN_PLACE, fit_classes, said_in_place
from fewscan.images.formats.image import HEADER_NUMBERS
from fewscan.images.labeled_whole import for_whole
from fewscan.images.notes import of_spelling
from fewscan.images.options import TableOptions, words_for_no_label
from fewscan.images.sources import ScanFile, Source, file_and_part
from fewscan.images.table_rows import TableRows, standing
from fewscan.images.tables.finding import Found, Places
from fewscan.images.tables.headers import ByNumber, HeaderNumbers
from fewscan.images.tables.pointing import Pointed, pointed
from fewscan.images.tables.reach import within_reach
from fewscan.images.tables.reading import cell, read_cells, refuse_idle_for_text
from fewscan.images.tables.rows import STATE_COLUMN, Row, rows_of
from fewscan.images.tables.said import Said, add_rows, naming_of, said_of, whole_said
from fewscan.images.tables.several import differing_note
from fewscan.labels.log import STATES, State
from fewscan.labels.standing import Numbers
from fewscan.wording import listed

# What can be said of a scan that has no class.
NO_LABELS: tuple[State, ...] = ("unsure", "not a scan")

# Images, and texts of a table -> these images with the numbers in their headers, and their patients' where among the texts.
Numbered = Callable[[list[ScanFile], Collection[str]], list[ScanFile]]


class Repeated(NamedTuple):
    """How many rows of a table name what another row of it names, too, and of how many scans they agree and differ.

    `note` is what comes of those that differ, as the notes have it, and `examples` are these, in words.
    """

    rows: int = 0
    agreeing: int = 0
    differing: int = 0
    note: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statements:
    """What a table says: of row rows[i] of the dataset that it is states[i], with labels[i] where that is "label".

    A row stands several times, one after the other, where rows of the table contradict each other.
    `missing` and `unclear` are rows of the table that name no image, or several, in words. `silent` counts rows of the dataset
    that the table names and says nothing of, `notes` how often what was noticed of others. `new_in` says of classes that are
    new in which rows of the table they stand, `said_in` of each statement, `by_header` whether it names them by
    numbers that only headers have. `named` are the numbers of the table's rows that name an image.
    """

    origin: str
    predicted: bool
    table_rows: int
    rows: Numbers
    states: tuple[State, ...]
    labels: tuple[str | None, ...]
    origins: tuple[str, ...]  # of each; `origin` unless it is said of a whole study, say, or labels of another one only teach
    silent: int
    by_header: bool
    missing: tuple[str, ...]
    unclear: tuple[str, ...]
    notes: Mapping[str, int]
    new_in: Mapping[str, Sequence[TableRows]] = field(default_factory=dict)
    said_in: tuple[TableRows, ...] = ()
    named: tuple[int, ...] = ()
    repeated: Repeated = field(default_factory=Repeated)


def read_statements(
    table: Path,
    images: pd.DataFrame,
    sources: Sequence[Source],
    classes: Collection[str],
    options: TableOptions,
    rename: Mapping[str, str],
    numbered: Numbered,
) -> Statements:
    """Read a table as `import` does, and find its rows among the images of a dataset: the columns source, path
    and set_aside.

    classes: those that the dataset has; labels that are spelled otherwise are refused, and `rename` says what they are called.
    numbered: is asked where rows name no image by path.

    Raises FewscanError where the table cannot be read, contradicts itself, or names no image at all.
    """
    (rows, looked, places, number), near = _pointed(table, images, sources, classes, options, rename, numbered)
    found = [one if isinstance(one, Found) else None for one in looked]
    said: dict[str, Said] = {}
    add_rows(said, rows, found, places, naming_of(rename, options.no_label), options.several)
    of_each = [said_of(of, said) for of in places.of_each]
    wholes = places.wholes(said, images["set_aside"].isna().iloc[near])
    spoken_of = [place for place, one in enumerate(of_each) if one is not None]
    said_rows = [None if one is None else one.label for one in of_each]
    names = [(place, (places.scans[place].source, label)) for place, row in enumerate(said_rows) if row for label in row.said]
    rows_of = standing(pair for row in said_rows if row for pair in zip(row.said, row.said_in, strict=False))
    fitted = fit_classes({name for _, name in names}, classes, rename, options.no_label, lambda: rows_of)
    stated = dict.fromkeys((place, fitted[name]) for place, name in names if fitted[name] != IN_PLACE)
    stating, labels = [place for place, _ in stated], [label for _, label in stated]
    notes = Counter(note for one in of_each if one is not None for note in dict.fromkeys(one.notes))
    named_again = [one for one in of_each if one is not None and one.rows > 1]
    differing = sum(one.differ for one in named_again)
    return Statements(
        origin=replace(rows[0], chosen=None).origin,
        predicted=rows[0].predicted,
        table_rows=len(rows),
        rows=near[stating],
        states=tuple(state_of(label) for label in labels),
        labels=tuple(None if label.startswith(IN_PLACE) else label for label in labels),
        origins=tuple(_origin(one, wholes) for place in stating if (one := of_each[place]) is not None),
        silent=len(spoken_of) - len({*stating}),
        by_header=number in HEADER_NUMBERS,
        missing=tuple(_called(row, by_path=number is None) for row, one in zip(rows, looked, strict=True) if one is None),
        unclear=tuple(str(one) for one in looked if isinstance(one, FewscanError)),
        notes={note: notes[note] for note in sorted(notes, key=of_spelling)},
        new_in=standing((fitted[name], rows) for name in fitted for rows in rows_of[name[1]] if fitted[name] not in classes),
        said_in=tuple(row.where for place in stating if (row := said_rows[place]) is not None),
        named=tuple(line for row, one in zip(rows, found, strict=True) if one is not None for line in row.where.rows),
        repeated=Repeated(
            rows=sum(one.rows for one in said.values() if one.rows > 1),
            agreeing=len(named_again) - differing,
            differing=differing,
            note=differing_note(table, options.several),
            # Once for all images of a whole study.
            examples=tuple(dict.fromkeys(_differing(one) for one in named_again if one.differ)),
        ),
    )


def _pointed(
    table: Path,
    images: pd.DataFrame,
    sources: Sequence[Source],
    classes: Collection[str],
    options: TableOptions,
    rename: Mapping[str, str],
    numbered: Numbered,
) -> tuple[Pointed, Numbers]:
    """Return the rows of a table and where each points, and the numbers, in the dataset, of the images among these places."""
    refuse_idle_for_text([table], options.encoding, options.separator)
    cells = read_cells(table, options.encoding, options.separator)
    near = everything = np.arange(len(images))

    def read(asked: TableOptions, by: ByNumber | None) -> list[Row]:
        rows = rows_of(table, cells, asked, rename, classes, labels_alone=True, by=by)
        if not rows[0].about_labels:
            raise FewscanError(f"{table} has no column 'label': choose one with --label-column")
        return rows

    def places_of(rows: Sequence[Row] | None) -> Places:
        nonlocal near
        near = everything if rows is None else within_reach(rows, sources, images)
        return Places(scans_of(images.iloc[near], sources), sources)

    texts = {text for _, row in cells.rows for at in range(len(cells.columns)) if (text := cell(row, at)) is not None}
    numbers = HeaderNumbers(lambda: numbered(scans_of(images, sources), texts))
    found = pointed(table, cells, options, sources, read, places_of, numbers)
    return found, near


def _called(row: Row, *, by_path: bool) -> str:
    """Return what a row is called in a message; a number of headers is for none."""
    return f"{row.where}: '{row.path}'" if by_path else str(row.where)


def _origin(one: Said, wholes: Mapping[str, str]) -> str:
    """Return where what is said of a place comes from."""
    assert one.label is not None
    return for_whole(one.label.origin, whole_said(one, wholes))


def _differing(one: Said) -> str:
    """Return what rows of a table say of a place where they differ: `labels.csv, rows 2 and 4: 'glioma' and 'pituitary'`."""
    assert one.label is not None
    findings = [f"'{label.removeprefix(IN_PLACE)}'" for label in one.label.findings]
    return f"{one.label.where}: {listed(findings)}"


def find_scan(name: str, images: pd.DataFrame, sources: Sequence[Source]) -> Numbers:
    """Return the rows that a scan's number or path means; of a file with several images, and of a folder, all of them.

    Raises FewscanError where there is none, or where a path fits several places.
    """
    if name.isdecimal():
        if int(name) >= len(images):
            raise FewscanError(f"there is no scan {name}: the dataset has scans 0 to {len(images) - 1}")
        return np.array([int(name)], dtype=np.int64)
    row = Row(table=Path("here"), where=TableRows("the scan", ()), path=name)
    near = within_reach([row], sources, images)
    scans = scans_of(images.iloc[near], sources)
    places = Places(scans, sources)
    (found,) = places.find([row]) if scans else (None,)
    if found is None:
        raise FewscanError(f"the dataset has no scan '{name}': give its path or its number")
    return near[[found.place in of for of in places.of_each]]


def table_of(current: pd.DataFrame, images: pd.DataFrame, sources: Sequence[Source]) -> pd.DataFrame:
    """Return the table that says of images what `LabelLog.current` holds: the columns path, label, label_state, origin.

    Of a row of which nothing holds, or which is disputed, it says nothing.
    """
    folders = {source.name: str(source.folder) for source in sources}
    state = current["state"].where((current["entry"] > 0) & ~current["disputed"], "")
    # A label that would be read as something else is said to be one.
    other = {name for name in current["label"].dropna().unique() if _reads_otherwise(name)}
    state = state.where((state != "label") | current["label"].isin(other), "")
    return pd.DataFrame(
        {
            "path": images["source"].map(folders).str.rstrip("/") + "/" + images["path"],
            "label": current["label"].fillna(""),
            STATE_COLUMN: state,
            "origin": current["origin"].fillna(""),
        }
    )


def choices_of(classes: Collection[str]) -> dict[str, Sequence[str]]:
    """Return what the cells of a table that `read_statements` reads may be chosen from; of no class that is there nothing.

    Without any each class would be said to be none of the list.
    """
    return {"label": (*classes, *NO_LABELS), STATE_COLUMN: STATES} if classes else {}


def scans_of(images: pd.DataFrame, sources: Sequence[Source]) -> list[ScanFile]:
    """Return images of a dataset, the columns source and path, as an import lists them, without what it knows besides."""
    folders = {source.name: source.folder for source in sources}
    scans = []
    for source, path in zip(images["source"], images["path"], strict=True):
        file, part = file_and_part(path)
        scans.append(ScanFile(source, path, folders[source] / file, part=part))
    return scans


def state_of(label: str | None) -> State:
    """Return what is said of a row by a label as `fit_classes` has it; None for no label."""
    if label is None or label == IN_PLACE:
        return "none"
    return next((state for state in STATES if label == f"{IN_PLACE}{state}"), "label")


def _reads_otherwise(label: str) -> bool:
    return label.casefold() in words_for_no_label() or said_in_place(label) is not None
