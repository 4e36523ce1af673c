"""The layouts people have their scans in -> one list of images with what is known of each."""

import csv
import difflib
import itertools
import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fewscan.config import nearest
from fewscan.data.formats.image import Contents, UnreadableImage
from fewscan.data.formats.recognition import contents_of, holds_one_image, require_packages, silenced
from fewscan.data.formats.slices import Slices
from fewscan.data.kaggle import KAGGLE_PREFIX, KAGGLE_SETS, check_name, fetch
from fewscan.data.parallel import in_order
from fewscan.errors import FewscanError
from fewscan.progress import track

MAX_CLASSES = 100
# Fewer files are looked into before a progress bar would be read.
_FILES_WITHOUT_BAR = 20

# Folders named like these hold a part of the images, not a class of them.
PART_FOLDERS = frozenset(
    ["train", "training", "test", "testing", "val", "valid", "validation", "unlabeled", "unlabelled", "images", "data"]
)
# What operating systems leave behind; names that start with a dot are passed over as well.
SYSTEM_FILES = frozenset(["__macosx", "thumbs.db", "desktop.ini"])

# The study's sources and the stand-in for the third by name, and their spellings of its four classes.
STUDY_SOURCES = frozenset([*KAGGLE_SETS, "dubail_standin"])
STUDY_LABELS = {
    "glioma_tumor": "glioma",
    "meningioma_tumor": "meningioma",
    "pituitary_tumor": "pituitary",
    "notumor": "no_tumor",
    "normal": "no_tumor",
}


@dataclass(frozen=True)
class Source:
    """A named folder of scans; where `labeled` is false, no file in it gets a label."""

    name: str
    folder: Path
    labeled: bool = True


@dataclass(frozen=True)
class _WrittenSource:
    """A source as the user wrote it; without a folder it is yet to be fetched from Kaggle."""

    name: str
    folder: Path | None
    labeled: bool

    @property
    def place(self) -> str:
        return f"{KAGGLE_PREFIX}{self.name}" if self.folder is None else str(self.folder)


@dataclass(frozen=True)
class ScanFile:
    """An image to import: a file, or one of the images that it holds.

    `relative` is the file's path below the source's folder, with forward slashes, and after `#` the `part` of it that this
    image is (`head.nii.gz#axial=12`, `film.dcm#frame=3`); `part` is None for a file of one image. `patient` is as it was
    given, so it is for no page or message. `set_aside` is the reason why the image need not be read at all, or None.
    """

    source: str
    relative: str
    path: Path
    label: str | None = None
    patient: str | None = field(default=None, repr=False)
    set_aside: str | None = None
    part: str | None = None

    @property
    def file(self) -> str:
        """The file's path below the source's folder."""
        return self.relative if self.part is None else self.relative.removesuffix(f"#{self.part}")


@dataclass(frozen=True)
class LabelColumns:
    """What the columns of a CSV with labels are called; the patient's may be absent unless it was given another name."""

    path: str = "path"
    label: str = "label"
    patient: str = "patient"


@dataclass(frozen=True)
class _LabelRow:
    """One row of a CSV with labels; `where` says which one, for people."""

    table: Path
    where: str
    path: str
    label: str | None
    patient: str | None = field(repr=False)


def parse_sources(sources: Sequence[str], unlabeled: Sequence[str] = ()) -> tuple[Source, ...]:
    """Turn `FOLDER`, `NAME=FOLDER` and `kaggle:NAME` into sources, the unlabelled ones last.

    `kaggle:NAME` is one of KAGGLE_SETS, which is fetched (see `kaggle.fetch`); a folder of that very name goes first.

    Raises FewscanError where there are none, one is no readable folder, two have one name, or one lies inside another, and
    where one cannot be fetched.
    """
    if not sources and not unlabeled:
        raise FewscanError("no source given: name a folder of scans, as FOLDER or NAME=FOLDER")
    written = [*(_parse_source(text, True) for text in sources), *(_parse_source(text, False) for text in unlabeled)]
    _check_names(written)
    # Only now, since it may take minutes: a source that is misspelt was refused before.
    found = tuple(Source(one.name, one.folder or fetch(one.name), one.labeled) for one in written)
    _check_overlaps(found)
    return found


