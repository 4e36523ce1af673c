"""The dataset folder: `dataset.json`, `manifest.parquet` and `pixels.npy`; later stages speak in its row numbers."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydantic

from fewscan.atomic import write_text
from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.folders import MARKS, require_file
from fewscan.images.formats.reading import Reading
from fewscan.images.manifest import MANIFEST_FILE, as_parquet, read_manifest, write_parquet
from fewscan.images.options import ImageFormat, Resize

Protocol = Literal["leakfree", "study", "given"]  # given: as the data came, groups across its parts kept
Shares = Literal["known", "unknown"]
GivenLeaks = Literal["refuse", "drop", "keep"]  # what becomes of groups across the parts of the split that the data came with
Split = Literal["labeled", "validation", "unlabeled", "test"]
SPLITS: tuple[Split, ...] = ("labeled", "validation", "unlabeled", "test")

DATASET_FILE = MARKS["dataset"]
PIXELS_FILE = "pixels.npy"
FORMAT = 1


class SourceDescription(Settings):
    """Where images came from."""

    name: str
    folder: str
    images: int
    set_aside: int


class ReadingNote(Settings):
    """What a user should know of how some images' pixels came about, and the first of these images."""

    note: str
    images: int
    example: str


class AuditDescription(Settings):
    """What the audit wrote into the manifest."""

    similarity: float
    same_head: bool = False  # whether groups join slices that are probably of one head
    pairs: int
    groups: int
    copy_sets: int
    conflicting_images: int


class SplitDescription(Settings):
    """How the split was drawn; `fingerprint` changes with any row's part."""

    protocol: Protocol
    given_leaks: GivenLeaks | None = None  # set where the split that the data came with was kept
    seed: int
    shares: Shares = "known"  # whether the budget of labels was drawn by the classes' shares among all labels
    labeled: int
    validation: int
    validation_asked: int | None = None  # more than `validation` where groups were too few; None where nobody noted it
    unlabeled: int
    test: int
    left_out: int
    conflicting_left_out: int
    fingerprint: str


