"""Which runs may have been chosen by a dataset's held-out labels.

Whoever keeps the best of several runs has chosen by the validation images of all of them, whichever these are.
"""

from fewscan import jsonl
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.records import beside_pixels, note

CANDIDATES_FILE = "candidate_runs.jsonl"


def note_candidate(dataset: Dataset, identity: str) -> None:
    """Write down, once, that a run shows how good it is on labels of `dataset` that it has not learned from.

    Raises FewscanError where that cannot be written.
    """
    if identity not in candidates(dataset):
        note(beside_pixels(dataset, CANDIDATES_FILE), {"run": identity})


def candidates(dataset: Dataset) -> set[str]:
    """Return the runs that have been noted, whatever has become of them."""
    return {line["run"] for line in jsonl.read(beside_pixels(dataset, CANDIDATES_FILE), ("run",))}