def list_scans(
    sources: Sequence[Source],
    labels: Sequence[str | Path] = (),
    columns: LabelColumns | None = None,
    rename: Mapping[str, str] | None = None,
    slices: Slices | None = None,
    workers: int | None = None,
) -> list[ScanFile]:
    """List every image of the sources, in their order, by path and as its file holds them, with label and patient if known.

    A file that holds several images is listed once for each: frames, pages, and of a volume those that `slices` chooses. One
    that cannot be looked into, and a row of a CSV whose file is not there, are listed as set aside. Hidden and system files are
    passed over; every other file is listed, image or not.

    The label is the name of the folder right above the file, unless that is the source's own or one of PART_FOLDERS; a label
    that the file itself holds goes before it. A CSV in `labels` that names at least one file of a source gives all labels of
    that source; it names files from its own folder, from a source's, or in full, and single images by their part besides, which
    go before their file. `rename` maps labels to other names; in the study's sources STUDY_LABELS are renamed unless it
    says otherwise. The patient comes from a CSV, else from the file's header; the images of one file without either are one
    patient's.

    Raises FewscanError for folders and CSVs that cannot be read or contradict themselves, for labels that differ only in
    spelling, for more than MAX_CLASSES classes, where a source holds no file, and where a format needs a package that is not
    installed.
    """
    tables = [Path(table) for table in labels]
    scans = _label_from_folders(sources, passed_over=tables)
    scans = _look_into(scans, sources, slices or Slices(), workers)
    if tables:
        scans = _label_from_tables(scans, sources, tables, columns or LabelColumns())
    scans = _rename(scans, rename or {})
    _check_classes(scans)
    return scans


def _parse_source(text: str, labeled: bool) -> _WrittenSource:
    if text.startswith(KAGGLE_PREFIX) and not os.path.isdir(text):  # noqa: PTH112 - as below
        name = text.removeprefix(KAGGLE_PREFIX)
        check_name(name)
        return _WrittenSource(name, None, labeled)
    name, equals, written = text.partition("=")
    if not equals or "/" in name or os.path.isdir(text):  # noqa: PTH112 - is_dir() fails in a folder without rights
        name, written = "", text
    # Not resolve(): what the dataset says of its sources should be what the user wrote.
    folder = Path(os.path.abspath(Path(written).expanduser()))  # noqa: PTH100
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except OSError as error:
        raise FewscanError(f"source '{text}': cannot open the folder {folder}: {error.strerror}; check its path") from None
    if not is_folder:
        raise FewscanError(f"source '{text}': {folder} is a file; name the folder that it is in")
    name = name.strip() or folder.name
    if not name:
        raise FewscanError(f"source '{text}' has no name of its own: write NAME={folder}")
    return _WrittenSource(name, folder, labeled)


def _check_names(written: Sequence[_WrittenSource]) -> None:
    first: dict[str, _WrittenSource] = {}
    for source in written:
        other = first.setdefault(source.name, source)
        if other is source:
            continue
        if other.place == source.place:
            raise FewscanError(f"the source {source.place} is given twice: give it once")
        raise FewscanError(
            f"two sources are called '{source.name}' ({other.place} and {source.place}): "
            f"tell them apart with NAME={source.folder or other.folder}"
        )


def _check_overlaps(sources: Sequence[Source]) -> None:
    for first, second in itertools.combinations(sources, 2):
        if _inside(second.folder, first.folder) or _inside(first.folder, second.folder):
            raise FewscanError(
                f"the sources {first.folder} and {second.folder} overlap, so that images would count twice: give only one"
            )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # resolve() fails on a loop of links


def _inside(path: Path, folder: Path) -> bool:
    return _real(path).is_relative_to(_real(folder))


def _label_from_folders(sources: Sequence[Source], passed_over: Iterable[Path]) -> list[ScanFile]:
    tables = {_real_parent(table) for table in passed_over}
    scans = []
    for source in sources:
        relatives = sorted(
            relative for relative in _walk(source.folder) if not tables or _real_parent(source.folder / relative) not in tables
        )
        if not relatives:
            raise FewscanError(f"source '{source.name}': {source.folder} holds no files")
        scans += [_scan_file(source, relative) for relative in relatives]
    return scans


def _scan_file(source: Source, relative: str) -> ScanFile:
    path = source.folder / relative
    try:
        relative.encode()
    except UnicodeEncodeError:
        written = os.fsencode(relative).decode("utf-8", "backslashreplace")
        return ScanFile(source.name, written, path, set_aside="name is not UTF-8: rename the file or its folder")
    parent = Path(relative).parent.name
    is_class = source.labeled and parent != "" and parent.lower() not in PART_FOLDERS
    return ScanFile(source.name, relative, path, label=parent if is_class else None)


