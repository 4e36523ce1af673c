"""Sources of scans -> a dataset folder: read on all cores, bad files set aside with the reason, whole or not at all."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from fewscan.atomic import new_folder, write_text, writing
from fewscan.config import Settings
from fewscan.datasets.dataset import DATASET_FILE, Dataset, DatasetDescription
from fewscan.datasets.descriptions import ReadingNote, SourceDescription
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.folders import refuse_existing_dataset
from fewscan.images.blocks import Blocks, has_blocks, refuse_others
from fewscan.images.colors import color_warnings, count_colors
from fewscan.images.labeled_whole import for_whole
from fewscan.images.listing import classes_apart, classes_unknown, few_of_a_class, list_scans, slips_in_classes, warnings_of
from fewscan.images.looking import look_at
from fewscan.images.notes import kind_of
from fewscan.images.options import ImageSpec, ImportOptions
from fewscan.images.patient_keys import PatientKeys
from fewscan.images.patients import known_patients, patients_by_class
from fewscan.images.plan import ImportPlan, plan_of
from fewscan.images.shard_writer import ShardWriter
from fewscan.images.sources import ScanFile, Source, parse_sources
from fewscan.images.store import IMAGES_FOLDER, ImageStore
from fewscan.labels.log import LABELS_FILE, LabelLog, State
from fewscan.partial import growing
from fewscan.progress import kept_if_stopped, say, track

SET_ASIDE_EXAMPLES = 5


class SetAsideFile(Settings):
    """A file that could not be used, and why."""

    source: str
    path: str
    reason: str


class ImportSummary(Settings):
    """What an import took in and what it did not.

    `images` counts the usable ones; `classes` and `unlabeled` add up to it, `class_patients` counts known patients. `reasons`
    counts what was set aside by the kind of reason; `examples` are the first few of these files. `notes` are what was seen
    while pixels were read.
    """

    folder: str
    images: int
    classes: dict[str, int]
    class_patients: dict[str, int]
    unlabeled: int
    in_color: int  # before they were stored, as gray or in color
    images_with_patient: int  # whose patient a header or a CSV gives
    patients: int
    set_aside: int
    reasons: dict[str, int]
    examples: tuple[SetAsideFile, ...]
    notes: tuple[ReadingNote, ...]
    fingerprint: str


def import_scans(
    sources: Sequence[str], out: str | Path, *, pretrained: bool = False, workers: int | None = None, **options: Any
) -> Dataset:
    """Read all scans of the sources into a new dataset folder `out`, and open it.

    sources: `FOLDER`, `NAME=FOLDER` or `kaggle:NAME`. options: those of ImportOptions; `listing.list_scans` says where labels
    come from. pretrained: whether ImageNet's weights are installed, for which large scans are stored finer (`images.size`).
    workers: threads, by default one per core. A file that cannot be used keeps a row, with the reason. The same files give the
    same dataset, whatever the number of workers, except for the hashes that stand for patients, which mean nothing outside it.
    If the import is stopped or killed, the same call continues with what was read.

    Raises FewscanError if `out` exists or cannot be written, if options, sources or labels are wrong, if a source has no usable
    file, and if a format needs a package that is not installed.
    """
    asked = ImportOptions.parse(options)
    out = Path(out)
    with writing(out):
        refuse_existing_dataset(out, sources)
    found = parse_sources(sources, asked.unlabeled)
    scans = list_scans(found, asked, workers)
    plan, spec = plan_for(scans, found, asked, workers, pretrained=pretrained)
    for line in plan.short_lines:
        say(line)
    with writing(out), _images_growing(out) as begun, new_folder(out) as folder:
        keys = PatientKeys()
        nothing = ImageStore(begun, spec, ())
        refuse_others(nothing.begun, spec, found, kept_in=begun.parent)
        with nothing.appending() as shard:
            notes = write_images(scans, shard, spec, found, keys, workers)
        keys.save(folder)
        table = usable_table(shard, found)
        images = nothing.sealed(shard, table)
        description = DatasetDescription(
            spec=spec,
            sources=described_sources(found, table),
            notes=notes,
            shards=images.shards,
        )
        enter_labels(LabelLog.create(folder / LABELS_FILE, images.identity), scans, table)
        write_text(folder / DATASET_FILE, description.model_dump_json(indent=2) + "\n")
        shard.forget()
        begun.rename(folder / IMAGES_FOLDER)
    return Dataset.open(out)


def plan_import(sources: Sequence[str], *, pretrained: bool = False, workers: int | None = None, **options: Any) -> ImportPlan:
    """Return what `import_scans` would understand of the sources: a look at some pictures, and nothing is written.

    Raises FewscanError as `import_scans` does for what is wrong with sources, options and labels.
    """
    asked = ImportOptions.parse(options)
    found = parse_sources(sources, asked.unlabeled)
    return plan_for(list_scans(found, asked, workers), found, asked, workers, pretrained=pretrained)[0]


def plan_for(
    scans: Sequence[ScanFile],
    sources: Sequence[Source],
    asked: ImportOptions,
    workers: int | None,
    known_classes: Sequence[str] = (),
    *,
    pretrained: bool = False,
) -> tuple[ImportPlan, ImageSpec]:
    """Return what is understood of scans that were listed, and how they are to be stored.

    Some are opened: whether they can be read and have color, what is to be known of their values, and, where that is to settle
    how they are stored, how large they are, and whether they have borders and are negatives. `known_classes` are there already,
    with images of their own. pretrained: as `import_scans` has it.
    """
    in_color = color_warnings(count_colors(scans, sources, workers), asked.channels)
    look = look_at(scans, asked, workers)
    odd = [*warnings_of(scans, sources, asked), *few_of_a_class(scans, known_classes)]
    odd += [*slips_in_classes(scans, known_classes), *classes_unknown(scans, asked, known_classes)]
    odd += classes_apart(scans, known_classes)
    plan = plan_of(scans, sources, [*odd, *look.warnings, *in_color])
    plan = plan.model_copy(update={"opened": (look.sentence,) if look.opened else ()})
    chosen: dict[str, str | int] = {}
    sentences = []
    if "size_px" in asked.by_look:
        chosen["size_px"] = look.sides.chosen_px(pretrained=pretrained)
        sentences.append(look.sides.sentence(pretrained=pretrained))
    if "crop" in asked.by_look:
        chosen["crop"] = look.borders.crop
        sentences.append(look.borders.sentence if look.borders.looked_at else "")
    # Of color nobody can tell: stains lie on white.
    if "negatives" in asked.by_look and asked.channels == 1:
        chosen["negatives"] = look.lying.negatives
        sentences.append(look.lying.sentence)
    plan = plan.model_copy(update={"chosen": tuple(filter(None, sentences))})
    return plan, asked.spec.model_copy(update=chosen)


def set_aside_examples(aside: pd.DataFrame) -> tuple[SetAsideFile, ...]:
    """Return the first of the lines of a manifest that are set aside."""
    first = aside.head(SET_ASIDE_EXAMPLES).itertuples(index=False)
    return tuple(SetAsideFile(source=row.source, path=row.path, reason=row.set_aside) for row in first)


def summary(dataset: Snapshot) -> ImportSummary:
    """Count what the import of `dataset` took in, by class, and what it set aside, by reason."""
    manifest = dataset.manifest
    usable = manifest[manifest["set_aside"].isna()]
    aside = manifest[manifest["set_aside"].notna()]
    counts = usable["label"].value_counts()
    patients = known_patients(manifest)
    reasons = aside["set_aside"].map(kind_of).value_counts()
    return ImportSummary(
        folder=str(dataset.folder),
        images=len(usable),
        classes={name: int(counts.get(name, 0)) for name in dataset.classes},
        class_patients=patients_by_class(usable),
        unlabeled=int(usable["label"].isna().sum()),
        in_color=int(usable["color"].fillna(False).sum()),
        images_with_patient=patients.with_patient,
        patients=patients.patients,
        set_aside=len(aside),
        reasons={str(reason): int(count) for reason, count in reasons.items()},
        examples=set_aside_examples(aside),
        notes=dataset.description.notes,
        fingerprint=dataset.description.fingerprint,
    )


def write_images(
    scans: Sequence[ScanFile],
    shard: ShardWriter,
    spec: ImageSpec,
    sources: Sequence[Source],
    keys: PatientKeys,
    workers: int | None,
    *,
    said: str = "import",
) -> tuple[ReadingNote, ...]:
    """Write the pixels and facts of all scans of `sources` into a shard, and return notes on reading.

    One that is set aside has zero pixels. What a process that was stopped had read of them is not read again (`blocks`).
    said: what is under way. Patients that are new are added to `keys`.
    """
    blocks = Blocks(shard, scans, spec, sources)
    listed = (
        {"path": scan.relative, "source": scan.source, "given_split": scan.given_split, "patient": patient}
        for scan, patient in zip(scans, keys.hashed(scans), strict=True)
    )
    noted: dict[str, list[str]] = {}
    with kept_if_stopped(lambda: blocks.kept), closing(blocks.read(listed, workers)) as reading:
        for scan, notes in zip(track(scans, said, total=len(scans)), reading, strict=True):
            for note in notes:
                noted.setdefault(note, []).append(scan.relative)
    return tuple(ReadingNote(note=note, images=len(paths), example=paths[0]) for note, paths in noted.items())


@contextmanager
def _images_growing(out: Path) -> Iterator[Path]:
    """Yield where the images of a dataset grow, which is to be at `out`; what is worth to go on with stays there."""
    with growing(out, "import") as folder:
        images = folder / IMAGES_FOLDER

        def kept() -> str | None:
            """Return what is kept; what is nothing worth is removed."""
            if any(map(has_blocks, images.glob("*"))):
                return f"what was read is kept in {folder}: remove it if you do not continue"
            shutil.rmtree(images, ignore_errors=True)
            return None

        with kept_if_stopped(kept):
            yield images


def enter_labels(log: LabelLog, scans: Sequence[ScanFile], images: pd.DataFrame, first_row: int = 0) -> None:
    """Enter what folders, files and tables say of `images`, whose first row has the number `first_row`; a batch for each.

    What only unusable files are called is no label: notes in a folder of their own, for example. Where rows of a table
    contradict each other, all that they say is entered at once, and so disputed.
    """
    usable = images["set_aside"].isna().tolist()
    told = [
        (first_row + place, label, scan)
        for place, scan in enumerate(scans)
        if (scan.label is not None or scan.state is not None or scan.disputed) and usable[place]
        for label in scan.disputed or (scan.label,)
    ]
    states: list[State] = [scan.state or "label" for *_, scan in told]
    origins = [for_whole(str(scan.label_from), scan.label_whole) for *_, scan in told]
    log.enter([row for row, *_ in told], [label for _, label, _ in told], states=states, origin=origins)


def usable_table(shard: ShardWriter, sources: Sequence[Source]) -> pd.DataFrame:
    """Return the facts of a shard that is complete; raises FewscanError where a source has no image in it that can be used."""
    images = shard.table
    for source in sources:
        rows = images[images["source"] == source.name]
        if len(rows) and rows["set_aside"].notna().all():
            shard.forget()
            first = "; ".join(f"{row.path}: {row.set_aside}" for row in rows.head(3).itertuples(index=False))
            raise FewscanError(
                f"source '{source.name}': none of its {len(rows)} files is a usable image ({first}); give a folder of scans"
            )
    return images


def described_sources(sources: Sequence[Source], images: pd.DataFrame) -> tuple[SourceDescription, ...]:
    """Return where images came from, and how many of each can be used."""
    usable = images["set_aside"].isna()
    return tuple(
        SourceDescription(
            name=source.name,
            folder=str(source.folder),
            images=int((usable & (images["source"] == source.name)).sum()),
            set_aside=int((~usable & (images["source"] == source.name)).sum()),
        )
        for source in sources
    )
