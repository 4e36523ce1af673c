"""A dataset folder written from a manifest: whatever labels, groups, sources and parts a test needs."""

import json
import shutil
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from fewscan.atomic import write_text
from fewscan.datasets.dataset import DATASET_FILE, Dataset, DatasetDescription
from fewscan.datasets.descriptions import AuditDescription, SourceDescription, SplitDescription
from fewscan.datasets.pairs import as_pairs, no_pairs
from fewscan.datasets.roles import StoredSplit
from fewscan.datasets.snapshot import MANIFEST_DTYPES, Snapshot
from fewscan.datasets.taking import moment_of
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.intervals import Interval
from fewscan.images.options import ImageSpec
from fewscan.images.store import IMAGES_FOLDER, ImageStore
from fewscan.images.table import IMAGE_DTYPES
from fewscan.images.turns import Turn
from fewscan.labels.log import LABELS_FILE, LabelLog
from fewscan.splits.split import describe
from fewscan.training.run import RECORD_FILE, Run


def empty_manifest(images: int, **columns: object) -> pd.DataFrame:
    """A manifest of so many usable images with distinct contents, of one source, without labels, groups and parts."""
    manifest = pd.DataFrame(index=range(images), columns=list(MANIFEST_DTYPES))
    manifest["path"] = [f"{row:04}.png" for row in range(images)]
    manifest["source"] = "squares"
    manifest["sha256"] = manifest["pixels_sha256"] = [f"{row:064x}" for row in range(images)]
    manifest["conflict"] = manifest["only_teaches"] = False
    return manifest.assign(**columns).astype(MANIFEST_DTYPES)


def write_dataset(
    folder: Path,
    pixels: np.ndarray,
    manifest: pd.DataFrame,
    *,
    spec: ImageSpec | None = None,
    audited: bool = True,
    sources: Sequence[SourceDescription] = (),
) -> Snapshot:
    """Write a dataset of `pixels` (N, C, S, S) and of what the manifest's rows say, and return it as it is then.

    Rows of one `copy_set` are copies, rows of one `group` belong together; rows in `conflict` are copies of one another, and
    copies with several labels that are in none are one patient's. Parts in `split` are a split 'main'.
    """
    manifest = manifest.assign(patient=_patients(manifest))
    folder.mkdir(parents=True, exist_ok=True)
    channels, size_px = pixels.shape[1:3]
    nothing = ImageStore(folder / IMAGES_FOLDER, spec or ImageSpec(size_px=size_px, channels=channels), ())
    facts = manifest[list(IMAGE_DTYPES)]
    with nothing.appending() as shard:
        for image, row in zip(pixels, facts.to_dict("records"), strict=True):
            shard.write(np.ascontiguousarray(image), row)
    images = nothing.sealed(shard, facts)
    log = LabelLog.create(folder / LABELS_FILE, images.identity)
    labeled = manifest[manifest["label"].notna()]
    for origin, rows in labeled.groupby(labeled["label_from"].fillna("folder")):
        log.enter(rows.index.to_numpy(), rows["label"].tolist(), origin=str(origin))
    named = sources or [SourceDescription(name=name, folder=name, images=0, set_aside=0) for name in facts["source"].unique()]
    description = DatasetDescription(spec=nothing.spec, sources=tuple(named), shards=images.shards)
    write_text(folder / DATASET_FILE, description.model_dump_json(indent=2))
    dataset = Dataset.open(folder)
    if audited:
        rows = len(manifest)
        audit = AuditDescription(similarity=0.9, rows=rows, pairs=0, groups=rows, copy_sets=rows, conflicting_images=0)
        dataset = dataset.with_pairs(_pairs(manifest), audit)
    if manifest["split"].notna().any():
        dataset = _split(dataset, manifest["split"])
    return dataset.snapshot()


def remade(dataset: Snapshot, manifest: pd.DataFrame | None = None, **changes: object) -> Snapshot:
    """Write the dataset again in its own folder, with another manifest, other `pixels`, `sources` or `audited`."""
    manifest = dataset.manifest if manifest is None else manifest.astype(MANIFEST_DTYPES)
    pixels = np.array(changes.pop("pixels", dataset.pixels))
    manifest = manifest.reset_index(drop=True)
    options = {"spec": dataset.spec, "audited": dataset.description.audit is not None, "sources": dataset.description.sources}
    shutil.rmtree(dataset.folder)
    return write_dataset(dataset.folder, pixels, manifest, **(options | changes))  # type: ignore[arg-type]


def copied_run(run: Run, folder: Path, dataset: Snapshot) -> Run:
    """Return a copy, in `folder`, of a run on a dataset of which `dataset` is a copy: a test does to both what it likes."""
    record = shutil.copytree(run.folder, folder) / RECORD_FILE
    record.write_text(json.dumps(json.loads(record.read_text()) | {"dataset": str(dataset.folder)}))
    return Run.open(folder)


def _patients(manifest: pd.DataFrame) -> pd.Series:
    """The patients of the manifest, and one for each set of copies that is in no conflict whatever its labels."""
    sets = manifest["copy_set"]
    several = sets.notna() & (manifest["label"].groupby(sets).transform("nunique") > 1) & ~manifest["conflict"].astype(bool)
    return manifest["patient"].mask(several & manifest["patient"].isna(), "set-" + sets.astype(str))


def pairs_table(pairs: Iterable[tuple[int, int, str, float]], turn: Turn | None = Turn()) -> pd.DataFrame:  # noqa: B008 - a tuple
    """The audit's pairs, by rows, kind and similarity; turn: how each second one lies, None as an earlier version noted it."""
    columns = {"mirrored": False} if turn is None else turn._asdict()
    frame = pd.DataFrame(list(pairs), columns=["row_a", "row_b", "kind", "similarity"]).assign(**columns)
    return as_pairs(frame) if len(frame) else no_pairs()


def _pairs(manifest: pd.DataFrame) -> pd.DataFrame:
    conflicting = np.flatnonzero(manifest["conflict"].to_numpy(bool)).tolist()
    pairs: list[tuple[int, int, str, float]] = [(a, b, "near", 0.9) for a, b in pairwise(conflicting)]
    for column, kind in (("copy_set", "near"), ("group", "head")):
        numbers = manifest[column]
        first = numbers.index.to_series().groupby(numbers).transform("first")
        linked = [(int(a), int(b)) for b, a in first.dropna().items() if a != b]
        pairs += [(a, b, kind, 0.9) for a, b in linked]
    return pairs_table(pairs)


def _split(dataset: Dataset, parts: pd.Series) -> Dataset:
    whole = dataset.unsplit()
    column = parts.astype(object).where(parts.notna(), None).to_numpy()
    described: SplitDescription = describe(whole, column, protocol="leakfree", seed=0)
    return dataset.with_split(StoredSplit.of(described, column, moment_of(whole)))


def calibrated(run: Run, temperature: float, **changes: object) -> None:
    """Calibrate a run by this temperature, as if nothing had been measured of it but what `changes` of the content say."""
    none = Interval(value=None, low=None, high=None)
    content: dict[str, object] = {
        "source": "validation",
        "images": 4,
        "groups": 4,
        "calibration_error_before": none,
        "calibration_error_after": none,
        "dataset_fingerprint": run.record.dataset_fingerprint,
    }
    Calibration.parse({"temperature": temperature} | content | changes).save(run)
