"""Images, labels, pairs and a split -> the snapshot that they make now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.datasets.descriptions import AuditDescription, ReadingNote, SourceDescription
from fewscan.datasets.pairs import Grouping, conflicts, grouping, names_in
from fewscan.datasets.roles import Moment, StoredSplit, counts_of
from fewscan.datasets.snapshot import MANIFEST_DTYPES, Snapshot, SnapshotDescription, class_indices, snapshot_fingerprint
from fewscan.images.store import ImageStore
from fewscan.labels.log import LabelLog, State
from fewscan.parquet import typed

NOT_A_SCAN: State = "not a scan"


@dataclass(frozen=True)
class Audited:
    """What an audit found: its description, and the pairs that belong together."""

    description: AuditDescription
    pairs: pd.DataFrame


def take(
    folder: Path,
    images: ImageStore,
    log: LabelLog,
    audited: Audited | None,
    split: StoredSplit | None,
    sources: Sequence[SourceDescription],
    notes: Sequence[ReadingNote],
) -> Snapshot:
    """Return the dataset in `folder` as it is now, under a split, if one is given."""
    entry = log.last
    manifest = _labeled(images.table(), log, entry)
    usable = manifest["set_aside"].isna().to_numpy()
    classes = tuple(sorted(manifest.loc[usable, "label"].dropna().unique()))
    manifest = _grouped(manifest, audited).assign(split=_nothing(manifest, "str"), taught_before=False, seen_before=False)
    described = SnapshotDescription(
        identity=images.identity,
        images=images.rows,
        chain=images.chain,
        spec=images.spec,
        classes=classes,
        sources=_counted(sources, manifest),
        notes=tuple(notes),
        audit=None if audited is None else audited.description,
        label_entry=entry,
        fingerprint=snapshot_fingerprint(images.chain, classes, manifest),
    )
    snapshot = Snapshot(folder, described, typed(manifest, MANIFEST_DTYPES), images)
    return snapshot if split is None else _under(snapshot, split, audited)


def moment_of(snapshot: Snapshot) -> Moment:
    """Return what a split asks of a snapshot's rows."""
    manifest = snapshot.manifest
    return Moment(
        labels=class_indices(manifest["label"], snapshot.classes),
        usable=manifest["set_aside"].isna().to_numpy(),
        conflict=manifest["conflict"].to_numpy(bool),
        groups=manifest["group"].fillna(-1).to_numpy(np.int64),
        copy_sets=manifest["copy_set"].fillna(-1).to_numpy(np.int64),
    )


def _labeled(facts: pd.DataFrame, log: LabelLog, entry: int) -> pd.DataFrame:
    """Return the facts of all images with what the log says of them; a label of a row that cannot be used is none."""
    said = log.current(len(facts), until=entry)
    aside = facts["set_aside"].mask(facts["set_aside"].isna() & (said["state"] == NOT_A_SCAN).to_numpy(), NOT_A_SCAN)
    labels = said["label"].where(aside.isna().to_numpy())
    return facts.assign(set_aside=aside, label=labels, label_from=said["origin"].where(labels.notna()))


def _grouped(manifest: pd.DataFrame, audited: Audited | None, without: Sequence[int] = ()) -> pd.DataFrame:
    """Return the manifest with groups, sets of copies and conflicts, whatever links the rows `without` make left out."""
    if audited is None:
        nobody = _nothing(manifest, "Int64")
        return manifest.assign(group=nobody, copy_set=nobody, conflict=False)
    looked_at = np.flatnonzero(manifest["set_aside"].isna().to_numpy())
    looked_at = np.setdiff1d(looked_at[looked_at < audited.description.rows], np.asarray(without, np.int64))
    patients = names_in(manifest["patient"])
    found: Grouping = grouping(audited.pairs, patients, looked_at)
    conflicting = np.zeros(len(manifest), bool)
    for rows in conflicts(audited.pairs, names_in(manifest["label"]), patients, looked_at):
        conflicting[list(rows)] = True
    return manifest.assign(group=_nullable(found.groups), copy_set=_nullable(found.copy_sets), conflict=conflicting)


def _under(snapshot: Snapshot, split: StoredSplit, audited: Audited | None) -> Snapshot:
    parts, tying = split.parts(moment_of(snapshot))
    manifest = snapshot.manifest
    if len(tying):
        # What ties two sides together is left out, and so is the tie.
        manifest = typed(_grouped(manifest, audited, tying.tolist()), MANIFEST_DTYPES)
    counts = counts_of(parts)
    left_out = len(snapshot.usable) - sum(counts.values())
    changes = {**counts, "left_out": left_out, "tying_left_out": len(tying)}
    return replace(snapshot, manifest=manifest).with_split(parts, split.description.model_copy(update=changes))


def _counted(sources: Sequence[SourceDescription], manifest: pd.DataFrame) -> tuple[SourceDescription, ...]:
    numbers, names = pd.factorize(manifest["source"])
    usable = manifest["set_aside"].isna().to_numpy()
    images, aside = (np.bincount(numbers[which], minlength=len(names)).tolist() for which in (usable, ~usable))
    counts = dict(zip(names, zip(images, aside, strict=True), strict=True))
    return tuple(
        source.model_copy(update=dict(zip(("images", "set_aside"), counts[source.name], strict=True))) for source in sources
    )


def _nothing(manifest: pd.DataFrame, dtype: str) -> pd.Series:
    """Return a column in which nothing is said of any row."""
    return pd.Series(None, index=manifest.index, dtype=dtype)


def _nullable(numbers: npt.NDArray[np.int64]) -> pd.Series:
    return pd.Series(pd.arrays.IntegerArray(numbers, numbers < 0))
