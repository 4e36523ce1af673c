"""Further scans -> the end of a dataset, read as those that are there; whole or not at all, as `dataset.json` says."""

from collections.abc import Iterator, Sequence, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.descriptions import ReadingNote, SourceDescription
from fewscan.datasets.importing import described_sources, enter_labels, plan_for, usable_table, write_images
from fewscan.datasets.told_again import ToldAgain, told_again
from fewscan.errors import FewscanError, Reasons
from fewscan.images.blocks import has_blocks, refuse_others
from fewscan.images.classes import fit_classes, rows_of_labels, said_in_place
from fewscan.images.listing import list_scans
from fewscan.images.options import ImageSpec, ImportOptions, SourceOptions
from fewscan.images.parallel import in_order
from fewscan.images.patient_keys import PatientKeys
from fewscan.images.patients import is_known
from fewscan.images.plan import ImportPlan
from fewscan.images.readers import sha256_of_images
from fewscan.images.sources import ScanFile, Source, is_inside, parse_sources
from fewscan.images.store import ImageStore
from fewscan.images.tables.rows import STATE_COLUMN
from fewscan.labels.log import LabelLog
from fewscan.progress import kept_if_stopped, track
from fewscan.wording import counted, listed

EXAMPLES = 3


@dataclass(frozen=True)
class Listed:
    """Scans of sources: those that are new, those that the dataset has, and those under whose path it has another file."""

    sources: tuple[Source, ...]
    new: tuple[ScanFile, ...]
    held: tuple[ScanFile, ...]
    changed: tuple[ScanFile, ...]
    asked: ImportOptions
    aside: int  # how many of `held` the dataset has set aside
    classes: tuple[str, ...] = ()  # of the dataset
    told: tuple[ToldAgain, ...] = ()  # by tables of other scans than the new ones

    def plan(self, workers: int | None = None) -> ImportPlan:
        """Return what was understood of what is new."""
        return plan_for(self.new, self.sources, self.asked, workers, self.classes)[0]

    @property
    def lines(self) -> list[str]:
        """What is passed over, for people."""
        known = [counted(len(self.held) - self.aside, "image")] if len(self.held) > self.aside else []
        known += [f"{counted(self.aside, 'file')} that it set aside"] if self.aside else []
        lines = [f"skipped, because the dataset already has them: {listed(known)}"] if known else []
        if self.changed:
            names = ", ".join(f"{scan.source}/{scan.relative}" for scan in self.changed[:EXAMPLES])
            lines.append(
                f"left out, because the dataset has other files at their paths: {counted(len(self.changed), 'image')}, "
                f"such as {names}; what was imported stays"
            )
        return [*lines, *(line for one in self.told if (line := one.line) is not None)]


def list_new(dataset: Dataset, sources: Sequence[str], options: dict[str, Any], workers: int | None = None) -> Listed:
    """List the scans of `sources` that the dataset does not hold, as `import_scans` does with the same `options`.

    How images are read and stored is the dataset's own. A source of a name that the dataset knows is that one.

    Raises FewscanError as `import_scans` does, for an option that the dataset has settled, for a source that overlaps one of
    the dataset's by another name, and for classes that differ from the dataset's only in spelling.
    """
    spec = dataset.images.spec
    if settled := [name for name in options if name in ImageSpec.model_fields]:
        names, are = ", ".join(f"'{name}'" for name in settled), "is" if len(settled) == 1 else "are"
        raise FewscanError(
            f"{names} {are} fixed: all images of a dataset are read the same way; import all scans again to change that"
        )
    told = SourceOptions.parse(options)
    asked = ImportOptions(
        **{name: getattr(told, name) for name in SourceOptions.model_fields},
        **{name: getattr(spec, name) for name in ImageSpec.model_fields},
    )
    found = parse_sources(sources, asked.unlabeled)
    _check_overlaps(found, dataset.description.sources)
    facts = dataset.images.table(["source", "path", "sha256", "set_aside"])
    scans = list_scans(found, asked, workers)
    known = {*facts[["source", "path"]].itertuples(index=False, name=None)}
    new = [
        scan for scan in scans if (scan.source, scan.relative) not in known and (scan.set_aside is None or scan.path.exists())
    ]
    tables = [told_again(dataset.labels, dataset.folder, table, asked, new, found) for table in asked.labels]
    listed = _sorted_out(found, scans, asked, facts, {(one.table, line) for one in tables for line in one.held}, workers)
    _check_places(listed, dataset.description.sources)
    classes = dataset.unsplit().classes
    return replace(listed, new=_with_classes(listed.new, classes), classes=tuple(classes), told=tuple(tables))