def _look_into(scans: Sequence[ScanFile], sources: Sequence[Source], slices: Slices, workers: int | None) -> list[ScanFile]:
    """List the images of each file in its place, with what the file says of them."""
    to_open = [scan for scan in scans if scan.set_aside is None and not holds_one_image(scan.path)]
    if not to_open:
        return list(scans)
    require_packages([scan.path for scan in to_open])
    unlabeled = {source.name for source in sources if not source.labeled}
    looking = in_order(partial(_contents, slices=slices), [scan.path for scan in to_open], workers=workers)
    found: dict[ScanFile, list[ScanFile]] = {}
    counted = to_open if len(to_open) <= _FILES_WITHOUT_BAR else track(to_open, "look into", total=len(to_open))
    with silenced(), closing(looking) as looked_into:
        for scan, contents in zip(counted, looked_into, strict=True):
            if isinstance(contents, UnreadableImage):
                found[scan] = [replace(scan, set_aside=contents.reason)]
            else:
                found[scan] = _images(scan, contents, labeled=scan.source not in unlabeled)
    listed = [image for scan in scans for image in found.get(scan, [scan])]
    _check_unique(listed)
    return listed


def _contents(path: Path, slices: Slices) -> Contents | UnreadableImage:
    try:
        return contents_of(path, slices)
    except UnreadableImage as unreadable:
        return unreadable


def _images(scan: ScanFile, contents: Contents, *, labeled: bool) -> list[ScanFile]:
    label = contents.label if labeled and contents.label is not None else scan.label
    patient = contents.patient
    if patient is None and contents.parts != (None,):
        # The slices of a file whose patient is not known are still one head's.
        patient = f"file {scan.relative}"
    return [
        replace(
            scan,
            relative=scan.relative if part is None else f"{scan.relative}#{part}",
            part=part,
            label=label,
            patient=patient,
        )
        for part in contents.parts
    ]


def _check_unique(scans: Sequence[ScanFile]) -> None:
    first: dict[tuple[str, str], ScanFile] = {}
    for scan in scans:
        if first.setdefault((scan.source, scan.relative), scan) is not scan:
            raise FewscanError(f"'{scan.relative}' is a file and an image in another file: rename the file")


def _walk(root: Path) -> Iterator[str]:
    """Yield the paths, relative to `root`, of all files below it, each folder once, also where links make a loop."""
    seen = set()
    folders = deque([root])
    linked: deque[Path] = deque()
    while folders or linked:
        # Links last: a folder that can be reached both ways goes by its own name.
        folder = folders.popleft() if folders else linked.popleft()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise FewscanError(f"cannot read the folder {folder}: {error.strerror}; mend that, or leave it out") from None
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or entry.name.lower() in SYSTEM_FILES:
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_symlink() and os.path.isdir(path):  # noqa: PTH112 - is_dir() fails on links without rights
                linked.append(path)
            else:
                yield path.relative_to(root).as_posix()


def _label_from_tables(
    scans: Sequence[ScanFile], sources: Sequence[Source], tables: Sequence[Path], columns: LabelColumns
) -> list[ScanFile]:
    files = {path: _real_parent(path) for path in {scan.path for scan in scans}}
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
            labeled.append(replace(scan, label=label, patient=said.patient or scan.patient))
        else:
            labeled.append(replace(scan, label=None) if scan.source in spoken_of else scan)
    absent: dict[tuple[str, str], ScanFile] = {}
    for row in missing:
        scan = _missing_scan(row, sources, spoken_of[0])
        absent.setdefault((scan.source, scan.relative), scan)
    labeled += absent.values()
    order = {source.name: number for number, source in enumerate(sources)}
    # Sorting keeps the images of a file in their order, slice 9 before slice 10.
    return sorted(labeled, key=lambda scan: (order[scan.source], scan.file))


def _place(scan: ScanFile, files: Mapping[Path, Path]) -> Path:
    """Return what a row that means this image alone points at, as `_real_parent` spells it."""
    file = files[scan.path]
    return file if scan.part is None else file.with_name(f"{file.name}#{scan.part}")


