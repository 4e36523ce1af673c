"""What folders and files say of the images, and what tables add to it or put in its place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from fewscan.errors import FewscanError, Reasons
from fewscan.images.classes import IN_PLACE, MAX_CLASSES
from fewscan.images.options import TableOptions
from fewscan.images.patients import patient_key, scopes_of
from fewscan.images.sources import ScanFile, Source, file_place, is_inside, real_path
from fewscan.images.tables.columns import NoFileNamedError
from fewscan.images.tables.finding import Found, Places
from fewscan.images.tables.headers import ByNumber, HeaderNumbers
from fewscan.images.tables.in_names import patients_in_names
from fewscan.images.tables.pointing import pointed
from fewscan.images.tables.reading import read_cells, refuse_idle_for_text
from fewscan.images.tables.rows import Row, rows_of
from fewscan.images.tables.said import Naming, Said, add_rows, naming_of, said_of, whole_said
from fewscan.wording import counted, listed

_NAMES_SHOWN = 4


def label_from_tables(
    scans: Sequence[ScanFile],
    sources: Sequence[Source],
    tables: Sequence[Path],
    options: TableOptions,
    rename: Mapping[str, str],
) -> list[ScanFile]:
    """Return the images with what tables say of them, and rows whose image is not there, set aside.

    A row speaks of an image, of all images of a file, or of a folder; what is closer to the image goes first. Labels of a table
    go before those of folders and files, with a note where they differ; what a network predicted goes after both. Where the
    folders of a source and the tables share no class, folders are no classes; see `_with_folders` for what is asked then.

    Raises FewscanError where a table cannot be read, contradicts itself or another, or names no image or too many classes.
    """
    if not tables:
        _refuse_without_tables(options)
        return list(scans)
    refuse_idle_for_text(tables, options.encoding, options.separator)
    if options.labels_only:
        scans = [replace(scan, label=None, label_from=None, label_level=None, label_whole=None) for scan in scans]
    places, numbers = Places(scans, sources), HeaderNumbers(lambda: scans)
    naming = naming_of(rename, options.no_label)
    said: dict[str, Said] = {}
    missing: list[Row] = []
    without_labels: list[str] = []
    for table in tables:
        rows, found, by_path = _pointed(table, sources, places, numbers, options, rename)
        _require_few_classes(rows, found, places, naming)
        add_rows(said, rows, found, places, naming, options.several)
        without_labels += [] if any(row.about_labels for row in rows) else [table.name]
        missing += [row for row, hit in zip(rows, found, strict=True) if hit is None and by_path]
    spoken_of = list(dict.fromkeys(places.source(place) for place in said))
    overlaid = _overlaid(scans, sources, places, said, options, naming)
    if all(scan.label is None and not scan.disputed for scan in overlaid):
        overlaid = _noted_without_labels(overlaid, sources, without_labels)
    absent: dict[tuple[str, str], ScanFile] = {}
    for row in missing:
        scan = _missing_scan(row, sources, spoken_of[0])
        absent.setdefault((scan.source, scan.relative), scan)
    order = {source.name: number for number, source in enumerate(sources)}
    # Sorting keeps the images of a file in their order, slice 9 before slice 10.
    return sorted([*overlaid, *absent.values()], key=lambda scan: (order[scan.source], scan.file))


def _pointed(
    table: Path,
    sources: Sequence[Source],
    places: Places,
    numbers: HeaderNumbers,
    options: TableOptions,
    rename: Mapping[str, str],
) -> tuple[list[Row], list[Found | None], bool]:
    """Return the rows of a table, where each points, and whether that is by path; raises FewscanError for unclear ones."""
    cells = read_cells(table, options.encoding, options.separator)

    def read(asked: TableOptions, by: ByNumber | None) -> list[Row]:
        return rows_of(table, cells, asked, rename, by=by)

    try:
        rows, looked, _, number = pointed(table, cells, options, sources, read, lambda _: places, numbers)
    except NoFileNamedError as error:
        raise FewscanError(f"{error}{patients_in_names(cells, [scan.file for scan in places.scans])}") from None
    with Reasons(f"{table} cannot be read") as reasons:
        reasons.add(*(str(one) for one in looked if isinstance(one, FewscanError)))
    return rows, [one for one in looked if not isinstance(one, FewscanError)], number is None


def _require_few_classes(rows: Sequence[Row], found: Sequence[Found | None], places: Places, naming: Naming) -> None:
    """Raise FewscanError where a table gives the images more classes than there may be, as free text does."""
    hits = [(row, hit) for row, hit in zip(rows, found, strict=True) if hit is not None and row.label is not None]
    named = {naming(places.source(hit.place), str(row.label)) for row, hit in hits}
    classes = [name for name in named if not name.startswith(IN_PLACE)]
    if len(classes) > MAX_CLASSES:
        row = hits[0][0]
        column = "its columns of 0 and 1 name" if row.label_column is None else f"its column '{row.label_column}' names"
        raise FewscanError(
            f"{row.table}: {column} {len(classes)} classes, more than the limit of {MAX_CLASSES}: if that is free text, choose "
            "the column of the classes with --label-column, or write a class for each image"
        )


def _noted_without_labels(scans: Sequence[ScanFile], sources: Sequence[Source], tables: Sequence[str]) -> list[ScanFile]:
    """Return the images of sources that may have labels with a note of the tables in which no column holds any."""
    labeled = {source.name for source in sources if source.labeled}
    hint = "its first line must name the columns (--label-column says which column holds the labels)"
    notes = [f"no column of labels was found in {table}: {hint}" for table in tables]
    return [replace(scan, notes=(*scan.notes, *notes)) if scan.source in labeled else scan for scan in scans]


def _refuse_without_tables(options: TableOptions) -> None:
    for name, field in TableOptions.model_fields.items():
        if name != "no_label" and getattr(options, name) != field.default:  # names of folders are such words, too
            raise FewscanError(f"--{name.replace('_', '-')} applies to tables: give one with --labels")


def _overlaid(
    scans: Sequence[ScanFile],
    sources: Sequence[Source],
    places: Places,
    said: Mapping[str, Said],
    options: TableOptions,
    naming: Naming,
) -> list[ScanFile]:
    """Return the images with what is said of them, and without labels from folders that are no classes."""
    of_each = [said_of(of, said) for of in places.of_each]
    unlabeled = {source.name for source in sources if not source.labeled}
    no_classes = _without_classes(scans, of_each, options, naming)
    wholes = places.wholes(said, (scan.set_aside is None for scan in scans))
    overlaid = []
    for scan, of in zip(scans, of_each, strict=True):
        if scan.label_from == "folder" and scan.source in no_classes:
            note = "folder names are not taken as classes, because tables name others"
            scan = replace(scan, label=None, label_from=None, label_level=None, label_whole=None, notes=(*scan.notes, note))
        if of is not None:
            scan = _with_said(scan, of, naming, whole_said(of, wholes), labeled=scan.source not in unlabeled)
        overlaid.append(scan)
    return overlaid


def _without_classes(
    scans: Sequence[ScanFile], of_each: Sequence[Said | None], options: TableOptions, naming: Naming
) -> set[str]:
    """Return the sources whose folders are no classes, since the tables name others, and name them for every image.

    Raises FewscanError where some images have only their folder's name: whether that is a class cannot be known then.
    """
    if options.labels_only is not None:
        return set()
    tables: dict[str, dict[str, str]] = {}
    folders: dict[str, dict[str, str]] = {}
    left: dict[str, int] = {}
    for scan, of in zip(scans, of_each, strict=True):
        row = None if of is None else of.label
        for label in () if row is None else row.said:
            if not (key := naming(scan.source, label)).startswith(IN_PLACE):
                tables.setdefault(scan.source, {})[key] = label
        if scan.label is not None and scan.label_from == "folder" and scan.set_aside is None:
            folders.setdefault(scan.source, {})[naming(scan.source, scan.label)] = scan.label
            left[scan.source] = left.get(scan.source, 0) + (of is None or not of.about_labels)
    apart = {source for source in tables.keys() & folders.keys() if not tables[source].keys() & folders[source].keys()}
    for source in sorted(apart):
        if left[source]:
            names = [listed(sorted(of[source].values()), _NAMES_SHOWN) for of in (tables, folders)]
            raise FewscanError(
                f"source '{source}': tables name the classes {names[0]}, folders {names[1]}, and "
                f"no table names {counted(left[source], 'image')}: add --labels-only if these folders are not classes, or "
                "--labels-and-folders if they are"
            )
    return apart


def _with_said(scan: ScanFile, of: Said, naming: Naming, whole: str | None, *, labeled: bool) -> ScanFile:
    changes: dict[str, Any] = {}
    notes = [*scan.notes, *of.notes]
    if labeled and of.label is not None:
        said, takes = _label(scan, of.label, naming)
        notes += said
        changes |= takes | ({"label_whole": whole} if takes else {})
    if of.split is not None:
        if scan.given_split not in (None, of.split.split):
            notes.append(
                f"{of.split.table.name} gives another part of the split than its folder or file, and the table's is taken"
            )
        changes["given_split"] = of.split.split
    if of.patient is not None:
        changes |= _patient(scan, of.patient)
    return replace(scan, notes=tuple(dict.fromkeys(notes)), **changes)


def _label(scan: ScanFile, row: Row, naming: Naming) -> tuple[list[str], dict[str, Any]]:
    """Return what is to be said of an image and a row with a label, and what the image takes from the row."""
    said = []
    if scan.label is not None and (row.label is None or naming(scan.source, scan.label) != naming(scan.source, row.label)):
        where = "the folder" if scan.label_from == "folder" else "the file"
        taken = "but a prediction changes no label" if row.predicted else "and the table's is taken"
        words = (row.label or "several findings").replace(IN_PLACE, "")
        said.append(f"{row.table.name} gives another label than {where}, {taken}: '{words}' instead of '{scan.label}'")
    if scan.label is not None and row.predicted:
        return said, {}
    disputed = row.findings if row.disputed else ()
    takes = {"label": row.label, "disputed": disputed, "said_in": row.said_in}
    return said, takes | {"label_from": row.origin if row.said else None, "label_level": None}


def _patient(scan: ScanFile, row: Row) -> dict[str, Any]:
    """Return what an image takes from a row with a patient: one number in one table is one patient."""
    table = f"csv {_place_of(row.table)}"
    scopes = (*scopes_of(scan.source), table)
    also = [(f"{scope}, column {column}", said) for column, said in row.patient_columns for scope in scopes]
    # What the file's header says too, the table only repeats.
    if scan.patient is not None and patient_key(scan.patient) in {patient_key(said) for _, said in row.patient_columns}:
        also += [*((scope, scan.patient) for scope in scan.patient_scopes), *scan.patient_also]
    known = {"patient": row.patient, "patient_known": True, "patient_from": f"the table {row.table.name}"}
    return known | {"patient_scopes": (table,), "patient_also": tuple(also)}


@cache
def _place_of(table: Path) -> Path:
    return file_place(table)


def _missing_scan(row: Row, sources: Sequence[Source], otherwise: str) -> ScanFile:
    path = row.table.parent / row.path
    file, sign, _ = row.path.rpartition("#")
    in_file = sign and any((folder / file).is_file() for folder in (row.table.parent, *(one.folder for one in sources)))
    what = (
        "no such image: its file has none of that name, or it is not a slice that --plane and --slices choose;"
        if in_file
        else "no such file:"
    )
    reason = f"{what} named in {row.where}"
    for source in sources:
        if is_inside(path, source.folder):
            relative = real_path(path).relative_to(real_path(source.folder)).as_posix()
            return ScanFile(source.name, relative, path, set_aside=reason, said_in=row.said_in)
    return ScanFile(otherwise, row.path, path, set_aside=reason, said_in=row.said_in)
