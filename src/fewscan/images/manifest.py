"""The manifest: a table with one row an image, its columns and types, and how it lies on disk."""

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa

from fewscan.atomic import replaced_file
from fewscan.errors import FewscanError

MANIFEST_FILE = "manifest.parquet"

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
    "given_split": "str",  # the part of a split that the data came with: one of GivenSplit, or null
    "sha256": "str",  # of the file's bytes; null where the file is missing
    "pixels_sha256": "str",  # of the decoded pixels before resizing; null where they could not be read
    "width_px": "Int64",
    "height_px": "Int64",
    "color": "boolean",  # whether the image had color before it was stored; null where nobody has looked
    "set_aside": "str",  # the reason why this row cannot be used, or null
}
# Columns that manifests of earlier versions lack; they are read as null.
ADDED_COLUMNS = ("label_from", "given_split", "color")


def write_manifest(folder: Path, manifest: pd.DataFrame) -> str:
    """Write `manifest.parquet`, atomically, with the columns and types of MANIFEST_DTYPES, and return its SHA-256."""
    content = as_parquet(manifest)
    write_parquet(folder, content)
    return hashlib.sha256(content).hexdigest()


def as_parquet(manifest: pd.DataFrame) -> bytes:
    """Return the manifest as it is stored, with the columns and types of MANIFEST_DTYPES."""
    content: bytes = manifest[list(MANIFEST_DTYPES)].astype(MANIFEST_DTYPES).to_parquet(index=False)
    return content


def write_parquet(folder: Path, content: bytes) -> None:
    """Write `manifest.parquet`, atomically."""
    with replaced_file(folder / MANIFEST_FILE) as temporary:
        temporary.write_bytes(content)


def read_manifest(folder: Path, sha256s: Sequence[str]) -> pd.DataFrame:
    """Read the manifest, which has one of these SHA-256s, if there are any: a label or group that was edited is noticed."""
    path = folder / MANIFEST_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FewscanError(f"{folder} is cut short: {MANIFEST_FILE} is missing; import the scans again") from None
    except PermissionError:
        raise FewscanError(f"no permission to read {path}") from None
    except OSError:
        raise FewscanError(f"{path} is damaged: import the scans again") from None
    if sha256s and hashlib.sha256(content).hexdigest() not in sha256s:
        raise FewscanError(
            f"{path} was changed or damaged since fewscan wrote it: put back what it was, or import the scans again"
        )
    try:
        return _typed(pd.read_parquet(BytesIO(content)), path)
    except (pa.ArrowException, OSError, ValueError, TypeError):
        raise FewscanError(f"{path} is damaged: import the scans again") from None


def _typed(manifest: pd.DataFrame, path: Path) -> pd.DataFrame:
    missing = [name for name in MANIFEST_DTYPES if name not in (*manifest.columns, *ADDED_COLUMNS)]
    if missing:
        raise FewscanError(f"{path} lacks the columns {', '.join(missing)}: import the scans again")
    return manifest.reindex(columns=list(MANIFEST_DTYPES)).astype(MANIFEST_DTYPES)
