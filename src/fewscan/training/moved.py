"""Where a run's dataset lies now: where it was, where it was named, or beside the run, when both were moved together."""

import json
from collections.abc import Iterator
from pathlib import Path

from fewscan.datasets.dataset import DATASET_FILE, Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.folders import SNAPSHOT_FILE

# How many folders above the run are looked in.
FOLDERS_ABOVE = 4


def dataset_folder(run: Path, recorded: Path, identity: str, named: Path | None) -> Path:
    """Return the folder of the dataset that `run` was trained on: `named`, else where it was `recorded`, else beside the run.

    identity: of the dataset's images; a dataset beside the run is the right one where it has it, and its label log says what
    the run saw: the same scans can be imported twice, with other labels. Raises FewscanError, saying where the dataset was and
    how to name its place, where there is none.
    """
    if named is not None:
        if not (named / DATASET_FILE).is_file():
            why = f"no {DATASET_FILE}" if named.exists() else "no such folder"
            raise FewscanError(
                f"{named} is not a dataset ({why}): give the folder where the dataset of {run} is now; it was "
                f"{recorded} when the run was trained"
            )
        return named
    found = _found(run, recorded, identity)
    if found is None:
        raise FewscanError(
            f"the dataset of {run} was moved, renamed or removed: it was {recorded}, and it is not next to the run either. "
            "Give its folder with --data DATASET. Where there is no dataset, what 'fewscan export' writes can be used"
        )
    return found


def dataset_word(run: Path, recorded: Path, identity: str, named: Path | None) -> str | Path:
    """Return how a command calls the dataset of `run`: its folder, see `dataset_folder`, or DATASET where it is not found."""
    return named or _found(run, recorded, identity) or "DATASET"


def called_with(run: Path, recorded: Path, dataset: Path) -> tuple[str | Path, ...]:
    """Return how a command calls `run` and, where its dataset lies elsewhere than `recorded`, `dataset`, which it is now."""
    return (run,) if dataset.resolve() == recorded else (run, "--data", dataset)


def _found(run: Path, recorded: Path, identity: str) -> Path | None:
    """Return the folder of a dataset whose place nobody named; None where it is neither where it was nor beside the run."""
    if (recorded / DATASET_FILE).is_file():
        return recorded
    alike = (folder for folder in _beside(run, recorded) if _identity(folder) == identity)
    return next((folder for folder in alike if _has_said(folder, run)), None)


def _beside(run: Path, recorded: Path) -> Iterator[Path]:
    """Yield folders of the dataset's name as far from the run as it may have been, then all that stand near the run."""
    above = run.resolve().parents[:FOLDERS_ABOVE]
    for parent in above:
        for parts in range(min(FOLDERS_ABOVE, len(recorded.parts) - 1), 0, -1):
            yield parent.joinpath(*recorded.parts[-parts:])
    for parent in above[:2]:
        yield from sorted(path.parent for path in parent.glob(f"*/{DATASET_FILE}"))


def _identity(folder: Path) -> str | None:
    """Return the identity of a dataset's images; None where there is no dataset, or none that is whole."""
    try:
        description = json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))
        return str(description["shards"][0]["chain"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _has_said(folder: Path, run: Path) -> bool:
    """Whether there is, in `folder`, a dataset whose label log once said what `run` knows of it."""
    try:
        dataset = Dataset.open(folder)
        known = Snapshot.read(run / SNAPSHOT_FILE, folder, dataset.images, "train again")
        return has_said(dataset, known)
    except FewscanError:
        return False


def has_said(dataset: Dataset, known: Snapshot) -> bool:
    """Return whether the label log of a dataset said what `known`, a snapshot of its images, has of labels.

    By single entries, whatever holds of several, so that a snapshot of an earlier version is not judged by rules of today.
    """
    return dataset.labels.has_said(known.labels, known.classes, known.description.label_entry)
