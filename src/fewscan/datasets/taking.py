"""Images, labels, pairs and a split -> the snapshot that they make now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray

from fewscan.datasets.descriptions import AuditDescription, ReadingNote, SourceDescription, SplitDescription
from fewscan.datasets.pairs import Grouping, conflicts, grouping, names_in
from fewscan.datasets.roles import Int64s, Moment, StoredSplit, Texts, counts_of, split_fingerprint
from fewscan.datasets.snapshot import MANIFEST_DTYPES, Snapshot, SnapshotDescription, class_indices, snapshot_fingerprint
from fewscan.images.store import ImageStore
from fewscan.images.table import IMAGE_DTYPES
from fewscan.labels.log import STATES, Held, LabelLog, State

NOT_A_SCAN: State = "not a scan"


@dataclass(frozen=True)
class Audited:
    """What an audit found: its description, and the pairs that belong together."""

    description: AuditDescription
    pairs: pd.DataFrame


class _Said(NamedTuple):
    """What is said of N rows, a column each. A label of a row that cannot be used is none."""

    set_aside: ExtensionArray
    label: ExtensionArray
    label_from: ExtensionArray
    only_teaches: npt.NDArray[np.bool_]
    usable: npt.NDArray[np.bool_]
    classes: tuple[str, ...]


class _Tied(NamedTuple):
    """What holds N rows together, as in `Moment`."""

    groups: Int64s
    copy_sets: Int64s
    conflict: npt.NDArray[np.bool_]


def take(
    folder: Path,
    images: ImageStore,
    log: LabelLog,
    audited: Audited | None,
    split: StoredSplit | None,
    sources: Sequence[SourceDescription],
    notes: Sequence[ReadingNote],
) -> Snapshot:
    """Return the dataset in `folder` as it is now, under a split, if one is given.

    Columns are computed as arrays and put together once: a table takes longer over each than they take to compute.
    """
    facts = images.table()
    held = log.held(len(facts))
    said = _said(facts["set_aside"].array, held)
    tied = _tied(facts, said, audited)
    parts = np.full(len(facts), None, dtype=object)
    described = None
    if split is not None:
        labels = class_indices(said.label, said.classes)
        parts, tying = split.parts(Moment(labels, said.usable, tied.conflict, tied.groups, tied.copy_sets, said.only_teaches))
        if len(tying):
            # What ties two sides together is left out, and so is the tie.
            tied = _tied(facts, said, audited, tying.tolist())
        described = _counted_parts(split.description, parts, int(said.usable.sum()), len(tying))
    columns = {name: facts[name].array for name in IMAGE_DTYPES} | {
        "label": said.label,
        "label_from": said.label_from,
        "only_teaches": said.only_teaches,
        "group": _nullable(tied.groups),
        "copy_set": _nullable(tied.copy_sets),
        "conflict": tied.conflict,
        "split": pd.array(parts, dtype="str"),
        "set_aside": said.set_aside,
        "taught_before": np.zeros(len(facts), bool),
        "seen_before": np.zeros(len(facts), bool),
    }
    manifest = pd.DataFrame({name: columns[name] for name in MANIFEST_DTYPES}, copy=False)
    description = SnapshotDescription(
        identity=images.identity,
        images=images.rows,
        chain=images.chain,
        spec=images.spec,
        classes=said.classes,
        sources=_counted(sources, facts["source"], said.usable),
        notes=tuple(notes),
        audit=None if audited is None else audited.description,
        split=described,
        label_entry=held.last,
        fingerprint=snapshot_fingerprint(images.chain, said.classes, manifest),
    )
    return Snapshot(folder, description, manifest, images)


def moment_of(snapshot: Snapshot) -> Moment:
    """Return what a split asks of a snapshot's rows."""
    manifest = snapshot.manifest
    return Moment(
        labels=class_indices(manifest["label"], snapshot.classes),
        usable=manifest["set_aside"].isna().to_numpy(),
        conflict=manifest["conflict"].to_numpy(bool),
        groups=manifest["group"].fillna(-1).to_numpy(np.int64),
        copy_sets=snapshot.copy_sets,
        only_teaches=manifest["only_teaches"].to_numpy(bool),
    )


def _said(set_aside: ExtensionArray, held: Held) -> _Said:
    """Return what the log says of rows that import set aside, or not: None."""
    usable = set_aside.isna()
    no_scan = usable & (held.said == -STATES.index(NOT_A_SCAN))
    if no_scan.any():
        set_aside = set_aside.copy()
        set_aside[no_scan] = NOT_A_SCAN
        usable &= ~no_scan
    labeled = usable & (held.said > 0)
    label, label_from = (held.texts.take(np.where(labeled, numbers, 0)) for numbers in (held.said, held.origin))
    classes = tuple(sorted(held.texts.take(np.unique(held.said[labeled])).tolist()))
    return _Said(set_aside, label, label_from, labeled & held.only_teaches, usable, classes)


def _tied(facts: pd.DataFrame, said: _Said, audited: Audited | None, without: Sequence[int] = ()) -> _Tied:
    """Return groups, sets of copies and conflicts, whatever links the rows `without` make left out."""
    conflicting = np.zeros(len(facts), bool)
    if audited is None:
        nobody = np.full(len(facts), -1)
        return _Tied(nobody, nobody, conflicting)
    looked_at = np.flatnonzero(said.usable)
    looked_at = np.setdiff1d(looked_at[looked_at < audited.description.rows], np.asarray(without, np.int64))
    patients = names_in(facts["patient"])
    found: Grouping = grouping(audited.pairs, patients, looked_at)
    for rows in conflicts(audited.pairs, names_in(said.label), patients, looked_at):
        conflicting[list(rows)] = True
    return _Tied(found.groups, found.copy_sets, conflicting)


def _counted_parts(split: SplitDescription, parts: Texts, usable: int, tying: int) -> SplitDescription:
    """Return what is said of a split, with what it comes to of so many usable rows."""
    counts = counts_of(parts)
    changes = {"left_out": usable - sum(counts.values()), "tying_left_out": tying, "fingerprint": split_fingerprint(parts)}
    return split.model_copy(update={**counts, **changes})


def _counted(
    sources: Sequence[SourceDescription], source: pd.Series, usable: npt.NDArray[np.bool_]
) -> tuple[SourceDescription, ...]:
    """Return the sources with how many of their rows can be used, and how many were set aside; source: (N,) names."""
    numbers, names = pd.factorize(source.array)
    images, aside = (np.bincount(numbers[which], minlength=len(names)).tolist() for which in (usable, ~usable))
    counts = dict(zip(names, zip(images, aside, strict=True), strict=True))
    return tuple(
        source.model_copy(update=dict(zip(("images", "set_aside"), counts[source.name], strict=True))) for source in sources
    )


def _nullable(numbers: Int64s) -> ExtensionArray:
    """Return a column in which -1 says nothing of a row."""
    return pd.arrays.IntegerArray(numbers, numbers < 0)
