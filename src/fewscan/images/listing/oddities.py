"""What looks odd in a list of images as a whole, and which option would take it otherwise."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import islice
from pathlib import Path

from fewscan.images.classes import or_correct, rows_of_labels
from fewscan.images.listing.folder_names import are_numbered, are_patients, are_series
from fewscan.images.listing.levels import described_levels, naming_levels
from fewscan.images.listing.one_number import one_number_for_all
from fewscan.images.listing.stems import patient_pattern
from fewscan.images.not_known import may_say_unknown, unknown_options
from fewscan.images.options import ImportOptions
from fewscan.images.part_names import given_split
from fewscan.images.patients import patient_key
from fewscan.images.slips import misspelled
from fewscan.images.sources import ScanFile, Source
from fewscan.wording import counted, each_counted, folder_below, listed

_NAMES_SHOWN = 4
# One image of a class to learn from, one to validate and one to test.
FEWEST_OF_CLASS = 3
# So many folders beside a source, and files of each, are looked at.
_LOOKED_AT = 100


def warnings_of(scans: Sequence[ScanFile], sources: Sequence[Source], asked: ImportOptions) -> list[str]:
    """Return a line for whatever looks odd in the images that `list_scans` listed, with the option that helps."""
    found: list[str] = []
    taken = [scan for scan in scans if scan.set_aside is None]
    for source in sources:
        own = [scan for scan in taken if scan.source == source.name]
        found += [f"{source.name}: {text}" for text in (*_of_classes(own, source, asked), *_of_patients(own, asked))]
    return found + list(_of_classes_and_patients(taken, asked))


def few_of_a_class(scans: Sequence[ScanFile], known: Sequence[str] = ()) -> list[str]:
    """Return a line where classes, but those that are `known` of a dataset, have fewer images than FEWEST_OF_CLASS."""
    counts = Counter(scan.label for scan in scans if scan.label is not None and scan.set_aside is None)
    few = {name: count for name, count in sorted(counts.items()) if count < FEWEST_OF_CLASS and name not in known}
    if not few:
        return []
    return [
        f"{each_counted(few, _NAMES_SHOWN)}: a class needs at least {FEWEST_OF_CLASS} images, for training, validation, test, "
        "and where it has only one, nothing can be held out to score by: add some, or merge "
        f"it into another class with --rename OLD=NEW{or_correct(few, lambda: rows_of_labels(scans))}"
    ]


def slips_in_classes(scans: Sequence[ScanFile], known: Sequence[str] = ()) -> list[str]:
    """Return a line where names of classes, but those that are `known` of a dataset, are spelled almost like others."""
    names = {scan.label for scan in scans if scan.label is not None and scan.set_aside is None}
    return [
        f"the classes '{name}' and '{other}' are spelled almost alike: if one is a typo, give --rename OLD=NEW"
        f"{or_correct((name, other), lambda: rows_of_labels(scans))}"
        for name, other in misspelled(names, known)
    ]


def classes_unknown(scans: Sequence[ScanFile], asked: ImportOptions, known: Sequence[str] = ()) -> list[str]:
    """Return a line where names of classes, but those that are `known` of a dataset or asked for, may say `not known`."""
    counts = Counter(scan.label for scan in scans if scan.label is not None and scan.set_aside is None)
    unknown = {name: counts[name] for name in may_say_unknown(sorted({*counts} - {*known, *asked.rename.values()}))}
    if not unknown:
        return []
    return [
        f"{each_counted(unknown)}: such a name may mean that the class is not known: if so, give {unknown_options(unknown)}"
    ]


def classes_apart(scans: Sequence[ScanFile], known: Sequence[str] = ()) -> list[str]:
    """Return a line where all classes of a source are in no other and not `known` of a dataset: the source tells them then."""
    of_source: dict[str, set[str]] = defaultdict(set)
    for scan in scans:
        if scan.label is not None and scan.set_aside is None:
            of_source[scan.source].add(scan.label)
    where = Counter(name for names in of_source.values() for name in names)
    known_or_shared = {*known, *(name for name, count in where.items() if count > 1)}
    apart = {source: sorted(names) for source, names in of_source.items() if names.isdisjoint(known_or_shared)}
    if not apart or (len(of_source) == 1 and not known):
        return []
    held = "; ".join(f"{source}: {listed(names, _NAMES_SHOWN)}" for source, names in list(apart.items())[:_NAMES_SHOWN])
    return [
        f"{listed(list(apart), _NAMES_SHOWN)} {'shares' if len(apart) == 1 else 'share'} no class with another source "
        f"({held}), so a network can tell these classes by the source: if some are the same under other names, give "
        "--rename OLD=NEW"
    ]


def _of_classes(scans: Sequence[ScanFile], source: Source, asked: ImportOptions) -> Iterator[str]:
    by_folder = [scan for scan in scans if scan.label_level is not None and scan.label_from == "folder"]
    if asked.class_level is None and asked.class_from is None:
        if source.labeled and not any(scan.label is not None or scan.state is not None for scan in scans):
            yield from _no_class(scans, asked)
            yield from _class_itself(scans, source)
        yield from _names_of_parts(by_folder)
        yield from _folders_above(by_folder, asked)
        yield from _classes_in_classes(by_folder)
        yield from _folders_in_classes(by_folder)
        yield from _one_class(scans, by_folder, source, asked)
    elif unfit := sum(scan.label is None and scan.state is None for scan in scans if source.labeled):
        option = "--class-level" if asked.class_from is None else "--class-from"
        yield f"{option} gives no class for {unfit:,} of {counted(len(scans), 'image')}"


def _no_class(scans: Sequence[ScanFile], asked: ImportOptions) -> Iterator[str]:
    places = {scan.folders for scan in scans if naming_levels(scan.folders)}
    if places:
        instead = "correct the table, which gives no label" if asked.labels else f"give {asked.unless_folders}"
        no_class = f"no folder looks like a class ({described_levels(places)})"
        yield f"{no_class}: if one is, say which with --class-level, or {instead}"


def _class_itself(scans: Sequence[ScanFile], source: Source) -> Iterator[str]:
    """Yield a line where all images lie in the source's folder itself, and folders beside it hold such images, too."""
    if not scans or any(scan.folders for scan in scans):
        return
    suffixes = {scan.path.suffix.lower() for scan in scans} - {""}
    beside = sorted(
        folder.name
        for folder in _some_in(source.folder.parent)
        if folder != source.folder and naming_levels((folder.name,)) and folder.is_dir() and _holds_any(folder, suffixes)
    )
    names = [source.folder.name, *beside]
    if beside and naming_levels((source.folder.name,)) and not are_patients(names) and not are_numbered(names):
        yield (
            f"all images are directly in {source.folder.name}, so no folder names a class, and there are images in "
            f"{listed(beside, _NAMES_SHOWN)} beside it: if these folders are classes, give {source.folder.parent}"
        )