@contextmanager
def adding(dataset: Dataset, listed: Listed, workers: int | None = None) -> Iterator[Dataset]:
    """Yield the dataset with what is new, read behind its images and labeled; until it is written (`named`), nothing is there.

    What an addition that was killed had read of the same scans is not read again; its labels are taken back, and those of this
    one, if it fails. Raises FewscanError where one of other scans was stopped and what it had read is there, where a source has
    no usable image among what is new, and where the folder cannot be written.
    """
    log, store = dataset.labels, dataset.images
    first = store.rows
    refuse_others(store.begun, store.spec, listed.sources, kept_in=store.begun)
    take_back(log, first)
    known = is_known(store.table(["patient"])["patient"]).any()
    to_know = any(scan.patient is not None and scan.patient_known for scan in listed.new)
    keys = PatientKeys.load(dataset.folder, needed=bool(known and to_know))
    with store.appending() as shard:
        notes = write_images(listed.new, shard, store.spec, listed.sources, keys, workers, said="add")
    table = usable_table(shard, listed.sources)
    sources = tuple(source for source in listed.sources if (table["source"] == source.name).any())
    keys.save(dataset.folder)
    longer = store.sealed(shard, table)
    with kept_if_stopped(lambda: "what was read is kept" if has_blocks(store.begun) else None):
        try:
            enter_labels(log, listed.new, table, first)
            yield _extended(dataset, longer, described_sources(sources, table), notes)
            shard.forget()
        except BaseException:
            if Dataset.open(dataset.folder).images.rows == first:
                take_back(log, first)
            raise


def take_back(log: LabelLog, rows: int) -> None:
    """Take back what is said of rows that the dataset, of so many rows, does not have."""
    while log.rows > rows and len(said := _said_beyond(log, rows)):
        batches = log.entries().set_index("id")["batch"]
        for batch, of_batch in said.groupby(batches.reindex(said["entry"]).to_numpy()):
            log.undo(int(batch), of_batch.index.to_numpy())


def _said_beyond(log: LabelLog, rows: int) -> pd.DataFrame:
    """Return what holds of all rows from this one on, of which something is said."""
    said = log.current(max(log.rows, rows)).iloc[rows:]
    return said[(said["state"] != "none") | said["disputed"]]


def _sorted_out(
    found: tuple[Source, ...],
    scans: Sequence[ScanFile],
    asked: ImportOptions,
    facts: pd.DataFrame,
    told_there: Set[tuple[str, int]],
    workers: int | None,
) -> Listed:
    """Part scans by what the dataset, with these facts of its images, holds of them.

    told_there: rows of tables that name scans of the dataset, by the table's name and the row's number.
    """
    known = {(source, path): sha256 for source, path, sha256 in facts[["source", "path", "sha256"]].itertuples(index=False)}
    set_aside = set(facts.loc[facts["set_aside"].notna(), ["source", "path"]].itertuples(index=False, name=None))
    names = {path for _, path in known} | {f"{source}/{path}" for source, path in known}
    files = list({scan.path: None for scan in scans if scan.set_aside is None and (scan.source, scan.relative) in known})
    with closing(in_order(sha256_of_images, files, workers=workers)) as hashes:
        shown = track(files, "compare", total=len(files)) if files else files
        hashed = dict(zip(shown, hashes, strict=True))
    folders = {source.name: source.folder for source in found}
    new: list[ScanFile] = []
    held: list[ScanFile] = []
    changed: list[ScanFile] = []
    for scan in scans:
        key = (scan.source, scan.relative)
        if key not in known:
            # A row of a table that tells of more than the new scans.
            rows = {(one.table, line) for one in scan.said_in for line in one.rows}
            told_of_old = scan.relative in names or (rows and rows <= told_there)
            is_file = not Path(scan.file).is_absolute() and (folders[scan.source] / scan.file).exists()
            (held if told_of_old and not is_file else new).append(scan)
        else:
            (held if scan.set_aside is not None or known[key] == hashed[scan.path] else changed).append(scan)
    aside = sum((scan.source, scan.relative) in set_aside for scan in held)
    return Listed(found, tuple(new), tuple(held), tuple(changed), asked, aside)


