"""What an import understood of its sources, before any pixel is read: for people to agree to, or to correct."""

from collections import Counter
from collections.abc import Sequence

from fewscan.config import Settings
from fewscan.data.patients import patient_key
from fewscan.data.sources import PREDICTIONS, ScanFile, Source

# So many names stand in a line; the rest is counted.
NAMES_SHOWN = 12
EXAMPLES_SHOWN = 3


class SourcePlan(Settings):
    """What was understood of one source; numbers count images.

    classes: name -> images. labels_from: where labels come from. given_splits: parts of the split that the data came with.
    set_aside, notes: reason, and note -> images; examples: for each of these the first few paths.
    """

    name: str
    folder: str
    images: int
    classes: dict[str, int]
    labels_from: dict[str, int]
    unlabeled: int
    patients: int
    images_with_patient: int
    given_splits: dict[str, int]
    set_aside: dict[str, int]
    notes: dict[str, int]
    examples: dict[str, tuple[str, ...]]


class ImportPlan(Settings):
    """What `import` understood of all sources, and what looks odd in them as a whole."""

    sources: tuple[SourcePlan, ...]
    warnings: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The plan for people, a line a fact."""
        return [line for source in self.sources for line in _lines(source)] + [f"warning: {text}" for text in self.warnings]


def plan_of(scans: Sequence[ScanFile], sources: Sequence[Source], warnings: Sequence[str] = ()) -> ImportPlan:
    """Return the plan for images that `listing.list_scans` listed."""
    of: dict[str, list[ScanFile]] = {source.name: [] for source in sources}
    for scan in scans:
        of[scan.source].append(scan)
    return ImportPlan(sources=tuple(_source_plan(source, of[source.name]) for source in sources), warnings=tuple(warnings))


def _source_plan(source: Source, scans: Sequence[ScanFile]) -> SourcePlan:
    taken = [scan for scan in scans if scan.set_aside is None]
    known = [key for scan in taken if scan.patient is not None and scan.patient_known and (key := patient_key(scan.patient))]
    aside = Counter(_kind(scan.set_aside) for scan in scans if scan.set_aside is not None)
    noted = Counter(note for scan in taken for note in scan.notes)
    examples: dict[str, list[str]] = {}
    for scan in scans:
        for text in scan.notes if scan.set_aside is None else (_kind(scan.set_aside),):
            if len(examples.setdefault(text, [])) < EXAMPLES_SHOWN:
                examples[text].append(scan.relative)
    return SourcePlan(
        name=source.name,
        folder=str(source.folder),
        images=len(taken),
        classes=dict(sorted(Counter(scan.label for scan in taken if scan.label is not None).items())),
        labels_from=dict(Counter(scan.label_from for scan in taken if scan.label_from is not None)),
        unlabeled=sum(scan.label is None for scan in taken),
        patients=len(set(known)),
        images_with_patient=len(known),
        given_splits=dict(Counter(scan.given_split for scan in taken if scan.given_split is not None)),
        set_aside=dict(aside),
        notes=dict(noted),
        examples={text: tuple(paths) for text, paths in examples.items()},
    )


def _kind(reason: str) -> str:
    return reason.split(":")[0]


def _lines(source: SourcePlan) -> list[str]:
    lines = [f"{source.name}: {source.images:,} images in {source.folder}"]
    if source.classes:
        whence = " and ".join(_whence(place) for place in source.labels_from)
        lines.append(f"  classes, named by {whence}: {_counted(source.classes)}")
    if source.unlabeled:
        lines.append(f"  without a label: {source.unlabeled:,}")
    if source.images_with_patient:
        lines.append(f"  patients: {source.patients:,}, known of {source.images_with_patient:,} images")
    else:
        lines.append("  patients: not known")
    if source.given_splits:
        lines.append(f"  a split of its own: {_counted(source.given_splits)}")
    for text, count in source.set_aside.items():
        lines.append(f"  set aside: {count:,} {text}, such as {', '.join(source.examples[text])}")
    for text, count in source.notes.items():
        lines.append(f"  note: {text} ({count:,} images, such as {', '.join(source.examples[text])})")
    return lines


def _whence(label_from: str) -> str:
    if label_from.startswith(PREDICTIONS):
        return f"a network's predictions in {label_from.removeprefix(PREDICTIONS)}"
    return _WHENCE.get(label_from, f"the table {label_from}")


_WHENCE = {"folder": "the folders", "file": "the files themselves"}


def _counted(counts: dict[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:NAMES_SHOWN]]
    rest = len(counts) - len(shown)
    return ", ".join([*shown, *([f"and {rest} more"] if rest else [])])
