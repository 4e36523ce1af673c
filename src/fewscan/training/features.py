"""Features of a dataset's images by an encoder that learns no more: computed once, kept in the dataset's folder."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from fewscan.atomic import require_writable, writing
from fewscan.errors import FewscanError
from fewscan.images.options import ImageSpec
from fewscan.images.store import ImageStore, Shard
from fewscan.learning.method import VIEWS, said_of_view
from fewscan.locks import alone
from fewscan.models.passes import passes_of
from fewscan.progress import kept_if_stopped, progress_bar, say
from fewscan.training.batches import Rows
from fewscan.training.continuing import ReadyEncoder
from fewscan.training.encoding import Encoding, Floats
from fewscan.training.images import ImageRows
from fewscan.training.kept_features import FOLDER, FeatureRecord, Features, appended, kept_features
from fewscan.training.plugins import modules_of_encoder
from fewscan.training.shares import places_of_shares, shared_out
from fewscan.wording import counted, listed

# Images of a batch: small ones are as fast on a CPU and take little memory at 224 px. And batches of a part.
BATCH = 64
PART_BATCHES = 128
_Stored = tuple[Path, ImageSpec, tuple[Shard, ...]]


@dataclass(frozen=True)
class Embedded:
    """Features, and what it took to have them."""

    kept: tuple[Features, ...]  # of VIEWS, then of each other view
    computed: int  # images that lacked features of a view
    seconds: float  # for these

    @property
    def features(self) -> Features:
        """Of VIEWS."""
        return self.kept[0]


def dataset_features(
    folder: Path,
    images: ImageStore,
    ready: ReadyEncoder,
    device: torch.device,
    told: Callable[[int], None] = lambda done: None,
    *,
    devices: int = 1,
    counted_rows: Rows | None = None,
    other_views: tuple[str, ...] = (),
) -> Embedded:
    """Return features of all `images` of the dataset in `folder`; what is not kept yet is computed, and kept.

    other_views: beside VIEWS; each is kept by itself. counted_rows: those that are counted while features are computed, as
    taking part in what these are for; by default all that the import did not set aside. told: is told of every batch that is
    computed how many of these it had. devices: how many processes compute, each with a device of its own of the kind of
    `device`. Another process that computes the same is waited for. Where the folder cannot be written none are kept. Raises
    FewscanError where the encoder gives what is no number.
    """
    asked = [FeatureRecord.begun(ready, images, views) for views in (VIEWS, *((view,) for view in other_views))]
    ready.encoder.to(device)

    def found(place: Path, record: FeatureRecord) -> Features:
        return kept_features(place, images, record, Encoding(ready.encoder, device, views=record.views))

    kept = [found(folder, record) for record in asked]
    if all(len(each) >= images.rows for each in kept):
        return Embedded(tuple(kept), 0, 0.0)
    began = time.perf_counter()
    with _home(folder) as home, alone(home / FOLDER, "embed", wait=True):
        kept = [each if len(each) >= images.rows else found(home, record) for each, record in zip(kept, asked, strict=True)]
        rows = images.usable if counted_rows is None else counted_rows
        missing = images.rows - _reach(kept)
        left = len(rows) - _below(rows, _reach(kept))
        lacking = [said_of_view(view) for each in kept if len(each) < images.rows for view in each.record.views]
        with kept_if_stopped(lambda: _kept_words(rows, _reach(kept))), progress_bar(idle=not left) as bar:
            task = bar.add_task(f"embed {ready.settings.name}, {listed(lacking)}", total=left, numbers="")

            def encoded(views: tuple[str, ...], some: Rows) -> Generator[Floats, None, None]:
                with closing(_encoded_by(devices, ready, device, images, views, some)) as blocks:
                    at = int(some[0])
                    for block in blocks:
                        done, at = _below(rows, at + len(block)) - _below(rows, at), at + len(block)
                        bar.advance(task, done)
                        told(done)
                        yield block

            _complete(kept, home / FOLDER, images, encoded)
    return Embedded(tuple(kept), missing, time.perf_counter() - began)


def _complete(
    kept: list[Features],
    place: Path,
    images: ImageStore,
    encoded: Callable[[tuple[str, ...], Rows], Generator[Floats, None, None]],
) -> None:
    """Bring all that is kept to all images, in place; images that several lack are read and made ready for these at once.

    encoded: yields features (B, V, D) of so many views of rows, in their order.
    """
    while (reach := _reach(kept)) < images.rows:
        behind = [number for number, each in enumerate(kept) if len(each) == reach]
        end = min((len(each) for each in kept if len(each) > reach), default=images.rows)
        views_of = [kept[number].record.views for number in behind]
        borders = np.cumsum([len(views) for views in views_of])[:-1]
        with closing(encoded(sum(views_of, ()), np.arange(reach, end))) as blocks:
            while blocks_of_part := list(islice(blocks, PART_BATCHES)):
                parts = np.split(np.concatenate(blocks_of_part), borders, axis=1)
                for number, part in zip(behind, parts, strict=True):
                    kept[number] = appended(place, images, kept[number].record, part)


def _reach(kept: list[Features]) -> int:
    """Return of how many of the first images there is everything."""
    return min(len(each) for each in kept)


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


def _encoded_by(
    devices: int, ready: ReadyEncoder, device: torch.device, images: ImageStore, views: tuple[str, ...], rows: Rows
) -> Generator[Floats, None, None]:
    """Yield the features (B, V, D) of rows that follow each other, BATCH at a time, by so many processes."""
    stored = images.folder, images.spec, images.shards
    if devices == 1:
        return _encoded(ready, device, stored, views, rows)
    shares = [(ready, device, stored, views, rows[some]) for some in places_of_shares(len(rows), BATCH, devices)]
    return shared_out(_encoded, shares, device.type, modules_of_encoder(ready.settings))


def _encoded(
    ready: ReadyEncoder, device: torch.device, stored: _Stored, views: tuple[str, ...], rows: Rows
) -> Generator[Floats, None, None]:
    encoder = ready.encoder.to(device)
    encode = Encoding(encoder, device, passes_of(encoder, stored[1], device, len(views) * len(rows)), views)
    images = ImageRows(ImageStore(*stored).pixels, torch.device("cpu"), keep=False)
    for batch in images.batches(rows, BATCH):
        yield encode(batch.numpy())