def _with_classes(scans: Sequence[ScanFile], classes: Sequence[str]) -> tuple[ScanFile, ...]:
    """Return the scans with labels that go beside these classes of the dataset."""
    states = sorted({scan.state for scan in scans if scan.state is not None})
    with Reasons("the labels cannot be added") as reasons:
        for state in (state for state in states if said_in_place(state, classes) is None):
            reasons.add(
                f"'{state}' is a class of the dataset and also the word for a scan that is {state}: leave such labels out with "
                f"--no-label='{state}', and enter them with 'fewscan labels set' and a column '{STATE_COLUMN}'"
            )
        usable = [scan for scan in scans if scan.set_aside is None]
        labels = {(scan.source, label) for scan in usable for label in (*scan.disputed, scan.label) if label is not None}
        with reasons.noted():
            fitted = fit_classes(labels, classes, {}, where=lambda: rows_of_labels(usable))

    def named(scan: ScanFile) -> ScanFile:
        name = fitted.get((scan.source, scan.label or ""), scan.label)
        disputed = tuple(fitted.get((scan.source, label), label) for label in scan.disputed)
        return scan if (scan.label, scan.disputed) == (name, disputed) else replace(scan, label=name, disputed=disputed)

    return tuple(map(named, scans))


def _check_overlaps(found: Sequence[Source], known: Sequence[SourceDescription]) -> None:
    with Reasons("these folders cannot be added") as reasons:
        for source, old in product(found, known):
            folder = Path(old.folder)
            if source.name != old.name and (is_inside(source.folder, folder) or is_inside(folder, source.folder)):
                reasons.add(
                    f"the folder {source.folder} and the dataset's source '{old.name}' ({folder}) overlap, so images would "
                    f"count twice: give {old.name}={folder}, and only what is new is added"
                )


def _check_places(listed: Listed, known: Sequence[SourceDescription]) -> None:
    """Refuse another folder under a known name that holds other files under known paths."""
    folders = {source.name: source.folder for source in known}
    held = {scan.source for scan in listed.held if scan.set_aside is None}
    for source in listed.sources:
        changed = any(scan.source == source.name for scan in listed.changed)
        if changed and source.name not in held and folders[source.name] != str(source.folder):
            raise FewscanError(
                f"the dataset already has a source '{source.name}', in {folders[source.name]}, with other files of the same "
                f"names: give this one another name, as NAME={source.folder}"
            )


def _extended(
    dataset: Dataset, images: ImageStore, sources: Sequence[SourceDescription], notes: Sequence[ReadingNote]
) -> Dataset:
    """Return the dataset with further images, not written."""
    described = dataset.description
    more = {source.name: source for source in sources}
    counted = [
        old
        if (new := more.pop(old.name, None)) is None
        else old.model_copy(update={"images": old.images + new.images, "set_aside": old.set_aside + new.set_aside})
        for old in described.sources
    ]
    noted = {note.note: note for note in described.notes}
    for note in notes:
        old_note = noted.get(note.note)
        images_noted = note.images + (0 if old_note is None else old_note.images)
        noted[note.note] = (old_note or note).model_copy(update={"images": images_noted})
    changes = {"shards": images.shards, "sources": (*counted, *more.values()), "notes": tuple(noted.values())}
    return replace(dataset, description=described.model_copy(update=changes))
