"""Sources -> one list of their images with what is known of each, step by step."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fewscan.images.classes import settle_classes
from fewscan.images.formats.reading import Reading
from fewscan.images.labeled_whole import with_wholes
from fewscan.images.listing.contents import look_into
from fewscan.images.listing.masks import set_masks_aside
from fewscan.images.listing.naming import name_images
from fewscan.images.listing.walk import find_files
from fewscan.images.options import ImportOptions, PatientTag
from fewscan.images.readers import locate
from fewscan.images.sources import ScanFile, Source, parse_sources
from fewscan.images.tables import label_from_tables


def list_scans(sources: Sequence[Source], options: ImportOptions | None = None, workers: int | None = None) -> list[ScanFile]:
    """List every image of the sources, in their order, by path and as its file holds them, with label and patient if known.

    A file that holds several images is listed once for each: frames, pages, and of a volume those that are asked for. One
    that cannot be looked into, and a row of a CSV whose file is not there, are listed as set aside. Hidden and system files are
    passed over; every other file is listed, image or not; links as `walk.find_files` says.

    Folders and file names give class, patient and the part of a split that the data came with (`naming.name_images`); a
    label that the file itself holds goes before these. What a CSV in `labels` says goes before both (`tables.overlay`). A word
    that the options call no label is none, whoever says it.
    `classes.settle_classes` says how classes are named. The patient comes from a CSV, else from names, if the options say so,
    else from the file's header; the images of one file without either are one patient's.

    Raises FewscanError for folders and CSVs that cannot be read or contradict themselves, for classes that cannot be
    (`classes.settle_classes`), for folders whose meaning cannot be told (`levels.levels_of`), where a source holds no file, and
    where a format needs a package that is not installed.
    """
    asked = options or ImportOptions()
    scans = find_files(sources, asked.labels, follow_links=asked.follow_links)
    if not asked.keep_masks:
        scans = set_masks_aside(scans)
    scans = look_into(scans, sources, asked, asked.patient_tag, workers, numbers=bool(asked.labels))
    scans = with_wholes(_without_words(name_images(scans, sources, asked), asked))
    scans = label_from_tables(scans, sources, asked.labels, asked, asked.rename)
    return settle_classes(scans, asked.rename, asked.no_label)


def _without_words(scans: Sequence[ScanFile], asked: ImportOptions) -> list[ScanFile]:
    """Return the images without labels that are words for no label; those in tables are read so already."""
    words = {word.casefold() for word in asked.no_label}
    return [scan if scan.label is None or scan.label.casefold() not in words else _without_label(scan) for scan in scans]


def _without_label(scan: ScanFile) -> ScanFile:
    note = f"'{scan.label}' is read as no label"
    return replace(scan, label=None, label_from=None, label_level=None, notes=(*scan.notes, note))


def list_file(path: Path, reading: Reading, patient_tag: PatientTag = "patient") -> list[ScanFile]:
    """List every image of one file, without labels, by the file's name; of a volume those that `reading` chooses.

    A file that cannot be looked into is listed as set aside. Raises FewscanError where its format needs a package that is not
    installed.
    """
    return look_into([ScanFile("", path.name, path)], (), reading, patient_tag, workers=1)


def notes_on(files: Sequence[Path], reading: Reading) -> dict[Path, tuple[str, ...]]:
    """Return what is to be known of each file before its pixels are read; it is about each of its images.

    Raises FewscanError where a format needs a package that is not installed.
    """
    different = dict.fromkeys(files)
    # Each as a source of its own, since their names need not differ.
    listed = look_into([ScanFile(str(number), file.name, file) for number, file in enumerate(different)], (), reading)
    return {scan.path: scan.notes for scan in listed}


def list_place(place: Path, reading: Reading, *, follow_links: bool, patient_tag: PatientTag = "patient") -> list[ScanFile]:
    """List every image of a folder or a file, or the one that FILE#PART names, as `reading` chooses them."""
    file, part = locate(place)
    if part is not None:
        return [ScanFile("", place.name, file, part=part, notes=notes_on([file], reading)[file])]
    if file.is_file():
        return list_file(file, reading, patient_tag)
    asked = ImportOptions(follow_links=follow_links, patient_tag=patient_tag, **reading.model_dump())
    return list_scans(parse_sources([], [str(place)]), asked)
