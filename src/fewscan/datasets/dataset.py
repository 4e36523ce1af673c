"""The dataset folder: images that only grow, a log of labels, the audit's pairs, and splits, each at its own pace."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd

from fewscan.atomic import write_bytes, write_text
from fewscan.config import Settings, json_object
from fewscan.datasets.descriptions import AuditDescription, ReadingNote, SourceDescription
from fewscan.datasets.labels import DatasetLabels
from fewscan.datasets.pair_decisions import PairDecision, PairDecisions, decided
from fewscan.datasets.pairs import PAIRS_FILE, as_parquet, read_pairs
from fewscan.datasets.roles import StoredSplit
from fewscan.datasets.showing import as_html
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.taking import Audited, take
from fewscan.errors import FewscanError
from fewscan.folders import MARKS, require_file, require_split
from fewscan.images.options import ImageSpec
from fewscan.images.store import IMAGES_FOLDER, ImageStore, Shard
from fewscan.images.stored import StoredImages
from fewscan.labels.log import LABELS_FILE
from fewscan.wording import HOST, advised, command_line, counted

DATASET_FILE = MARKS["dataset"]
SPLITS_FOLDER = "splits"
FORMAT = 2
DEFAULT_SPLIT = "main"


class SplitFile(Settings):
    """A split by its name, and the SHA-256 of its file, while a new one is written of either."""

    name: str
    sha256: tuple[str, ...]


class DatasetDescription(Settings):
    """The content of `dataset.json`, which is replaced last: what it does not name is no part of the dataset."""

    format: Literal[2] = 2
    spec: ImageSpec
    sources: tuple[SourceDescription, ...]
    notes: tuple[ReadingNote, ...] = ()
    shards: tuple[Shard, ...]
    audit: AuditDescription | None = None
    # Of the file of pairs that belongs to it, and while a new one is written of either.
    pairs_sha256: tuple[str, ...] = ()
    splits: tuple[SplitFile, ...] = ()  # in the order in which they were drawn


@dataclass(frozen=True, repr=False)
class Dataset:
    """An opened dataset folder; its tables are read when they are asked for."""

    folder: Path
    description: DatasetDescription

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a dataset folder.

        Raises FewscanError where it is missing, cut short, or was made by an earlier version.
        """
        folder = Path(folder)
        require_file(folder, DATASET_FILE, "dataset")
        content = json_object(folder / DATASET_FILE, "import the scans again")
        if content.get("format") == 1:
            raise FewscanError(
                f"{folder} was made by an earlier version: convert it with "
                f"'{command_line('upgrade', folder, 'NEW_FOLDER')}'; nothing is lost, and the old folder stays"
            )
        dataset = cls(folder, DatasetDescription.parse(content, where=DATASET_FILE))
        _ = dataset.images.pixels  # that they are there, and long enough; of those elsewhere it is asked when they are read
        return dataset

    @cached_property
    def images(self) -> ImageStore:
        """Pixels and facts of all images."""
        return ImageStore(self.folder / IMAGES_FOLDER, self.description.spec, self.description.shards)

    @property
    def pixels(self) -> StoredImages:
        """(N, C, S, S) uint8, read-only; what is asked for is read."""
        return self.images.pixels

    @cached_property
    def labels(self) -> DatasetLabels:
        """What was said of each row, by whom and when; whether it is about these images is looked at whenever it is opened."""
        path, about = self.folder / LABELS_FILE, self.images.identity
        return DatasetLabels(path, self.images, self.description.sources, self._copy_sets, about=about)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """The pairs of rows that the audit found, as PAIR_DTYPES; raises FewscanError before an audit."""
        if self.description.audit is None:
            raise FewscanError(f"{self.folder} is not audited: run '{command_line('audit', self.folder)}' first")
        return read_pairs(self.folder, self.description.pairs_sha256)

    @property
    def pair_decisions(self) -> PairDecisions:
        """What people said of the audit's pairs."""
        return PairDecisions(self.folder, self.images.identity)

    def decided(self, pairs: pd.DataFrame) -> list[PairDecision | None]:
        """Return what people said last of each of the pairs, None for nothing."""
        entries = self.pair_decisions.entries()
        return (
            decided(pairs, entries, self.images.table(["pixels_sha256"])["pixels_sha256"]) if entries else [None] * len(pairs)
        )

    def holding(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Return those of the pairs that no person has dissolved: they hold images together."""
        return pairs[np.array([one is None or one.verdict != "apart" for one in self.decided(pairs)], bool)]

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, in the order in which they were drawn."""
        return tuple(split.name for split in self.description.splits)

    def split(self, name: str) -> StoredSplit:
        """Return a split as it was drawn; raises FewscanError where there is none of that name, or it is damaged."""
        require_split(self.folder, name, self.splits)
        (sha256,) = (split.sha256 for split in self.description.splits if split.name == name)
        again = command_line("split", self.folder, "--name", name, "--overwrite")
        otherwise = advised(f"draw the split again: '{again}'", f"{HOST} can draw the split again")
        return StoredSplit.read(self._split_file(name), sha256, otherwise)

    def snapshot(self, split: str | None = None) -> Snapshot:
        """Return the dataset as it is now, under the split of that name, or under the one that was drawn last, if any."""
        name = split if split is not None else self.splits[-1] if self.splits else None
        return self._taken(None if name is None else self.split(name))

    def table(self, split: str | None = None) -> pd.DataFrame:
        """Return a line an image: its file, facts, label, group and part, under a split, by default the newest."""
        return self.snapshot(split).manifest

    def __repr__(self) -> str:
        """Return where it lies, how many images it has that can be used, and which splits."""
        splits = f", splits {', '.join(self.splits)}" if self.splits else ""
        away = f", pixels at {self.images.elsewhere.url}" if self.images.away and self.images.elsewhere else ""
        images = counted(len(self.unsplit().usable), "image")
        return f"<Dataset {self.folder}: {images} of {self.description.spec.size_px} px{splits}{away}>"

    def _repr_html_(self) -> str:
        return as_html(self.snapshot(), self.splits)

    def unsplit(self) -> Snapshot:
        """Return the dataset as it is now, with no row in any part."""
        return self._taken(None)

    def with_audit_of(self, pairs: pd.DataFrame, audit: AuditDescription) -> Snapshot:
        """Return the dataset as it would be, under its newest split, with what an audit found; nothing is written."""
        return self._taken(self.split(self.splits[-1]) if self.splits else None, Audited(audit, self.holding(pairs)))

    def with_pairs(self, pairs: pd.DataFrame, audit: AuditDescription) -> "Dataset":
        """Write what an audit found, and all else that the description says; return the dataset that has it."""
        content, sha256 = as_parquet(pairs)
        # A kill between two files leaves pairs and a description that agree.
        standing = Dataset.open(self.folder)
        either = (*standing.description.pairs_sha256, sha256)
        standing._described(standing.description.model_copy(update={"pairs_sha256": either}))
        write_bytes(self.folder / PAIRS_FILE, content)
        return self._described(self.description.model_copy(update={"audit": audit, "pairs_sha256": (sha256,)}))

    def with_split(self, split: StoredSplit) -> "Dataset":
        """Write a split under its name, in the place of one that has it, and return the dataset that has it."""
        name = split.description.name
        content, sha256 = split.as_parquet()
        files = self.description.splits
        # As with pairs: a kill between two files leaves either split, and a description that agrees.
        either = [file.model_copy(update={"sha256": (*file.sha256, sha256)}) if file.name == name else file for file in files]
        self._described(self.description.model_copy(update={"splits": tuple(either)}))
        (self.folder / SPLITS_FOLDER).mkdir(exist_ok=True)
        write_bytes(self._split_file(name), content)
        newest = (*(file for file in files if file.name != name), SplitFile(name=name, sha256=(sha256,)))
        return self._described(self.description.model_copy(update={"splits": newest}))

    def named(self) -> "Dataset":
        """Write the description: what it names is the dataset's from then on."""
        return self._described(self.description)

    def _described(self, description: DatasetDescription) -> "Dataset":
        write_text(self.folder / DATASET_FILE, description.model_dump_json(indent=2) + "\n")
        return replace(self, description=description)

    def _taken(self, split: StoredSplit | None, audited: Audited | None = None) -> Snapshot:
        described = self.description
        if audited is None and described.audit is not None:
            audited = Audited(described.audit, self.holding(self.pairs))
        return take(self.folder, self.images, self.labels, audited, split, described.sources, described.notes)

    def _copy_sets(self) -> pd.Series | None:
        """Return the set of copies of each row; None before an audit."""
        return None if self.description.audit is None else self.unsplit().manifest["copy_set"]

    def _split_file(self, name: str) -> Path:
        return self.folder / SPLITS_FOLDER / f"{name}.parquet"
