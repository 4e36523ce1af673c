"""What an import understood of its sources, before all pixels are read, so that people can check and correct it."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import get_args

from fewscan.config import Settings
from fewscan.images.classes import number_key
from fewscan.images.formats.image import GivenSplit
from fewscan.images.notes import by_kind, kind_of, of_one_kind, of_spelling
from fewscan.images.patient_keys import PatientKeys
from fewscan.images.sources import CHECK, PREDICTIONS, ScanFile, Source
from fewscan.images.table_rows import together
from fewscan.wording import counted, each_counted, folder_below, listed

# So many names stand in a line; the rest is counted.
NAMES_SHOWN = 12
KINDS_SHOWN = 4
SOURCES_SHOWN = 6
EXAMPLES_SHOWN = 3


class SourcePlan(Settings):
    """What was understood of one source; numbers count images.

    classes: name -> images; class_patients: name -> known patients; states: what is said in place of a class -> images.
    labels_from, patients_from: where labels and patients come from, in words. given_splits: parts of the split that the data
    came with. set_aside, notes: reason, and note -> images; examples: for each of these the first few paths, with rows of a
    table.
    """

    name: str
    folder: str
    images: int
    classes: dict[str, int]
    class_patients: dict[str, int]
    states: dict[str, int]
    labels_from: dict[str, int]
    unlabeled: int
    patients: int
    images_with_patient: int
    patients_from: dict[str, int]
    given_splits: dict[str, int]
    set_aside: dict[str, int]
    notes: dict[str, int]
    kinds: dict[str, int]
    examples: dict[str, tuple[str, ...]]


class ImportPlan(Settings):
    """What `import` understood of all sources, what looks odd in them as a whole, and what was chosen by a look at scans."""

    sources: tuple[SourcePlan, ...]
    warnings: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()  # how many scans were opened, and whether they can be read

    def __repr__(self) -> str:
        """Return its lines, as notebooks and `print` show them."""
        return "\n".join(self.lines)

    __str__ = __repr__

    @property
    def images(self) -> int:
        """How many images would be stored."""
        return sum(source.images for source in self.sources)

    @property
    def lines(self) -> list[str]:
        """The plan for people, a line a fact."""
        lines = [line for source in self.sources for line in (*_understood(source), *_set_aside(source), *_notes(source))]
        choices = any(" --" in text for text in self.warnings)
        last = ["Where a warning is right, add the option that it names to the command."] if choices and self.images else []
        return [*lines, *self.opened, *self.chosen, *_warnings(self.warnings), *last]

    @property
    def short_lines(self) -> list[str]:
        """What stands at the top of an import: the plan without examples and notes, and no more lines than can be read."""
        shown = self.sources[:SOURCES_SHOWN]
        lines = [line for source in shown for line in (*_understood(source), *_in_short(source))]
        rest = len(self.sources) - len(shown)
        lines += [f"and {counted(rest, 'more source')}: import --plan shows what was understood of them"] if rest else []
        return [*lines, *self.opened, *self.chosen, *_warnings(self.warnings)]


def plan_of(scans: Sequence[ScanFile], sources: Sequence[Source], warnings: Sequence[str] = ()) -> ImportPlan:
    """Return the plan for images that `listing.list_scans` listed."""
    of: dict[str, list[ScanFile]] = {source.name: [] for source in sources}
    patients: dict[str, set[tuple[str, str | None]]] = {source.name: set() for source in sources}
    # As they will be in the dataset: one may go by several names.
    for scan, patient in zip(scans, PatientKeys().hashed(scans), strict=True):
        of[scan.source].append(scan)
        if scan.set_aside is None and scan.patient_known and patient is not None:
            patients[scan.source].add((patient, scan.label))
    plans = (_source_plan(source, of[source.name], patients[source.name]) for source in sources)
    return ImportPlan(sources=tuple(plans), warnings=tuple(warnings))


def _source_plan(source: Source, scans: Sequence[ScanFile], patients: Collection[tuple[str, str | None]]) -> SourcePlan:
    """Return the plan of a source; patients: the known ones, each with every label that images of theirs have."""
    taken = [scan for scan in scans if scan.set_aside is None]
    known = [scan for scan in taken if scan.patient is not None and scan.patient_known]
    reasons = _reasons([scan.set_aside for scan in scans if scan.set_aside is not None])
    parts = Counter(scan.given_split for scan in taken)
    examples: dict[str, list[str]] = {}
    for scan in scans:
        for text in scan.notes if scan.set_aside is None else (reasons[scan.set_aside],):
            if len(examples.setdefault(text, [])) < EXAMPLES_SHOWN:
                examples[text].append(_called(scan, text))
    return SourcePlan(
        name=source.name,
        folder=str(source.folder),
        images=len(taken),
        classes=dict(sorted(Counter(scan.label for scan in taken if scan.label is not None).items(), key=_in_order)),
        class_patients=dict(sorted(Counter(label for _, label in patients if label is not None).items())),
        labels_from=_labels_from(taken),
        unlabeled=sum(scan.label is None for scan in taken),
        states=dict(sorted(Counter(scan.state for scan in taken if scan.state is not None).items())),
        patients=len({patient for patient, _ in patients}),
        images_with_patient=len(known),
        patients_from=dict(Counter(scan.patient_from or "a table" for scan in known)),
        given_splits={part: parts[part] for part in get_args(GivenSplit) if parts[part]},
        set_aside=dict(Counter(reasons[scan.set_aside] for scan in scans if scan.set_aside is not None)),
        notes=dict(Counter(note for scan in taken for note in scan.notes)),
        kinds=_kinds_of_notes(taken),
        examples={text: tuple(paths) for text, paths in examples.items()},
    )


def _called(scan: ScanFile, text: str) -> str:
    """Return what an example of a note or reason is called: its path, with its rows of a table where these are the matter."""
    rows = "; ".join(map(str, together(scan.said_in)))
    about_rows = any(scan.set_aside is not None or one.table in text for one in scan.said_in) and rows not in text
    return f"{scan.relative} ({rows})" if about_rows else scan.relative


def _kinds_of_notes(scans: Sequence[ScanFile]) -> dict[str, int]:
    """Return of how many images a note of each kind is made: kinds whose images have no label first, mere spelling last."""
    images = Counter(one for scan in scans for one in {kind_of(note) for note in scan.notes})
    with_label = {kind_of(note) for scan in scans if scan.label is not None for note in scan.notes}
    order = sorted(images, key=lambda one: (of_spelling(one), one in with_label))
    return {one: images[one] for one in order}


def _reasons(written: Sequence[str]) -> dict[str, str]:
    """Return what each reason is counted under: its kind, before the first colon, or all of it where the kind has no other."""
    kinds: dict[str, set[str]] = {}
    for reason in written:
        kinds.setdefault(kind_of(reason), set()).add(reason)
    return {reason: reason if len(same) == 1 else kind for kind, same in kinds.items() for reason in same}


def _labels_from(scans: Sequence[ScanFile]) -> dict[str, int]:
    labeled = [scan for scan in scans if scan.label is not None and scan.label_from is not None]
    levels = {scan.label_level == len(scan.folders) for scan in labeled if scan.label_level is not None}

    def whence(scan: ScanFile) -> str:
        if scan.label_level is None or scan.label_from != "folder":
            return _whence(str(scan.label_from))
        return "the folder right above the file" if levels == {True} else folder_below(scan.label_level)

    return dict(Counter(map(whence, labeled)))


def _understood(source: SourcePlan) -> list[str]:
    lines = [f"{source.name}: {counted(source.images, 'image')} in {source.folder}"]
    if source.classes:
        classes = each_counted(source.classes, NAMES_SHOWN, source.class_patients)
        lines.append(f"  classes, from {listed(list(source.labels_from))}: {classes}")
    if source.unlabeled:
        states = f", of which {each_counted(source.states, NAMES_SHOWN)}" if source.states else ""
        lines.append(f"  without a label: {source.unlabeled:,}{states}")
    if source.images_with_patient:
        all_known = source.images_with_patient == source.images
        known = "all images" if all_known else f"{source.images_with_patient:,} of {counted(source.images, 'image')}"
        lines.append(f"  patients: {source.patients:,}, known for {known}, from {listed(list(source.patients_from))}")
    elif source.images:
        lines.append("  patients: not known")
    if source.given_splits:
        parts = each_counted(source.given_splits, NAMES_SHOWN)
        lines.append(f"  its own split: {parts} ('fewscan split --keep-given' keeps it)")
    return lines


def _in_order(counted_class: tuple[str, int]) -> tuple[float, str]:
    """Return by what classes are sorted: numbers as numbers, 2 before 10, and before all other names."""
    name = counted_class[0]
    number = number_key(name)
    return (math.inf, name) if number is None else (float(number), name)


def _whence(label_from: str) -> str:
    if label_from.startswith(PREDICTIONS):
        return f"a network's predictions in {label_from.removeprefix(PREDICTIONS)}"
    return _WHENCE.get(label_from, f"the table {label_from}")


_WHENCE = {CHECK: "a check of labels", "file": "the files themselves", "name": "the files' names"}


def _set_aside(source: SourcePlan) -> list[str]:
    return [f"  {count:,} set aside: {text} ({_such_as(source, text)})" for text, count in source.set_aside.items()]


def _notes(source: SourcePlan, *, examples: bool = True) -> list[str]:
    """Return a line for each kind of notes; of a kind with several, what they differ in, the most frequent first."""
    lines = []
    for one, count in source.kinds.items():
        notes = {note: images for note, images in source.notes.items() if kind_of(note) == one}
        text = of_one_kind(notes, NAMES_SHOWN if examples else KINDS_SHOWN)
        such_as = f" ({_such_as(source, next(iter(notes)))})" if examples else ""
        lines.append(f"  note on {counted(count, 'image')}: {text}{such_as}")
    return lines


def _in_short(source: SourcePlan) -> list[str]:
    lines = []
    if source.set_aside:
        lines.append(f"  set aside: {each_counted(by_kind(source.set_aside), KINDS_SHOWN)}")
    notes = _notes(source, examples=False)
    # In full, as the plan has them: what a person should know of scans is no less to be known when they are read.
    lines += notes[:KINDS_SHOWN]
    if (rest := len(notes) - KINDS_SHOWN) > 0:
        lines.append(f"  and {counted(rest, 'more note')}: import --plan shows them")
    return lines


def _warnings(texts: Sequence[str]) -> list[str]:
    return [f"warning: {text}" for text in texts]


def _such_as(source: SourcePlan, text: str) -> str:
    return f"such as {', '.join(source.examples[text])}"