def _holds_any(folder: Path, suffixes: set[str]) -> bool:
    return any(path.suffix.lower() in suffixes for path in _some_in(folder))


def _some_in(folder: Path) -> list[Path]:
    try:
        return list(islice(folder.iterdir(), _LOOKED_AT))
    except OSError:  # beside the source there may be what is not for us to read
        return []


def _names_of_parts(scans: Sequence[ScanFile]) -> Iterator[str]:
    names = sorted({scan.label for scan in scans if scan.label is not None and given_split(scan.label) is not None})
    if names:
        yield f"taken as classes, but named like parts of a split: {listed(names, _NAMES_SHOWN)}"


def _folders_above(scans: Sequence[ScanFile], asked: ImportOptions) -> Iterator[str]:
    """Yield a line where the folders above classes might be the classes: these recur in several, or each is in one only.

    Of the folders above that is the nearest of which there are several, or else one of patients, wherever it stands.
    """
    above: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    taken = 0
    for scan in scans:
        level = scan.label_level or 0
        for before in (one for one in naming_levels(scan.folders) if one < level):
            above[before][scan.folders[level - 1]].add(scan.folders[before - 1])
            taken = max(taken, level)
    several = sorted(level for level, below in above.items() if len(set().union(*below.values())) > 1)
    if not several:
        return
    whose = [level for level in several if are_patients(set().union(*above[level].values()))]
    stands = next((level for level in reversed(whose) if _recurring(above[level])), several[-1])
    parents, names = sorted(set().union(*above[stands].values())), above[stands]
    if (recurring := _recurring(names)) and stands in whose:
        yield (
            f"classes come from {folder_below(taken)} ({listed(recurring, _NAMES_SHOWN)}), whose names appear again under "
            f"folders that look like patients' ({listed(parents, _NAMES_SHOWN)}): if they are series, not classes, give "
            f"{asked.unless_folders}, or give the folder with --unlabeled"
        )
    elif recurring:
        yield (
            f"classes come from {folder_below(taken)} ({listed(recurring, _NAMES_SHOWN)}), whose names appear again under "
            f"{listed(parents, _NAMES_SHOWN)}: if the latter are the classes, give --class-level {stands}"
        )
    elif len(names) > len(parents) and all(len(places) == 1 for places in names.values()):
        yield (
            f"classes come from {folder_below(taken)} ({listed(sorted(names), _NAMES_SHOWN)}), each under only one of "
            f"{listed(parents, _NAMES_SHOWN)}: if the latter are the classes, give --class-level {stands}"
        )


def _recurring(above: Mapping[str, Set[str]]) -> list[str]:
    """Return the names that stand below several others, where most of them do; else none."""
    recurring = sorted(name for name, places in above.items() if len(places) > 1)
    return recurring if len(recurring) > len(above) / 2 else []


