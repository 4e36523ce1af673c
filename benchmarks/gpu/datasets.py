"""The datasets that the GPU's parts train on: what pack.py carries of them, and how they are made of that there.

Scans travel as the files that they are, which is smaller than any dataset; what the audit found travels with them, since the
package that searches for near-duplicates is large, and the search takes longer than all else.
"""

import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

import fewscan
from fewscan.atomic import write_text
from fewscan.datasets.dataset import DATASET_FILE, Dataset, DatasetDescription
from fewscan.datasets.pairs import PAIRS_FILE, read_pairs

SCANS, AUDITS = "scans", "audits"
OWN = ("sartaj", "nickparvar")
STANDIN = "dubail_standin"


@dataclass(frozen=True)
class Shown:
    """A dataset: how its scans are shown, of which sources, and whose audit holds them together."""

    size_px: int
    audited: str = "mri"
    crop: str = "auto"
    sources: tuple[str, ...] = OWN


DATASETS = {
    "mri": Shown(64),
    "mri_heads": Shown(64, audited="mri_heads"),
    "whole": Shown(64, crop="none"),
    "mri96": Shown(96),
    "mri128": Shown(128),
    "mri192": Shown(192),
    "mri224": Shown(224),
    "study": Shown(96, audited="study", crop="none", sources=(*OWN, STANDIN)),
}
AUDITED = tuple(dict.fromkeys(shown.audited for shown in DATASETS.values()))


def imported(name: str, folder: Path, scans: dict[str, Path]) -> Dataset:
    """Import the dataset of that name to a folder, from the folders of its sources."""
    shown = DATASETS[name]
    sources = [f"{source}={scans[source]}" for source in shown.sources]
    return fewscan.import_scans(sources, folder, size_px=shown.size_px, crop=shown.crop)


def keep_audit(dataset: Dataset, folder: Path) -> None:
    """Copy what an audit found into a folder, without the files by which it would compare later scans."""
    assert dataset.description.audit is not None
    audit = dataset.description.audit.model_copy(update={"copies_described": (), "slices_described": ()})
    folder.mkdir(parents=True)
    write_text(folder / DATASET_FILE, dataset.description.model_copy(update={"audit": audit}).model_dump_json())
    shutil.copy(dataset.folder / PAIRS_FILE, folder / PAIRS_FILE)


def make(name: str, carried: Path, folder: Path) -> Dataset:
    """Make the dataset of that name in folder/NAME, of what was carried, held together as its audit says."""
    scans = {source: _unpacked(source, carried, folder / SCANS) for source in DATASETS[name].sources}
    dataset = imported(name, folder / name, scans)
    kept = carried / AUDITS / DATASETS[name].audited
    description = DatasetDescription.read(kept / DATASET_FILE, "pack again")
    found = description.audit
    if found is None or found.rows != dataset.images.rows:
        raise SystemExit(f"{kept} is not the audit of these {dataset.images.rows} images: pack again")
    return dataset.with_pairs(read_pairs(kept, description.pairs_sha256), found)


def _unpacked(source: str, carried: Path, folder: Path) -> Path:
    if not (folder / source).is_dir():
        with tarfile.open(carried / SCANS / f"{source}.tar") as archive:
            archive.extractall(folder / source, filter="data")
    return folder / source
