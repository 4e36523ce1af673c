"""Names of folders and files -> class, patient and part of a split of each image, as asked or as the names suggest."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fewscan.errors import FewscanError
from fewscan.images.classes import MAX_CLASSES
from fewscan.images.listing.folder_names import is_part
from fewscan.images.listing.levels import Folders, Levels, described_levels, levels_of
from fewscan.images.options import ImportOptions
from fewscan.images.part_names import given_split
from fewscan.images.patients import patient_key
from fewscan.images.sources import ScanFile, Source
from fewscan.wording import folder_below, listed

# Which folder a name stands in, if it is one, and the name.
_Named = tuple[int | None, str] | None
_NAMES_SHOWN = 4


def name_images(scans: Sequence[ScanFile], sources: Sequence[Source], asked: ImportOptions) -> list[ScanFile]:
    """Return the images with the classes, patients and parts of a split that folders and file names give them.

    Classes are those that the options name, else those of `levels.levels_of`; what the file itself says goes before them.
    Patients are those that the options name, else the header's, else those of `levels_of`. The part of a split is that of the
    outermost folder that is called after one, else the source's. Sources may be laid out differently: one of whose files an
    option names nothing goes as without that option.

    Raises FewscanError where an option fits no file of any source, for folders whose meaning cannot be told (`levels_of`), and
    for more than MAX_CLASSES classes.
    """
    own: dict[str, list[ScanFile]] = {source.name: [] for source in sources}
    for scan in scans:
        own[scan.source].append(scan)
    fitting = {source.name: _that_fits(source, own[source.name], asked) for source in sources}
    _check_fits([source for source in sources if source.labeled], own, fitting, asked, "class")
    _check_fits(sources, own, fitting, asked, "patient")
    named = {source.name: iter(_named_in(source, own[source.name], fitting[source.name])) for source in sources}
    return [next(named[scan.source]) for scan in scans]


def _named_in(source: Source, scans: Sequence[ScanFile], asked: ImportOptions) -> list[ScanFile]:
    places = Counter(scan.folders for scan in scans if scan.set_aside is None)
    # What tables say of labels is read later, and would be refused for nothing.
    guessed = source.labeled and asked.class_level is None and asked.class_from is None and not asked.labels
    levels = levels_of(places, source.name, classes=guessed)
    class_of, patient_of = _way_to_classes(source, asked, levels), _way_to_patients(asked)
    named = [_with_split(_with_patient(_with_class(scan, class_of), patient_of, levels, asked), source) for scan in scans]
    _check_count(named, source, asked)
    return named


def _way_to_classes(source: Source, asked: ImportOptions, levels: dict[Folders, Levels]) -> Callable[[ScanFile], _Named]:
    if not source.labeled:
        return lambda scan: None
    if asked.class_from is not None:
        return _by_pattern(asked.class_from)
    if asked.class_level is not None:
        return _by_level(asked.class_level)
    return lambda scan: _at(scan, levels.get(scan.folders, Levels()).of_class)


def _way_to_patients(asked: ImportOptions) -> Callable[[ScanFile], _Named] | None:
    if asked.patient_from is not None:
        return _by_pattern(asked.patient_from)
    return _by_level(asked.patient_level) if asked.patient_level else None


def _by_level(level: int) -> Callable[[ScanFile], _Named]:
    return lambda scan: _at(scan, level)


def _by_pattern(pattern: str) -> Callable[[ScanFile], _Named]:
    compiled = re.compile(pattern)

    def named(scan: ScanFile) -> _Named:
        match = compiled.search(scan.file)
        return None if match is None or not (match[1] or "").strip() else (None, match[1].strip())

    return named


def _at(scan: ScanFile, level: int | None) -> _Named:
    return None if level is None or level > len(scan.folders) else (level, scan.folders[level - 1])


def _that_fits(source: Source, scans: Sequence[ScanFile], asked: ImportOptions) -> ImportOptions:
    """Return the options without those that say where class or patient stand, but name none of any image of the source."""
    ways = {"class": _way_to_classes(source, asked, {}) if source.labeled else None, "patient": _way_to_patients(asked)}
    usable = [scan for scan in scans if scan.set_aside is None]
    unfit = [what for what, way in ways.items() if way is None or all(way(scan) is None for scan in usable)]
    # 0 is an answer, too: no folder names a patient.
    left_out = {f"{what}_{how}": None for what in unfit for how in ("level", "from") if getattr(asked, f"{what}_{how}")}
    return asked.model_copy(update=left_out)


def _check_fits(
    sources: Sequence[Source],
    own: Mapping[str, Sequence[ScanFile]],
    fitting: Mapping[str, ImportOptions],
    asked: ImportOptions,
    what: str,
) -> None:
    """Raise FewscanError where a way that was asked for names the class or patient of no image of any of the sources."""
    names = [source.name for source in sources]
    usable = [scan for name in names for scan in own[name] if scan.set_aside is None]
    for how in ("level", "from"):
        wanted = getattr(asked, f"{what}_{how}")
        if not wanted or not usable or any(getattr(fitting[name], f"{what}_{how}") for name in names):
            continue
        quoted = listed([f"'{name}'" for name in names], _NAMES_SHOWN)
        which = f"the source {quoted}" if len(names) == 1 else f"the sources {quoted}"
        if how == "from":
            raise FewscanError(f"--{what}-from '{wanted}' matches no file of {which}, such as {usable[0].file}")
        places = described_levels({scan.folders for scan in usable})
        there = f"files are in {places}" if places else "files are in no folder below it"
        raise FewscanError(f"--{what}-level {wanted}: there is no folder that deep in {which}; {there}")


def _with_class(scan: ScanFile, class_of: Callable[[ScanFile], _Named]) -> ScanFile:
    if scan.label is not None or (found := class_of(scan)) is None:
        return scan
    level, name = found
    return replace(scan, label=name, label_from="name" if level is None else "folder", label_level=level)


def _with_patient(
    scan: ScanFile, patient_of: Callable[[ScanFile], _Named] | None, levels: dict[Folders, Levels], asked: ImportOptions
) -> ScanFile:
    found = None if patient_of is None else patient_of(scan)
    by_header = scan.patient is not None and scan.patient_known
    if found is None and not by_header and asked.patient_level is None:
        of_patient = levels.get(scan.folders, Levels()).of_patient
        found = None if scan.label_level == of_patient else _at(scan, of_patient)
    if found is None or patient_key(found[1]) is None:
        return scan
    level, name = found
    # What the header says too, names only repeat.
    repeated = by_header and patient_key(name) == patient_key(scan.patient or "")
    scopes, also = (scan.patient_scopes, scan.patient_also) if repeated else ((), ())
    whence = "the files' names" if level is None else folder_below(level)
    return replace(scan, patient=name, patient_known=True, patient_from=whence, patient_scopes=scopes, patient_also=also)


def _with_split(scan: ScanFile, source: Source) -> ScanFile:
    if scan.given_split is not None:
        return scan
    names = (*filter(is_part, scan.folders), source.name)
    part = next((part for name in names if (part := given_split(name)) is not None), None)
    return scan if part is None else replace(scan, given_split=part)


def _check_count(scans: Sequence[ScanFile], source: Source, asked: ImportOptions) -> None:
    classes = {scan.label for scan in scans if scan.label_from == "folder" and scan.set_aside is None}
    if len(classes) > MAX_CLASSES + len(asked.rename):
        places = described_levels({scan.folders for scan in scans if scan.set_aside is None})
        raise FewscanError(
            f"source '{source.name}': {len(classes)} folders would be classes, more than the limit of {MAX_CLASSES} "
            f"({places}): say which folder names the class with --class-level"
            f"{'' if asked.labels else ', give the labels with --labels CSV'}, or give the folder with --unlabeled"
        )
