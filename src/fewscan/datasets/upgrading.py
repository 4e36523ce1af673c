"""A dataset folder of the first format -> the same as one of today; nothing is lost, and the old folder stays.

The first format had one table, `manifest.parquet`, with the facts, labels, groups and parts of all images, and `pixels.npy`.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fewscan import jsonl
from fewscan.atomic import new_folder, write_text, writing
from fewscan.config import json_object
from fewscan.datasets.candidates import CANDIDATES_FILE
from fewscan.datasets.dataset import DATASET_FILE, DEFAULT_SPLIT, Dataset, DatasetDescription
from fewscan.datasets.descriptions import AuditDescription, ReadingNote, SourceDescription, SplitDescription
from fewscan.datasets.openings import OPENINGS_FILE
from fewscan.datasets.pairs import NOTED_LATER, PAIR_DTYPES, as_pairs
from fewscan.datasets.roles import StoredSplit, fingerprint_of_test_set
from fewscan.datasets.taking import NOT_A_SCAN, moment_of
from fewscan.errors import FewscanError
from fewscan.images.options import ImageSpec
from fewscan.images.store import IMAGES_FOLDER, ImageStore
from fewscan.images.table import IMAGE_DTYPES
from fewscan.labels.log import LABELS_FILE, LabelLog
from fewscan.parquet import parquet_frame

MANIFEST_FILE = "manifest.parquet"
PIXELS_FILE = "pixels.npy"
AUDIT_FILES = ("audit.json", "audit.html")
# How the reasons begin with which an audit set images aside.
SUSPECT = "suspect: "


def upgrade_dataset(old: Path, new: Path) -> Dataset:
    """Write what lies in `old`, a dataset of the first format, as a new dataset folder `new`, and open it.

    The standing split becomes the split 'main'. Raises FewscanError where `old` is none of the first format, is damaged or
    lacks what its audit found, and where `new` exists.
    """
    said = json_object(old / DATASET_FILE, "restore the original file")
    if said.get("format") != 1:
        raise FewscanError(f"{old} already has the current format: there is nothing to convert")
    manifest, pixels = _manifest(old, said), _pixels(old)
    with new_folder(new, "OUT") as folder:
        spec = ImageSpec(
            size_px=said["image_size_px"],
            channels=said["channels"],
            resize=said["resize"],
            **(said.get("reading") or said.get("slices") or {}),
        )
        suspects = manifest["set_aside"].str.startswith(SUSPECT).fillna(False).astype(bool)
        facts = manifest.assign(set_aside=manifest["set_aside"].mask(suspects))[list(IMAGE_DTYPES)]
        nothing = ImageStore(folder / IMAGES_FOLDER, spec, ())
        with nothing.appending() as shard:
            for image, row in zip(pixels, facts.to_dict("records"), strict=True):
                shard.write(np.ascontiguousarray(image), row)
        images = nothing.sealed(shard, facts)
        _enter(LabelLog.create(folder / LABELS_FILE, images.identity), manifest, suspects)
        description = DatasetDescription(
            spec=spec,
            sources=tuple(SourceDescription.parse(source) for source in said["sources"]),
            notes=tuple(ReadingNote.parse(note) for note in said.get("notes", ())),
            shards=images.shards,
        )
        write_text(folder / DATASET_FILE, description.model_dump_json(indent=2) + "\n")
        dataset = _audited(Dataset.open(folder), old, said, len(manifest))
        dataset = _split(dataset, manifest, said)
        _copy_records(old, dataset, said, manifest)
    return Dataset.open(new)


def _manifest(folder: Path, said: dict[str, Any]) -> pd.DataFrame:
    path = folder / MANIFEST_FILE
    try:
        content = path.read_bytes()
        sha256s = said.get("manifest_sha256", ())
        if sha256s and hashlib.sha256(content).hexdigest() not in sha256s:
            raise FewscanError(f"{path} was changed after fewscan wrote it: restore the original file")
        manifest = parquet_frame(content)
        later = {"given_split": None, "color": None, "label_from": None}
        return manifest.assign(**{name: value for name, value in later.items() if name not in manifest}).astype(
            IMAGE_DTYPES | {"label": "str", "label_from": "str", "split": "str", "group": "Int64", "copy_set": "Int64"}
        )
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        raise FewscanError(f"{path} is missing or damaged: restore the original file") from None


def _pixels(folder: Path) -> npt.NDArray[np.uint8]:
    try:
        pixels: npt.NDArray[np.uint8] = np.load(folder / PIXELS_FILE, mmap_mode="r", allow_pickle=False)
        return pixels
    except (OSError, ValueError, EOFError):
        raise FewscanError(f"{folder / PIXELS_FILE} is missing or damaged: restore the original file") from None


def _enter(log: LabelLog, manifest: pd.DataFrame, suspects: pd.Series) -> None:
    labeled = manifest[manifest["label"].notna()]
    for origin, rows in labeled.groupby(labeled["label_from"].fillna("folder"), sort=False):
        log.enter(rows.index.to_numpy(), rows["label"].tolist(), origin=str(origin))
    for reason, rows in manifest[suspects].groupby("set_aside"):
        nobody = [None] * len(rows)
        log.enter(rows.index.to_numpy(), nobody, states=[NOT_A_SCAN] * len(rows), origin="audit", note=str(reason))


def _audited(dataset: Dataset, old: Path, said: dict[str, Any], rows: int) -> Dataset:
    if said.get("audit") is None:
        return dataset
    found = json_object(old / AUDIT_FILES[0], "audit again with the version that made it, or import the scans again")
    columns = [name for name in PAIR_DTYPES if name not in NOTED_LATER]
    pairs = [tuple(pair[: len(columns)]) for pair in found["pairs"]]
    pairs += [(a, b, "head", 0.0, False) for a, b in found.get("same_head") or ()]
    audit = AuditDescription.parse({**said["audit"], "rows": rows})
    return dataset.with_pairs(as_pairs(pd.DataFrame(pairs, columns=columns)), audit)


def _split(dataset: Dataset, manifest: pd.DataFrame, said: dict[str, Any]) -> Dataset:
    if said.get("split") is None:
        return dataset
    drawn = said["split"]
    added = {"name": DEFAULT_SPLIT, "rows": len(manifest), "drawn_fingerprint": drawn["fingerprint"]}
    test_set = fingerprint_of_test_set(dataset.images.identity, np.flatnonzero((manifest["split"] == "test").to_numpy()))
    description = SplitDescription.parse({**drawn, **added, "test_set": test_set})
    parts = manifest["split"].astype(object).where(manifest["split"].notna(), None).to_numpy()
    given = manifest["given_split"].fillna("").to_numpy(object) if description.given_leaks else None
    return dataset.with_split(StoredSplit.of(description, parts, moment_of(dataset.unsplit()), given))


def _copy_records(old: Path, dataset: Dataset, said: dict[str, Any], manifest: pd.DataFrame) -> None:
    """Copy what was noted beside the pixels; looks at the standing test set are noted of it under its name of today."""
    for name in (*AUDIT_FILES, CANDIDATES_FILE):
        if (old / name).is_file():
            with writing(dataset.folder / name):
                shutil.copyfile(old / name, dataset.folder / name)
    rows = np.flatnonzero((manifest["split"] == "test").to_numpy())
    before, after = (fingerprint_of_test_set(identity, rows) for identity in (said["fingerprint"], dataset.images.identity))
    lines = []
    for look in jsonl.read(old / OPENINGS_FILE, ()):
        of = look.get("test_set")
        lines.append(json.dumps(look | {"test_set": after if of == before else of}))
    if lines:
        write_text(dataset.folder / OPENINGS_FILE, "".join(f"{line}\n" for line in lines))
