"""Features of a dataset's images on disk: records, the parts that they name, and whether both can still be used.

Nothing is lost with these files: what is missing, cut short or of other images is computed again from the pixels. They lie in
parts, and a part counts once the record beside them names it: a kill loses the part under way.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fewscan.atomic import replaced_file, write_text
from fewscan.config import Settings
from fewscan.digests import file_sha256
from fewscan.errors import FewscanError
from fewscan.images.options import ImageSpec
from fewscan.images.store import ImageStore
from fewscan.learning.method import VIEWS
from fewscan.models.origin import Origin
from fewscan.progress import say
from fewscan.training.batches import Rows
from fewscan.training.continuing import ReadyEncoder
from fewscan.training.encoding import Encoding, Floats

FOLDER = "features"

# How many images an encoder is asked of again before kept features are believed, and how much may differ: rounding does less.
LOOKED_AT = 3
MOST_CHANGE = 0.01
# What was held against the code of its encoder in this process already.
_BELIEVED: set[tuple[Callable[..., Any], str, bytes]] = set()


class FeaturePart(Settings):
    """One file: features of so many images, (rows, views, D) float32."""

    rows: int
    sha256: str


class FeatureRecord(Settings):
    """What features are of; `KEY.json`, replaced after each part."""

    format: Literal[1] = 1
    encoder: dict[str, Any]  # its settings; those of one that is not installed can be read, too
    weights: str  # their identity
    origin: Origin | None  # where they come from; None for random ones
    views: tuple[str, ...] = VIEWS
    features: int  # D
    spec: ImageSpec
    dataset: str  # the identity of its images
    images: int = 0  # that there were when the newest part was written
    chain: str = ""  # over these
    parts: tuple[FeaturePart, ...] = ()

    @classmethod
    def begun(cls, ready: ReadyEncoder, images: ImageStore, views: tuple[str, ...]) -> "FeatureRecord":
        """Return a record of nothing yet."""
        origin = None if ready.origin is None else ready.origin.without_folders
        return cls(
            encoder=ready.settings.untrained.model_dump(mode="json"),
            weights=ready.identity,
            origin=origin,
            views=views,
            features=ready.encoder.feature_dim,
            spec=images.spec,
            dataset=images.identity,
        )

    @property
    def key(self) -> str:
        """Of encoder, weights, views and the kind of images: equal where features are."""
        told = self.encoder, self.weights, self.views, self.spec.model_dump(mode="json")
        return hashlib.sha256(json.dumps([self.format, *told, self.dataset]).encode()).hexdigest()[:16]

    @property
    def rows(self) -> int:
        """How many images there are features of, the first ones of the dataset."""
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True)
class Features:
    """Features of a dataset's first images, row by row, memory-mapped."""

    record: FeatureRecord
    parts: tuple[Floats, ...]  # (R, V, D) each, in the order of the record's views

    def __len__(self) -> int:
        """Return the number of images."""
        return self.record.rows

    @property
    def plain(self) -> Floats:
        """(N, D) of all images in the first view, in memory."""
        none = np.empty((0, self.record.features), np.float32)
        return np.concatenate([none, *(part[:, 0] for part in self.parts)])

    def of(self, rows: Rows) -> Floats:
        """Return (len(rows), V, D): of every row its views."""
        found = np.empty((len(rows), len(self.record.views), self.record.features), np.float32)
        ends = np.cumsum([len(part) for part in self.parts])
        holders = np.searchsorted(ends, rows, side="right")
        for number, part in enumerate(self.parts):
            here = holders == number
            found[here] = part[rows[here] - (ends[number] - len(part))]
        return found


def kept_features(folder: Path, images: ImageStore, asked: FeatureRecord, encode: Encoding) -> Features:
    """Return what is kept of what is `asked` for in the dataset's folder, which may be nothing; says where it cannot be used.

    Weights do not tell all of an encoder, whose code may have changed: of a few images it is asked again.
    """
    path = folder / FOLDER / f"{asked.key}.json"
    if not path.exists():
        return Features(asked, ())
    try:
        record = FeatureRecord.read(path, "its features are lost")
        if not 0 < record.rows <= images.rows or not images.holds(record.images, record.chain):
            raise FewscanError(f"{path} belongs to other images")
        kept = opened_features(folder / FOLDER, record)
        few = np.unique(np.linspace(0, record.rows - 1, LOOKED_AT).astype(np.int64))
        then = kept.of(few)
        believed = (type(encode.encoder).forward, record.key, then.tobytes())
        if believed not in _BELIEVED:
            if np.linalg.norm(encode(images.pixels[few]) - then) > MOST_CHANGE * np.linalg.norm(then):
                raise FewscanError(f"{path} comes from an encoder that gives other features now")
            _BELIEVED.add(believed)
        return kept
    except FewscanError as fault:
        say(f"{fault}: features of all images are computed again")
        return Features(asked, ())


def opened_features(place: Path, record: FeatureRecord) -> Features:
    """Open all parts; raises FewscanError where one is missing, cut short or of another shape."""
    parts = []
    for number, said in enumerate(record.parts):
        path = part_file(place, record, number)
        try:
            part = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            part = None
        if part is None or part.shape != (said.rows, len(record.views), record.features) or part.dtype != np.float32:
            raise FewscanError(f"{path} is missing or damaged")
        parts.append(part)
    return Features(record, tuple(parts))


def part_file(place: Path, record: FeatureRecord, number: int) -> Path:
    """Return where a part lies in the folder of features."""
    return place / f"{record.key}-{number:04}.npy"


def verify_features(folder: Path) -> None:
    """Read every byte that records in the dataset's folder name; raises FewscanError where one is not what was written."""
    place = folder / FOLDER
    for path in sorted(place.glob("*.json")):
        record = FeatureRecord.read(path, "remove it; missing features are computed again")
        if record.key != path.stem:
            raise FewscanError(f"{path} was changed: remove it; missing features are computed again")
        opened_features(place, record)
        for number, part in enumerate(record.parts):
            if file_sha256(part_file(place, record, number)) != part.sha256:
                raise FewscanError(f"{part_file(place, record, number)} was changed: remove it; features are computed again")


def appended(place: Path, images: ImageStore, record: FeatureRecord, part: Floats) -> Features:
    """Keep a part behind those that are kept, and return all of them."""
    path = part_file(place, record, len(record.parts))
    with replaced_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(part))
    written = FeaturePart(rows=len(part), sha256=file_sha256(path))
    record = record.model_copy(update={"images": images.rows, "chain": images.chain, "parts": (*record.parts, written)})
    write_text(place / f"{record.key}.json", record.model_dump_json(indent=2) + "\n")
    return opened_features(place, record)
