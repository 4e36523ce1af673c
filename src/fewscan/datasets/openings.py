"""How often a test set has been looked at, by whichever run.

A run that is chosen among many by its test score was chosen on the test set, whichever folder the runs lie in.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass

from fewscan import jsonl
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.records import beside_pixels, note

OPENINGS_FILE = "test_openings.jsonl"


@dataclass(frozen=True)
class TestSetOpenings:
    """How often each verb has opened a test set, and how many runs did."""

    by_verb: dict[str, int]
    runs: int

    @property
    def total(self) -> int:
        """All openings together."""
        return sum(self.by_verb.values())


def note_opening(dataset: Dataset, purpose: str, run: str) -> TestSetOpenings:
    """Write down that a run opens the test set of `dataset` by the verb `purpose`, and return how often it has been.

    run: its identity, which goes with it wherever its folder lies.

    Raises FewscanError where that cannot be written: a look at a test set that nobody can know of is none that is offered.
    """
    path = beside_pixels(dataset, OPENINGS_FILE)
    note(path, {"purpose": purpose, "test_set": _fingerprint(dataset), "run": run})
    return openings(dataset)


def openings(dataset: Dataset) -> TestSetOpenings:
    """Return how often the test set of `dataset` has been opened: this very set of images, however the rest was split."""
    test_set = _fingerprint(dataset)
    all_looks = jsonl.read(beside_pixels(dataset, OPENINGS_FILE), ("purpose", "test_set", "run"))
    looks = [look for look in all_looks if look["test_set"] == test_set]
    return TestSetOpenings(dict(Counter(look["purpose"] for look in looks)), len({look["run"] for look in looks}))


def _fingerprint(dataset: Dataset) -> str:
    rows = ",".join(map(str, dataset.rows("test").tolist()))
    return hashlib.sha256(f"{dataset.description.fingerprint} {rows}".encode()).hexdigest()
