"""Sources of scans -> a dataset folder: read on all cores, bad files set aside with the reason, whole or not at all."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewscan.atomic import new_folder, refuse_existing, write_text, writing
from fewscan.config import Settings
from fewscan.datasets.dataset import (
    DATASET_FILE,
    PIXELS_FILE,
    Dataset,
    DatasetDescription,
    ReadingNote,
    SourceDescription,
    dataset_fingerprint,
)
from fewscan.errors import FewscanError
from fewscan.images.colors import color_warnings, count_colors
from fewscan.images.listing import list_scans, warnings_of
from fewscan.images.manifest import MANIFEST_DTYPES, write_manifest
from fewscan.images.options import ImportOptions
from fewscan.images.patients import hashed_patients, known_patients
from fewscan.images.plan import ImportPlan, plan_of
from fewscan.images.readers import UnreadableImage, read_images
from fewscan.images.sources import ScanFile, Source, parse_sources
from fewscan.progress import say, track

SET_ASIDE_EXAMPLES = 5


class SetAsideFile(Settings):
    """A file that could not be used, and why."""

    source: str
    path: str
    reason: str


class ImportSummary(Settings):
    """What an import took in and what it did not.

    `images` counts the usable ones; `classes` and `unlabeled` add up to it. `reasons` counts what was set aside by the kind of
    reason; `examples` are the first few of these files. `notes` are what was seen while pixels were read.
    """

    folder: str
    images: int
    classes: dict[str, int]
    unlabeled: int
    in_color: int  # before they were stored, as gray or in color
    images_with_patient: int  # whose patient a header or a CSV gives
    patients: int
    set_aside: int
    reasons: dict[str, int]
    examples: tuple[SetAsideFile, ...]
    notes: tuple[ReadingNote, ...]
    fingerprint: str


def import_scans(sources: Sequence[str], out: str | Path, *, workers: int | None = None, **options: Any) -> Dataset:
    """Read all scans of the sources into a new dataset folder `out` and open it.

    `sources` are `FOLDER`, `NAME=FOLDER` or `kaggle:NAME`, `options` those of ImportOptions; `listing.list_scans` says where
    labels come from. Files that cannot be used keep a row, with the reason. The same files give the same dataset, whatever the
    number of `workers` (threads; default: one per core), but for the hashes that stand for patients, which mean nothing outside
    of it.

    Raises FewscanError where `out` exists or cannot be written, for options, sources or labels that are wrong, where a source
    has no usable file, and where a format needs a package that is not installed.
    """
    asked = ImportOptions.parse(options)
    out = Path(out)
    with writing(out):
        refuse_existing(out)
    found = parse_sources(sources, asked.unlabeled)
    scans = list_scans(found, asked, workers)
    for line in _plan(scans, found, asked, workers).short_lines:
        say(line)
    with writing(out), new_folder(out) as folder:
        manifest, notes = _import_pixels(scans, folder / PIXELS_FILE, asked, workers)
        _require_usable(manifest, found)
        _describe(folder, manifest, notes, found, asked)
    return Dataset.open(out)


def plan_import(sources: Sequence[str], *, workers: int | None = None, **options: Any) -> ImportPlan:
    """Return what `import_scans` would understand of the sources: a look at some pictures, and nothing is written.

    Raises FewscanError as `import_scans` does for what is wrong with sources, options and labels.
    """
    asked = ImportOptions.parse(options)
    found = parse_sources(sources, asked.unlabeled)
    return _plan(list_scans(found, asked, workers), found, asked, workers)


def _plan(scans: Sequence[ScanFile], sources: Sequence[Source], asked: ImportOptions, workers: int | None) -> ImportPlan:
    in_color = color_warnings(count_colors(scans, sources, workers), asked.channels)
    return plan_of(scans, sources, [*warnings_of(scans, sources, asked), *in_color])


def summary(dataset: Dataset) -> ImportSummary:
    """Count what the import of `dataset` took in, by class, and what it set aside, by reason."""
    manifest = dataset.manifest
    usable = manifest[manifest["set_aside"].isna()]
    aside = manifest[manifest["set_aside"].notna()]
    counts = usable["label"].value_counts()
    patients = known_patients(manifest)
    reasons = aside["set_aside"].str.split(":").str[0].value_counts()
    examples = aside.head(SET_ASIDE_EXAMPLES)
    return ImportSummary(
        folder=str(dataset.folder),
        images=len(usable),
        classes={name: int(counts.get(name, 0)) for name in dataset.classes},
        unlabeled=int(usable["label"].isna().sum()),
        in_color=int(usable["color"].fillna(False).sum()),
        images_with_patient=patients.with_patient,
        patients=patients.patients,
        set_aside=len(aside),
        reasons={str(reason): int(count) for reason, count in reasons.items()},
        examples=tuple(
            SetAsideFile(source=row.source, path=row.path, reason=row.set_aside) for row in examples.itertuples(index=False)
        ),
        notes=dataset.description.notes,
        fingerprint=dataset.description.fingerprint,
    )


def _import_pixels(
    scans: Sequence[ScanFile], pixels_file: Path, asked: ImportOptions, workers: int | None
) -> tuple[pd.DataFrame, tuple[ReadingNote, ...]]:
    """Write the pixels of all scans, row by row; return the manifest, in which a row set aside has zero pixels, and notes."""
    shape = (len(scans), asked.channels, asked.size_px, asked.size_px)
    blank = np.zeros(shape[1:], dtype=np.uint8)
    reading = read_images(scans, asked.image_format, asked.reading, workers)
    rows = []
    noted: dict[str, list[str]] = {}
    # Written, not memory-mapped: a disk that is full under a map kills the process, here it is an error.
    with closing(reading) as images, pixels_file.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for scan, patient in zip(track(scans, "import", total=len(scans)), hashed_patients(scans), strict=True):
            image = next(images)
            row: dict[str, Any] = {"path": scan.relative, "source": scan.source, "label": scan.label}
            row |= {"label_from": scan.label_from, "given_split": scan.given_split, "patient": patient, "sha256": image.sha256}
            if isinstance(image, UnreadableImage):
                row["set_aside"] = image.reason
                file.write(blank.data)
            else:
                row |= {"pixels_sha256": image.pixels_sha256, "width_px": image.width_px, "height_px": image.height_px}
                row |= {"color": image.color}
                file.write(image.pixels.data)
                for note in image.notes:
                    noted.setdefault(note, []).append(scan.relative)
            rows.append(row)
    manifest = pd.DataFrame(rows, columns=list(MANIFEST_DTYPES))
    manifest["conflict"] = False
    notes = (ReadingNote(note=note, images=len(paths), example=paths[0]) for note, paths in noted.items())
    return manifest.astype(MANIFEST_DTYPES), tuple(notes)


def _require_usable(manifest: pd.DataFrame, sources: Sequence[Source]) -> None:
    for source in sources:
        rows = manifest[manifest["source"] == source.name]
        if rows["set_aside"].notna().all():
            first = "; ".join(f"{row.path}: {row.set_aside}" for row in rows.head(3).itertuples(index=False))
            raise FewscanError(
                f"source '{source.name}': none of its {len(rows)} files is a usable image ({first}); name a folder of scans"
            )


def _describe(
    folder: Path, manifest: pd.DataFrame, notes: tuple[ReadingNote, ...], sources: Sequence[Source], asked: ImportOptions
) -> None:
    usable = manifest["set_aside"].isna()
    classes = tuple(sorted(manifest.loc[usable, "label"].dropna().unique()))
    # A label that only unusable files have is no class: notes in a folder of their own, for example.
    manifest[["label", "label_from"]] = manifest[["label", "label_from"]].where(manifest["label"].isin(classes))
    manifest_sha256 = write_manifest(folder, manifest)
    pixels = np.load(folder / PIXELS_FILE, mmap_mode="r", allow_pickle=False)
    description = DatasetDescription(
        classes=classes,
        image_size_px=asked.size_px,
        channels=asked.channels,
        resize=asked.resize,
        reading=asked.reading,
        notes=notes,
        sources=tuple(
            SourceDescription(
                name=source.name,
                folder=str(source.folder),
                images=int((usable & (manifest["source"] == source.name)).sum()),
                set_aside=int((~usable & (manifest["source"] == source.name)).sum()),
            )
            for source in sources
        ),
        fingerprint=dataset_fingerprint(manifest, classes, pixels),
        manifest_sha256=(manifest_sha256,),
    )
    write_text(folder / DATASET_FILE, description.model_dump_json(indent=2) + "\n")