def _classes_in_classes(scans: Sequence[ScanFile]) -> Iterator[str]:
    classes = {scan.folders[: scan.label_level] for scan in scans}
    inner = sorted(one for one in classes if any(one[:depth] in classes for depth in range(1, len(one))))
    if inner:
        outer = max((inner[0][:depth] for depth in range(1, len(inner[0])) if inner[0][:depth] in classes), key=len)
        others = f" ({counted(len(inner), 'such folder')})" if len(inner) > 1 else ""
        yield (
            f"{'/'.join(outer)} contains images and also {'/'.join(inner[0])}, which is taken as a class of its own: "
            f"if it is not one, give --class-level {len(outer)}{others}"
        )


def _folders_in_classes(scans: Sequence[ScanFile]) -> Iterator[str]:
    """Yield a line where a class holds images itself and folders below it that might be classes."""
    below: dict[tuple[str, ...], set[int | None]] = defaultdict(set)
    names: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for scan in scans:
        level = next((one for one in naming_levels(scan.folders) if one > (scan.label_level or 0)), None)
        below[scan.folders[: scan.label_level]].add(level)
        names[scan.folders[: scan.label_level]] |= set() if level is None else {"/".join(scan.folders[:level])}
    mixed = sorted(folder for folder, levels in below.items() if None in levels and len(levels) > 1)
    inner = sorted(set().union(*(names[folder] for folder in mixed)))
    last = [name.rpartition("/")[2] for name in inner]
    if inner and not are_patients(last) and not are_series(last) and not are_numbered(last):
        level = max(one for folder in mixed for one in below[folder] if one is not None)
        yield (
            f"most images are directly in {listed(['/'.join(folder) for folder in mixed], _NAMES_SHOWN)}, so those in "
            f"{listed(inner, _NAMES_SHOWN)} get the same class: if inner folders are the classes, give --class-level {level}"
        )


def _one_class(scans: Sequence[ScanFile], by_folder: Sequence[ScanFile], source: Source, asked: ImportOptions) -> Iterator[str]:
    """Yield a line where one folder is the only class, though it holds only some images, or all and other folders."""
    folders = {scan.folders[: scan.label_level] for scan in by_folder}
    deeper = {scan.folders[scan.label_level or 0 :] for scan in by_folder}
    if len(folders) == 1 and len(by_folder) == sum(scan.label is not None for scan in scans):
        some = len(by_folder) < len(scans)
        if some or len(deeper) > 1:
            held = f"{len(by_folder):,} of {counted(len(scans), 'image')}" if some else "all images"
            yield (
                f"{held} are in the folder '{next(iter(folders))[-1]}', which is taken as the only class: if it is not a "
                f"class, give {asked.unless_folders}, or give the source with --unlabeled {source.name}={source.folder}"
            )


def _of_patients(scans: Sequence[ScanFile], asked: ImportOptions) -> Iterator[str]:
    known = [scan for scan in scans if scan.patient is not None and scan.patient_known]
    others = [scan.file for scan in scans if scan.patient is None or not scan.patient_known]
    unasked = asked.patient_level is None and not (known and asked.patient_from)
    if unasked and others and (pattern := patient_pattern(others)):
        images = counted(len(scans), "image")
        who = f"the patient is not known for {len(others):,} of {images}" if known else "no patient is known"
        yield (
            f"{who}, but file names share beginnings: if these identify patients, give --patient-from '{pattern}', or slices "
            "of one head may end up on both sides of a split"
        )
    for option, fits in (("--patient-level", asked.patient_level), ("--patient-from", asked.patient_from)):
        if fits and len(known) < len(scans):
            yield f"{option} gives no patient for {len(scans) - len(known):,} of {counted(len(scans), 'image')}"
    if asked.patient_tag == "patient" and (numbers := list(one_number_for_all(known, len(scans)))):
        yield from numbers
    elif len(known) > 1 and len({patient_key(scan.patient or "") for scan in known}) == 1:
        yield (
            f"all {counted(len(known), 'image')} with a known patient belong to one patient, according to "
            f"{known[0].patient_from}: if that value means that the patient is not known, remove it there"
        )


def _of_classes_and_patients(scans: Sequence[ScanFile], asked: ImportOptions) -> Iterator[str]:
    whose: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    classes: dict[tuple[str, str | None], dict[str, str]] = defaultdict(dict)  # of each of a patient's classes, one image
    for scan in scans:
        if scan.label is not None and scan.patient is not None and scan.patient_known:
            patient = (scan.source, patient_key(scan.patient))
            whose[scan.label].add(patient)
            classes[patient].setdefault(scan.label, scan.relative)
    labeled = Counter(scan.label for scan in scans if scan.label is not None)
    alone = [name for name, patients in whose.items() if len(patients) == 1]
    if len(classes) < 2:
        return
    if len(labeled) > 1 and len(alone) == len(labeled):
        yield (
            "every class has scans of only one patient, so the class cannot be told from the patient: if the folders are "
            f"patients, say where the classes are with --class-level{'' if asked.labels else ' or --labels CSV'}"
        )
    several = [shown for shown in classes.values() if len(shown) > 1]
    if several:
        example = listed([f"{path} ({name})" for name, path in islice(several[0].items(), 2)])
        of = f"{len(several):,} of {counted(len(classes), 'patient')} with a label"
        yield f"{of} have images in several classes, such as {example}"
