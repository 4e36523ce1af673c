"""Features of a dataset's images by an encoder that learns no more: computed once, kept in the dataset's folder.

Nothing is lost with these files: what is missing, cut short or of other images is computed again from the pixels. They lie in
parts, and a part counts once the record beside them names it: a kill loses the part under way.
"""

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch

from fewscan.atomic import replaced_file, require_writable, write_text, writing
from fewscan.config import Settings
from fewscan.digests import file_sha256
from fewscan.errors import FewscanError
from fewscan.images.options import ImageSpec
from fewscan.images.store import ImageStore, Shard
from fewscan.learning.method import VIEWS
from fewscan.locks import alone
from fewscan.models.origin import Origin
from fewscan.models.passes import passes_of
from fewscan.progress import kept_if_stopped, progress_bar, say
from fewscan.training.batches import Rows
from fewscan.training.continuing import ReadyEncoder
from fewscan.training.encoding import Encoding, Floats
from fewscan.training.images import ImageRows
from fewscan.training.plugins import modules_of_encoder
from fewscan.training.shares import places_of_shares, shared_out
from fewscan.wording import counted

FOLDER = "features"
# Images of a batch: small ones are as fast on a CPU and take little memory at 224 px. And batches of a part.
BATCH = 64
PART_BATCHES = 128
_Stored = tuple[Path, ImageSpec, tuple[Shard, ...]]

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


@dataclass(frozen=True)
class Embedded:
    """Features, and what it took to have them."""

    features: Features
    computed: int  # images that were not kept yet
    seconds: float  # for these


def dataset_features(
    folder: Path,
    images: ImageStore,
    ready: ReadyEncoder,
    device: torch.device,
    told: Callable[[int], None] = lambda done: None,
    *,
    devices: int = 1,
    counted_rows: Rows | None = None,
    views: tuple[str, ...] = VIEWS,
) -> Embedded:
    """Return features of `views` of all `images` of the dataset in `folder`; what is not kept yet is computed, and kept.

    counted_rows: those that are counted while features are computed, as taking part in what these are for; by default all that
    the import did not set aside. told: is told of every batch that is computed how many of these it had. devices: how many
    processes compute, each with a device of its own of the kind of `device`. Another process that computes the same is waited
    for. Where the folder cannot be written none are kept. Raises FewscanError where the encoder gives what is no number.
    """
    asked = FeatureRecord.begun(ready, images, views)
    encode = Encoding(ready.encoder.to(device), device, views=views)
    kept = kept_features(folder, images, asked, encode)
    if len(kept) >= images.rows:
        return Embedded(kept, 0, 0.0)
    began = time.perf_counter()
    with _home(folder) as home, alone(home / FOLDER, "embed", wait=True):
        kept = kept_features(home, images, asked, encode)
        missing, at = images.rows - len(kept), len(kept)
        rows = images.usable if counted_rows is None else counted_rows
        left = len(rows) - _below(rows, at)
        with (
            kept_if_stopped(lambda: _kept_words(rows, len(kept))),
            closing(_encoded_by(devices, ready, device, images, views, len(kept))) as blocks,
            progress_bar(idle=not left) as bar,
        ):
            task = bar.add_task(f"embed {ready.settings.name}, {' and '.join(views)}", total=left, numbers="")
            while len(kept) < images.rows:
                part = []
                for found in islice(blocks, PART_BATCHES):
                    part.append(found)
                    done, at = _below(rows, at + len(found)) - _below(rows, at), at + len(found)
                    bar.advance(task, done)
                    told(done)
                kept = _appended(home / FOLDER, images, kept.record, np.concatenate(part))
    return Embedded(kept, missing, time.perf_counter() - began)


@contextmanager
def _home(folder: Path) -> Iterator[Path]:
    """Yield the folder in whose FOLDER features are written: the dataset's, or where it cannot be, one that is gone afterwards.

    What was opened there stays readable.
    """
    with ExitStack() as stack:
        try:
            with writing(folder):
                (folder / FOLDER).mkdir(exist_ok=True)
            require_writable(folder / FOLDER / "features")
        except FewscanError as error:
            say(f"{error}: features are not kept and will be computed again next time")
            folder = Path(stack.enter_context(TemporaryDirectory()))
            (folder / FOLDER).mkdir()
        yield folder


def _below(rows: Rows, end: int) -> int:
    """Return how many of the ascending `rows` are among the first `end` of the dataset."""
    return int(np.searchsorted(rows, end))


def _kept_words(rows: Rows, kept: int) -> str | None:
    return f"features of {_below(rows, kept):,} of {counted(len(rows), 'image')} are kept" if kept else None


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


def _appended(place: Path, images: ImageStore, record: FeatureRecord, part: Floats) -> Features:
    """Keep a part behind those that are kept, and return all of them."""
    path = part_file(place, record, len(record.parts))
    with replaced_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, part)
    written = FeaturePart(rows=len(part), sha256=file_sha256(path))
    record = record.model_copy(update={"images": images.rows, "chain": images.chain, "parts": (*record.parts, written)})
    write_text(place / f"{record.key}.json", record.model_dump_json(indent=2) + "\n")
    return opened_features(place, record)


def _encoded_by(
    devices: int, ready: ReadyEncoder, device: torch.device, images: ImageStore, views: tuple[str, ...], first: int
) -> Generator[Floats, None, None]:
    """Yield the features (B, V, D) of images from `first` on, BATCH at a time, by so many processes."""
    stored = images.folder, images.spec, images.shards
    if devices == 1:
        return _encoded(ready, device, stored, views, np.arange(first, images.rows))
    places = places_of_shares(images.rows - first, BATCH, devices)
    shares = [(ready, device, stored, views, first + some) for some in places]
    return shared_out(_encoded, shares, device.type, modules_of_encoder(ready.settings))


def _encoded(
    ready: ReadyEncoder, device: torch.device, stored: _Stored, views: tuple[str, ...], rows: Rows
) -> Generator[Floats, None, None]:
    encoder = ready.encoder.to(device)
    encode = Encoding(encoder, device, passes_of(encoder, stored[1], device, len(views) * len(rows)), views)
    images = ImageRows(ImageStore(*stored).pixels, torch.device("cpu"), keep=False)
    for batch in images.batches(rows, BATCH):
        yield encode(batch.numpy())
