"""A dataset as it is at one moment: which rows there are, in which part, with which label, in which group.

Everything after a split works on a snapshot. A run keeps the one that it learned from, so that nothing that becomes of labels,
splits and images later changes what the run is.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fewscan.config import Settings
from fewscan.datasets.descriptions import (
    SPLITS,
    AuditDescription,
    ReadingNote,
    SourceDescription,
    Split,
    SplitDescription,
)
from fewscan.datasets.roles import split_fingerprint
from fewscan.errors import FewscanError
from fewscan.images.options import ImageSpec
from fewscan.images.patients import patients_by_class
from fewscan.images.store import ImageStore
from fewscan.images.stored import StoredImages
from fewscan.images.table import IMAGE_DTYPES
from fewscan.parquet import parquet_content, parquet_table, typed
from fewscan.wording import command_line, counted

Int64s = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

# What may change of a row, and so is kept with a snapshot; all else is in the images' table.
STATE_DTYPES: dict[str, str] = {
    "label": "str",  # class name, or null
    "label_from": "str",  # where the label comes from: folder, file, review, or the name of a table; null without a label
    "only_teaches": "bool",  # the label measures nothing, since a network chose the scan: see `labels.teaching`
    "group": "Int64",  # images that must stay together; null until audited
    "copy_set": "Int64",  # images that are copies of one another; null until audited
    "conflict": "bool",  # copies of this image carry another label
    "split": "str",  # the row's part, one of SPLITS, or null
    "set_aside": "str",  # the reason why this row cannot be used, or null
    "taught_before": "bool",  # the weights that the run began with had learned from it with a label
    "seen_before": "bool",  # they had learned from it without
}
MANIFEST_DTYPES = IMAGE_DTYPES | STATE_DTYPES

_META = b"fewscan"


class SnapshotDescription(Settings):
    """What is said of a snapshot."""

    identity: str  # of the dataset's images, however many were added since
    images: int  # rows
    chain: str  # over the pixels and facts of these rows
    spec: ImageSpec
    classes: tuple[str, ...]
    sources: tuple[SourceDescription, ...]
    notes: tuple[ReadingNote, ...] = ()
    audit: AuditDescription | None = None
    split: SplitDescription | None = None
    label_entry: int  # the newest of the label log that it knows of
    fingerprint: str  # changes with any image, label or class


@dataclass(frozen=True, repr=False)
class Snapshot:
    """Row i of `manifest`, which has the columns MANIFEST_DTYPES, is row i of `pixels`. `folder` is the dataset's."""

    folder: Path
    description: SnapshotDescription
    manifest: pd.DataFrame
    store: ImageStore

    @property
    def pixels(self) -> StoredImages:
        """(N, C, S, S) uint8, read-only; what is asked for is read."""
        return self.store.pixels[: self.description.images]

    @property
    def whole(self) -> StoredImages:
        """The same without the crop, as far as the dataset keeps that: what copies are told by."""
        return self.store.whole[: self.description.images]

    @property
    def spec(self) -> ImageSpec:
        """How files become stored pixels."""
        return self.description.spec

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their indices."""
        return self.description.classes

    @cached_property
    def labels(self) -> Int64s:
        """(N,) class index of every row, -1 where it has none.

        Holds every label that is known, also those that the split hides: training asks for the labels of the rows that its
        budget grants and for no others.
        """
        return class_indices(self.manifest["label"], self.classes)

    @cached_property
    def groups(self) -> Int64s:
        """(N,) group of every row; a row that the audit has not grouped is a group by itself (negative numbers)."""
        alone = -1 - np.arange(len(self.manifest))
        return np.where(self.manifest["group"].isna(), alone, self.manifest["group"].fillna(0)).astype(np.int64)

    @cached_property
    def copy_sets(self) -> Int64s:
        """(N,) set of copies of every row, -1 for one without copies."""
        return np.asarray(self.manifest["copy_set"].fillna(-1), np.int64)

    @cached_property
    def _parts(self) -> Int64s:
        """(N,) index in SPLITS of every row's part, -1 where it is in none."""
        return class_indices(self.manifest["split"], SPLITS)

    @cached_property
    def usable(self) -> Rows:
        """Numbers of the rows that were not set aside, ascending."""
        return np.flatnonzero(self.manifest["set_aside"].isna().to_numpy())

    @cached_property
    def shows_color(self) -> npt.NDArray[np.bool_]:
        """(N,) whether every image showed color before it was stored; where nobody has looked, it did not."""
        shows: npt.NDArray[np.bool_] = self.manifest["color"].fillna(False).to_numpy(bool)
        return shows

    @property
    def file_names(self) -> list[str]:
        """`source/path` of every row, N of them; they may hold names of patients."""
        names: list[str] = (self.manifest["source"] + "/" + self.manifest["path"]).tolist()
        return names

    def __repr__(self) -> str:
        """Return where the dataset lies, how many images can be used, and how many each part has."""
        parts = ", ".join(f"{len(self.rows(part)):,} {part}" for part in SPLITS) if self.description.split else "not split"
        return f"<Snapshot of {self.folder}: {counted(len(self.usable), 'image')}, {len(self.classes)} classes; {parts}>"

    def rows(self, *splits: Split) -> Rows:
        """Return the numbers of the rows in the given parts, ascending."""
        return np.flatnonzero(np.isin(self._parts, [SPLITS.index(part) for part in splits]))

    def measuring(self, *splits: Split) -> Rows:
        """Return the numbers of the rows in the given parts whose labels may measure a network, ascending."""
        rows = self.rows(*splits)
        measuring: Rows = rows[~self.manifest["only_teaches"].to_numpy(bool)[rows]]
        return measuring

    def by_class(self, *splits: Split) -> pd.DataFrame:
        """Return how many labeled images, groups and known patients each class has in the given parts; its index is the class.

        A group is a patient, a set of copies, or one image.
        """
        labeled = self.manifest.iloc[self.rows(*splits)]
        images = pd.DataFrame({"class": labeled["label"], "group": self.groups[labeled.index]})
        counted_groups = images.groupby("class")["group"].agg(["size", "nunique"])
        counts = counted_groups.rename(columns={"size": "images", "nunique": "groups"})
        counts["patients"] = pd.Series(patients_by_class(labeled), dtype="int64")
        return counts.reindex(list(self.classes)).fillna(0).astype(int)

    def require_split(self) -> SplitDescription:
        """Return how the dataset was split; raises FewscanError where it was not."""
        if self.description.split is None:
            raise FewscanError(f"{self.folder} has no split yet: run '{command_line('split', self.folder)}' first")
        return self.description.split

    def with_split(self, parts: npt.NDArray[np.object_], split: SplitDescription) -> "Snapshot":
        """Return the same with other parts (N,), one of SPLITS or None for each row; nothing is written."""
        described = self.description.model_copy(
            update={"split": split.model_copy(update={"fingerprint": split_fingerprint(parts)})}
        )
        return replace(self, description=described, manifest=self.manifest.assign(split=pd.Series(parts, dtype="str")))

    def as_parquet(self) -> bytes:
        """Return what may change of the rows, and the description, as a file's content."""
        table = pa.Table.from_pandas(typed(self.manifest, STATE_DTYPES), preserve_index=False)
        return parquet_content(table, {_META: self.description.model_dump_json()})

    def holds(self, path: Path) -> bool:
        """Return whether the images of the snapshot in a file are the first of these; raises FewscanError where it is none."""
        try:
            said = json.loads(pq.read_schema(path).metadata[_META])
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            raise FewscanError(f"{path} is missing or damaged: restore the original file, or train again") from None
        described = SnapshotDescription.parse(said, where=path.name)
        return self.store.holds(described.images, described.chain)

    @classmethod
    def read(cls, path: Path, folder: Path, store: ImageStore, otherwise: str) -> Self:
        """Read a snapshot of the dataset in `folder`; `otherwise` is what helps where it is damaged, such as `train again`.

        Raises FewscanError where it is missing or damaged, or where the dataset's images are not those that it speaks of.
        """
        try:
            table = parquet_table(path.read_bytes())
            said = json.loads(table.schema.metadata[_META])
            # A snapshot from before 2026-11-27 counts all that was learned from as taught, one from before 2026-11-28 lets all
            # labels measure: what was measured then is what it was.
            former = {name: False for name in ("seen_before", "only_teaches") if name not in table.column_names}
            state = typed(table.to_pandas(use_threads=False).assign(**former), STATE_DTYPES)
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            raise FewscanError(f"{path} is missing or damaged: {otherwise}") from None
        description = SnapshotDescription.parse(said, where=path.name)
        if len(state) != description.images or not store.holds(description.images, description.chain):
            raise FewscanError(
                f"{folder} is not the dataset that {path.parent} was made from: pixels or facts of its images differ. If that "
                "dataset is elsewhere now, give it with --data DATASET"
            )
        facts = store.table().iloc[: description.images].drop(columns="set_aside")
        manifest = pd.concat([facts, state], axis=1)[list(MANIFEST_DTYPES)]
        return cls(folder, description, manifest, store)


def class_indices(labels: pd.Series | pd.api.extensions.ExtensionArray, classes: tuple[str, ...]) -> Int64s:
    """Return (N,) the index of each label's class, -1 where there is no label or it is none of the classes."""
    return np.asarray(pd.Index(classes, dtype="str").get_indexer(labels), np.int64)


def snapshot_fingerprint(chain: str, classes: tuple[str, ...], manifest: pd.DataFrame) -> str:
    """Return a SHA-256 over what the images are, which can be used, and their labels."""
    digest = hashlib.sha256(json.dumps([chain, *classes]).encode())
    hashed = pd.util.hash_pandas_object(manifest[["label", "set_aside"]].fillna("\0"), index=False)
    digest.update(hashed.to_numpy().tobytes())
    return digest.hexdigest()
