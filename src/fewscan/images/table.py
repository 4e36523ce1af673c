"""The table of a shard's images: what import found out about each, its columns and types, and how it lies on disk.

Nothing in it ever changes: what people say of an image, and what audit and split make of it, lie elsewhere.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from fewscan.atomic import write_bytes
from fewscan.digests import known_content
from fewscan.errors import FewscanError
from fewscan.parquet import parquet_frame, typed

# One row an image; `path` is its file's, relative to its source's folder, and where the file holds several, `#` and which of
# them this is. A row that was set aside keeps its number; its pixels are zero.
IMAGE_DTYPES: dict[str, str] = {
    "path": "str",
    "source": "str",
    "patient": "str",  # a salted hash, or null
    "given_split": "str",  # the part of a split that the data came with: one of GivenSplit, or null
    "sha256": "str",  # of the file's bytes; null where the file is missing
    "pixels_sha256": "str",  # of the decoded pixels before resizing; null where they could not be read
    "width_px": "Int64",
    "height_px": "Int64",
    "color": "boolean",  # whether the image had color before it was stored; null where nobody has looked
    "set_aside": "str",  # the reason why the file cannot be used, or null
}


def write_table(path: Path, images: pd.DataFrame) -> str:
    """Write a shard's table, atomically, with the columns and types of IMAGE_DTYPES, and return the file's SHA-256."""
    content: bytes = images[list(IMAGE_DTYPES)].astype(IMAGE_DTYPES).to_parquet(index=False)
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def facts_sha256(images: pd.DataFrame, patients_before: pd.Series) -> str:
    """Return a SHA-256 over a shard's facts; the same files give the same one, whenever they are imported.

    Of the patients only which images are one's counts, since their hashes have another salt in every import. patients_before:
    those of all images of earlier shards.
    """
    patients = pd.concat([patients_before, images["patient"]], ignore_index=True)
    numbers = pd.Series(pd.factorize(patients)[0][len(patients_before) :], index=images.index, dtype="Int64")
    facts = images[list(IMAGE_DTYPES)].astype(IMAGE_DTYPES).assign(patient=numbers.mask(numbers < 0))
    return hashlib.sha256(facts.to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def read_table(path: Path, sha256: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a shard's table, or some of its columns.

    Raises FewscanError where it is missing, damaged, or not the one with that SHA-256.
    """
    wanted = list(IMAGE_DTYPES if columns is None else columns)
    content = known_content(path, [sha256], "import the scans again")
    try:
        return typed(parquet_frame(content, wanted), {name: IMAGE_DTYPES[name] for name in wanted})
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError):
        raise FewscanError(f"{path} is damaged: import the scans again") from None