def _read_table(table: Path, columns: LabelColumns) -> list[_LabelRow]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            present = [name for name in reader.fieldnames or () if name]
            optional = columns.patient == LabelColumns.patient and columns.patient not in present
            for wanted in [columns.path, columns.label, *([] if optional else [columns.patient])]:
                if wanted not in present:
                    raise FewscanError(f"{table} has no column '{wanted}': {_columns_hint(wanted, present)}")
            rows = [_label_row(table, reader.line_num, cells, columns) for cells in reader]
    except OSError as error:
        raise FewscanError(f"cannot read the labels {table}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FewscanError(f"{table} is not UTF-8 text: save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise FewscanError(f"{table}, after line {reader.line_num}: {error}; save it as CSV, separated by commas") from None
    if not rows:
        raise FewscanError(f"{table} holds no rows: it needs one for each labelled image")
    return rows


def _columns_hint(wanted: str, present: Sequence[str]) -> str:
    if not present:
        return "it is empty"
    close = difflib.get_close_matches(wanted, present, n=1)
    return f"it has {', '.join(present)}" + (f"; did you mean '{close[0]}'?" if close else "")


def _label_row(table: Path, line: int, cells: Mapping[str | None, str | None], columns: LabelColumns) -> _LabelRow:
    def cell(column: str) -> str | None:
        return (cells.get(column) or "").strip() or None

    where = f"{table.name}, line {line}"
    if None in cells:
        raise FewscanError(f"{where} has more cells than the first line: put names that hold a comma in quotes")
    path = cell(columns.path)
    if path is None or "\0" in path:
        raise FewscanError(f"{where}: the column '{columns.path}' names no file; name the image, or take the row out")
    return _LabelRow(table, where, path, cell(columns.label), cell(columns.patient))


def _find(row: _LabelRow, sources: Sequence[Source], by_place: Mapping[Path, ScanFile]) -> Path | None:
    beside_table = _real_parent(row.table.parent / row.path)
    if beside_table in by_place:
        return beside_table
    in_sources = [_real_parent(source.folder / row.path) for source in sources]
    found = list(dict.fromkeys(place for place in in_sources if place in by_place))
    if len(found) > 1:
        raise FewscanError(
            f"{row.where}: '{row.path}' is in several sources ({', '.join(by_place[place].source for place in found)}): "
            f"write its path from the folder of {row.table.name}"
        )
    return found[0] if found else None


def _real_parent(path: Path) -> Path:
    """Return one spelling for all paths that lead to a file, whichever links its folders are reached by."""
    return _real(path.parent) / path.name


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
        if _inside(path, source.folder):
            relative = _real(path).relative_to(_real(source.folder)).as_posix()
            return ScanFile(source.name, relative, path, set_aside=reason)
    return ScanFile(otherwise, row.path, path, set_aside=reason)


def _rename(scans: Sequence[ScanFile], rename: Mapping[str, str]) -> list[ScanFile]:
    known = {name for scan in scans if scan.label is not None for name in (scan.label, _study_label(scan.source, scan.label))}
    for old, new in rename.items():
        if old not in known:
            raise FewscanError(f"no image is labelled '{old}', so it cannot be renamed: {nearest(old, known)}")
        if not new.strip():
            raise FewscanError(f"'{old}' cannot be renamed to nothing: write OLD=NEW")

    def new_name(source: str, label: str) -> str:
        if label in rename:
            return rename[label]
        label = _study_label(source, label)
        return rename.get(label, label)

    return [scan if scan.label is None else replace(scan, label=new_name(scan.source, scan.label)) for scan in scans]


def _study_label(source: str, label: str) -> str:
    return STUDY_LABELS.get(label, label) if source.lower() in STUDY_SOURCES else label


def _check_classes(scans: Sequence[ScanFile]) -> None:
    spellings: dict[str, str] = {}
    for label in sorted({scan.label for scan in scans if scan.label is not None}):
        other = spellings.setdefault(re.sub(r"[-_ ]", "", label.casefold()), label)
        if other != label:
            raise FewscanError(
                f"the labels '{other}' and '{label}' differ only in spelling: "
                f"if they are one class, add --rename '{other}={label}'"
            )
    if len(spellings) > MAX_CLASSES:
        raise FewscanError(
            f"{len(spellings)} classes were found, more than {MAX_CLASSES}: if the folders are not classes, "
            "give the labels with --labels CSV, or the folder with --unlabeled"
        )