class DatasetDescription(Settings):
    """The content of `dataset.json`."""

    format: Literal[1] = 1
    classes: tuple[str, ...]
    image_size_px: int
    channels: Literal[1, 3]
    resize: Resize
    # Files of datasets made before 2026-11-27 call it by what it was then, the slices of volumes.
    reading: Reading = pydantic.Field(default=Reading(), validation_alias=pydantic.AliasChoices("reading", "slices"))
    sources: tuple[SourceDescription, ...]
    notes: tuple[ReadingNote, ...] = ()
    fingerprint: str
    audit: AuditDescription | None = None
    split: SplitDescription | None = None
    # Of the manifest that belongs to it, and while a new one is written of either; none before 2026-11-27.
    manifest_sha256: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """An opened dataset folder. Row i of `manifest` is row i of `pixels`."""

    folder: Path
    description: DatasetDescription
    manifest: pd.DataFrame

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open and validate a dataset folder.

        Raises FewscanError where it is missing, cut short, or its parts do not fit each other.
        """
        folder = Path(folder)
        require_file(folder, DATASET_FILE, "dataset")
        description = DatasetDescription.read(folder / DATASET_FILE, "import the scans again")
        dataset = cls(folder, description, read_manifest(folder, description.manifest_sha256))
        dataset._validate()
        return dataset

    @cached_property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """(N, C, H, W) uint8, memory-mapped and read-only."""
        return _open_pixels(self.folder)

    @property
    def image_format(self) -> ImageFormat:
        """How images are stored."""
        description = self.description
        return ImageFormat(size_px=description.image_size_px, resize=description.resize, channels=description.channels)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their indices."""
        return self.description.classes

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) class index of every row, -1 where it has none.

        Holds every label that is known, also those that the split hides: training asks for the labels of the rows that its
        budget grants and for no others.
        """
        index = {name: number for number, name in enumerate(self.classes)}
        return np.array([index.get(label, -1) for label in self.manifest["label"]], dtype=np.int64)

    @cached_property
    def groups(self) -> npt.NDArray[np.int64]:
        """(N,) group of every row; a row that the audit has not grouped is a group by itself (negative numbers)."""
        alone = -1 - np.arange(len(self.manifest))
        return np.where(self.manifest["group"].isna(), alone, self.manifest["group"].fillna(0)).astype(np.int64)

    @cached_property
    def usable(self) -> npt.NDArray[np.int64]:
        """Numbers of the rows that were not set aside, ascending."""
        return np.flatnonzero(self.manifest["set_aside"].isna().to_numpy())

    @property
    def file_names(self) -> list[str]:
        """`source/path` of every row, N of them; they may hold names of patients."""
        names: list[str] = (self.manifest["source"] + "/" + self.manifest["path"]).tolist()
        return names

    def rows(self, *splits: Split) -> npt.NDArray[np.int64]:
        """Return the numbers of the rows in the given parts, ascending."""
        return np.flatnonzero(self.manifest["split"].isin(splits).to_numpy())

    def require_split(self) -> SplitDescription:
        """Return how the dataset was split; raises FewscanError where it was not, or not wholly."""
        if self.description.split is None:
            raise FewscanError(f"{self.folder} has no split yet: run 'fewscan split {self.folder}' first")
        if self.description.split.fingerprint != split_fingerprint(self.manifest):
            raise FewscanError(
                f"{self.folder}: the split was changed or cut short: run 'fewscan split {self.folder} --overwrite'"
            )
        return self.description.split

    def updated(self, manifest: pd.DataFrame, **changes: Any) -> "Dataset":
        """Write a new manifest and description and return the dataset that they make; `self` is left as it was.

        `changes` are fields of DatasetDescription. The new description is written last: it names the split's fingerprint, so a
        kill between the two files is noticed when the split is asked for.
        """
        content = as_parquet(manifest)
        sha256 = hashlib.sha256(content).hexdigest()
        either = self.description.model_copy(update={"manifest_sha256": (*self.description.manifest_sha256, sha256)})
        now = self.description.model_copy(update={**changes, "manifest_sha256": (sha256,)})
        if self.description.manifest_sha256:
            write_text(self.folder / DATASET_FILE, either.model_dump_json(indent=2) + "\n")
        write_parquet(self.folder, content)
        write_text(self.folder / DATASET_FILE, now.model_dump_json(indent=2) + "\n")
        return replace(self, manifest=manifest, description=now)

    def sharing_pixels(self, folder: Path) -> "Dataset":
        """Make a dataset in the empty `folder` that is this one, to be split in another way; its pixels are a link to these."""
        (folder / PIXELS_FILE).symlink_to((self.folder / PIXELS_FILE).resolve())
        return replace(self, folder=folder).updated(self.manifest)

    def _validate(self) -> None:
        rows = len(self.manifest)
        size = self.description.image_size_px
        expected = (rows, self.description.channels, size, size)
        if self.pixels.shape != expected or self.pixels.dtype != np.uint8:
            raise FewscanError(
                f"{self.folder} is cut short: {PIXELS_FILE} holds {self.pixels.dtype} {self.pixels.shape}, "
                f"the manifest asks for uint8 {expected}; import the scans again"
            )
        unknown = set(self.manifest["label"].dropna()) - set(self.classes)
        if unknown:
            raise FewscanError(
                f"{self.folder}: {MANIFEST_FILE} names classes that {DATASET_FILE} does not: {', '.join(sorted(unknown))}"
            )


def dataset_fingerprint(manifest: pd.DataFrame, classes: tuple[str, ...], pixels: npt.NDArray[np.uint8]) -> str:
    """Return a SHA-256 over what the images, their labels and their stored pixels are; the same import gives the same one.

    Of the patients only which images are one's counts, since their hashes have another salt in every import.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, *classes]).encode())
    columns = ["source", "path", "label", "patient", "sha256", "set_aside"]
    numbers = pd.Series(pd.factorize(manifest["patient"])[0], index=manifest.index, dtype="Int64")
    digest.update(manifest[columns].assign(patient=numbers.mask(numbers < 0)).to_csv(index=False).encode())
    for row in pixels:
        digest.update(row)
    return digest.hexdigest()


def split_fingerprint(manifest: pd.DataFrame) -> str:
    """Return a SHA-256 over which row is in which part."""
    return hashlib.sha256(",".join(manifest["split"].fillna("-")).encode()).hexdigest()


def _open_pixels(folder: Path) -> npt.NDArray[np.uint8]:
    try:
        pixels: npt.NDArray[np.uint8] = np.load(folder / PIXELS_FILE, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise FewscanError(f"{folder} is cut short: {PIXELS_FILE} is missing; import the scans again") from None
    except PermissionError:
        raise FewscanError(f"no permission to read {folder / PIXELS_FILE}") from None
    except (ValueError, OSError, EOFError):
        raise FewscanError(f"{folder / PIXELS_FILE} is damaged or cut short: import the scans again") from None
    return pixels
