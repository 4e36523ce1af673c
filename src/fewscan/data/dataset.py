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
import pyarrow as pa
import pydantic

from fewscan.atomic import replaced_file, write_text
from fewscan.config import Settings
from fewscan.data.formats.reading import Reading
from fewscan.data.options import ImageFormat, Resize
from fewscan.errors import FewscanError

Protocol = Literal["leakfree", "study", "given"]  # given: as the data came, groups across its parts kept
Shares = Literal["known", "unknown"]
GivenLeaks = Literal["refuse", "drop", "keep"]  # what becomes of groups across the parts of the split that the data came with
Split = Literal["labeled", "validation", "unlabeled", "test"]
SPLITS: tuple[Split, ...] = ("labeled", "validation", "unlabeled", "test")

DATASET_FILE = "dataset.json"
MANIFEST_FILE = "manifest.parquet"
PIXELS_FILE = "pixels.npy"
FORMAT = 1

# One row an image; `path` is its file's, relative to its source's folder, and where the file holds several, `#` and which of
# them this is. A row that was set aside keeps its number; its pixels are zero where import did that, and unused in any case.
MANIFEST_DTYPES: dict[str, str] = {
    "path": "str",
    "source": "str",
    "label": "str",  # class name, or null
    "label_from": "str",  # where the label comes from: folder, file, or the name of a table; null without a label
    "patient": "str",  # a salted hash, or null
    "group": "Int64",  # images that must stay together; null until audited
    "copy_set": "Int64",  # images that are copies of one another; null until audited
    "conflict": "bool",  # copies of this image carry another label
    "split": "str",  # one of SPLITS, or null
    "given_split": "str",  # the part of a split that the data came with: one of GIVEN_SPLITS, or null
    "sha256": "str",  # of the file's bytes; null where the file is missing
    "pixels_sha256": "str",  # of the decoded pixels before resizing; null where they could not be read
    "width_px": "Int64",
    "height_px": "Int64",
    "color": "boolean",  # whether the image had color before it was stored; null where nobody has looked
    "set_aside": "str",  # the reason why this row cannot be used, or null
}
# Columns that manifests of earlier versions lack; they are read as null.
ADDED_COLUMNS = ("label_from", "given_split", "color")


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
        if not (folder / DATASET_FILE).is_file():
            raise FewscanError(
                f"{folder} is not a dataset (no {DATASET_FILE}): make one with 'fewscan import SOURCE --out {folder}'"
            )
        try:
            content = json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))
        except ValueError:
            raise FewscanError(f"{folder / DATASET_FILE} is damaged: import the scans again") from None
        if not isinstance(content, dict):
            raise FewscanError(f"{folder / DATASET_FILE} is damaged: import the scans again")
        description = DatasetDescription.parse(content, where=DATASET_FILE)
        dataset = cls(folder, description, _read_manifest(folder))
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

        `changes` are fields of DatasetDescription. The description is written last: it names the split's fingerprint, so a
        kill between the two files is noticed when the split is asked for.
        """
        dataset = replace(self, manifest=manifest, description=self.description.model_copy(update=changes))
        write_manifest(self.folder, manifest)
        write_text(self.folder / DATASET_FILE, dataset.description.model_dump_json(indent=2) + "\n")
        return dataset

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


def write_manifest(folder: Path, manifest: pd.DataFrame) -> None:
    """Write `manifest.parquet`, atomically, with the columns and types of MANIFEST_DTYPES."""
    with replaced_file(folder / MANIFEST_FILE) as temporary:
        manifest[list(MANIFEST_DTYPES)].astype(MANIFEST_DTYPES).to_parquet(temporary, index=False)


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


def _read_manifest(folder: Path) -> pd.DataFrame:
    try:
        manifest = pd.read_parquet(folder / MANIFEST_FILE)
    except FileNotFoundError:
        raise FewscanError(f"{folder} is cut short: {MANIFEST_FILE} is missing; import the scans again") from None
    except (pa.ArrowInvalid, OSError):
        raise FewscanError(f"{folder / MANIFEST_FILE} is damaged: import the scans again") from None
    missing = [name for name in MANIFEST_DTYPES if name not in (*manifest.columns, *ADDED_COLUMNS)]
    if missing:
        raise FewscanError(f"{folder / MANIFEST_FILE} lacks the columns {', '.join(missing)}: import the scans again")
    return manifest.reindex(columns=list(MANIFEST_DTYPES)).astype(MANIFEST_DTYPES)


def _open_pixels(folder: Path) -> npt.NDArray[np.uint8]:
    try:
        pixels: npt.NDArray[np.uint8] = np.load(folder / PIXELS_FILE, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise FewscanError(f"{folder} is cut short: {PIXELS_FILE} is missing; import the scans again") from None
    except (ValueError, OSError, EOFError):
        raise FewscanError(f"{folder / PIXELS_FILE} is damaged or cut short: import the scans again") from None
    return pixels
