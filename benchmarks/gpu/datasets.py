"""The datasets that the GPU's parts train on: what pack.py carries of them, and how they are made of that there.

Scans travel as the files that they are, which is smaller than any dataset; what the audit found travels with them, since the
package that searches for near-duplicates is large, and the search takes longer than all else.
"""

import shutil
import tarfile
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import fewscan
from benchmarks.in_memory import split_in_memory
from fewscan.atomic import write_text
from fewscan.datasets.dataset import DATASET_FILE, Dataset, DatasetDescription
from fewscan.datasets.pairs import PAIRS_FILE, read_pairs
from fewscan.datasets.snapshot import Snapshot

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
    "mri96": Shown(96),
    "mri128": Shown(128),
    "mri192": Shown(192),
    "mri224": Shown(224),
    "mri320": Shown(320),
    "study": Shown(96, audited="study", crop="none", sources=(*OWN, STANDIN)),
}
AUDITED = tuple(dict.fromkeys(shown.audited for shown in DATASETS.values()))


# README's split; of the few practice scans of a test, so many.
README_LABELS, TEST_IMAGES, TINY = 1235, 308, 20


def readme_split(scratch: Path, name: str, *, tiny: bool) -> Snapshot:
    """Return one of the datasets that were made in `scratch` under README's split, in memory."""
    labeled, test = (TINY, TINY) if tiny else (README_LABELS, TEST_IMAGES)
    return split_in_memory(Dataset.open(scratch / name).unsplit(), labeled=labeled, test=test, validation=0)


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


def make_all(names: Collection[str], carried: Path, folder: Path) -> None:
    """Make the datasets of these names in folder/NAME, of what was carried, held together as their audits say.

    Those that an earlier go has made stay; those of a source that was not carried are left out, and said.
    """
    sources = {source for source in (*OWN, STANDIN) if (carried / SCANS / f"{source}.tar").is_file()}
    for name in [name for name in names if not sources.issuperset(DATASETS[name].sources)]:
        print(f"{name} is not made: not all of {', '.join(DATASETS[name].sources)} were carried")
    names = {name for name in names if sources.issuperset(DATASETS[name].sources) and not (folder / name).is_dir()}
    if not names:
        return
    for source in {source for name in names for source in DATASETS[name].sources}:
        with tarfile.open(carried / SCANS / f"{source}.tar") as archive:
            archive.extractall(folder / SCANS / source, filter="data")
    # Side by side: one import leaves most cores of a machine with a GPU idle.
    with ProcessPoolExecutor(len(names), get_context("spawn")) as pool:
        for made in [pool.submit(_make, name, carried, folder) for name in sorted(names)]:
            made.result()


def _make(name: str, carried: Path, folder: Path) -> None:
    dataset = imported(name, folder / name, {source: folder / SCANS / source for source in DATASETS[name].sources})
    kept = carried / AUDITS / DATASETS[name].audited
    description = DatasetDescription.read(kept / DATASET_FILE, "pack again")
    found = description.audit
    if found is None or found.rows != dataset.images.rows:
        raise SystemExit(f"{kept} is not the audit of these {dataset.images.rows} images: pack again")
    dataset.with_pairs(read_pairs(kept, description.pairs_sha256), found)
