"""The layouts people have their scans in -> one list of images with what is known of each."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from fewscan.data.classes import settle_classes
from fewscan.data.formats.image import Contents, UnreadableImage
from fewscan.data.formats.reading import Reading
from fewscan.data.formats.recognition import contents_of, holds_one_image, require_packages, silenced
from fewscan.data.label_tables import label_from_tables
from fewscan.data.options import ImportOptions
from fewscan.data.parallel import in_order
from fewscan.data.sources import ScanFile, Source, file_place
from fewscan.errors import FewscanError
from fewscan.progress import track

# Fewer files are looked into before a progress bar would be read.
_FILES_WITHOUT_BAR = 20

# Folders named like these hold a part of the images, not a class of them.
PART_FOLDERS = frozenset(
    ["train", "training", "test", "testing", "val", "valid", "validation", "unlabeled", "unlabeled", "images", "data"]
)

# What operating systems leave behind; names that start with a dot are passed over as well.
SYSTEM_FILES = frozenset(["__macosx", "thumbs.db", "desktop.ini"])


def list_scans(sources: Sequence[Source], options: ImportOptions | None = None, workers: int | None = None) -> list[ScanFile]:
    """List every image of the sources, in their order, by path and as its file holds them, with label and patient if known.

    A file that holds several images is listed once for each: frames, pages, and of a volume those that are asked for. One
    that cannot be looked into, and a row of a CSV whose file is not there, are listed as set aside. Hidden and system files are
    passed over; every other file is listed, image or not.

    The label is the name of the folder right above the file, unless that is the source's own or one of PART_FOLDERS; a label
    that the file itself holds goes before it. A CSV in `labels` that names at least one file of a source gives all labels of
    that source; it names files from its own folder, from a source's, or in full, and single images by their part besides, which
    go before their file. `classes.settle_classes` says how classes are named. The patient comes from a CSV, else from
    the file's header; the images of one file without either are one patient's.

    Raises FewscanError for folders and CSVs that cannot be read or contradict themselves, for classes that cannot
    be (`classes.settle_classes`), where a source holds no file, and where a format needs a package that is not
    installed.
    """
    asked = options or ImportOptions()
    scans = _label_from_folders(sources, passed_over=asked.labels)
    scans = _look_into(scans, sources, asked.reading, workers)
    if asked.labels:
        scans = label_from_tables(scans, sources, asked.labels, asked)
    return settle_classes(scans, asked.rename)


def list_file(path: Path, reading: Reading) -> list[ScanFile]:
    """List every image of one file, without labels, by the file's name; of a volume those that `reading` chooses.

    A file that cannot be looked into is listed as set aside. Raises FewscanError where its format needs a package that is not
    installed.
    """
    return _look_into([ScanFile("", path.name, path)], (), reading, workers=1)


def _label_from_folders(sources: Sequence[Source], passed_over: Iterable[Path]) -> list[ScanFile]:
    tables = {file_place(table) for table in passed_over}
    scans = []
    for source in sources:
        relatives = sorted(
            relative for relative in _walk(source.folder) if not tables or file_place(source.folder / relative) not in tables
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
    return ScanFile(source.name, relative, path, label=parent if is_class else None, label_from="folder" if is_class else None)


def _look_into(scans: Sequence[ScanFile], sources: Sequence[Source], reading: Reading, workers: int | None) -> list[ScanFile]:
    """List the images of each file in its place, with what the file says of them."""
    to_open = [scan for scan in scans if scan.set_aside is None and not holds_one_image(scan.path)]
    if not to_open:
        return list(scans)
    require_packages([scan.path for scan in to_open])
    unlabeled = {source.name for source in sources if not source.labeled}
    looking = in_order(partial(_contents, reading=reading), [scan.path for scan in to_open], workers=workers)
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


def _contents(path: Path, reading: Reading) -> Contents | UnreadableImage:
    try:
        return contents_of(path, reading)
    except UnreadableImage as unreadable:
        return unreadable


def _images(scan: ScanFile, contents: Contents, *, labeled: bool) -> list[ScanFile]:
    labels = contents.labels if labeled else None
    splits = contents.given_splits or (scan.given_split,) * len(contents.parts)
    known = contents.patient is not None
    patient = contents.patient
    if not known and contents.parts != (None,):
        # The slices of a file whose patient is not known are still one head's.
        patient = f"file {scan.relative}"
    return [
        replace(
            scan,
            relative=scan.relative if part is None else f"{scan.relative}#{part}",
            part=part,
            label=scan.label if label is None else label,
            label_from=scan.label_from if label is None else "file",
            given_split=given_split,
            notes=contents.notes,
            patient=patient,
            patient_known=known,
            patient_scopes=(contents.patient_scope,) if known and contents.patient_scope else (),
        )
        for part, label, given_split in zip(contents.parts, labels or (None,) * len(contents.parts), splits, strict=True)
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
