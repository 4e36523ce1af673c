"""Which runs may have been chosen by a dataset's held-out labels.

Whoever keeps the best of several runs has chosen by the validation images of all of them, whichever these are.
"""

from pathlib import Path

from fewscan import jsonl
from fewscan.datasets.records import note_in_dataset, require_notable
from fewscan.datasets.snapshot import Snapshot

CANDIDATES_FILE = "candidate_runs.jsonl"


def note_candidate(dataset: Snapshot, identity: str) -> None:
    """Write down, once, that a run shows how good it is on labels of `dataset` that it has not learned from.

    Raises FewscanError where that cannot be written.
    """
    if identity not in candidates(dataset.folder):
        note_in_dataset(dataset.folder, CANDIDATES_FILE, {"run": identity})


def require_candidate(dataset: Snapshot, identity: str) -> None:
    """Raise FewscanError where `note_candidate` would: before the work that it comes after."""
    if identity not in candidates(dataset.folder):
        require_notable(dataset.folder)


def candidates(folder: Path) -> set[str]:
    """Return the runs that have been noted, whatever has become of them."""
    return {line["run"] for line in jsonl.read(folder / CANDIDATES_FILE, ("run",))}
