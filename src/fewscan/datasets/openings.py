"""How often a test set has been looked at, by whichever run.

A run that is chosen among many by its test score was chosen on the test set, whichever folder the runs lie in.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fewscan import jsonl
from fewscan.datasets.records import note_in_dataset
from fewscan.datasets.snapshot import Snapshot

OPENINGS_FILE = "test_openings.jsonl"


class Openings(NamedTuple):
    """How often a test set has been opened: by one run, and by all runs on it."""

    by_run: int
    by_all_runs: int


@dataclass(frozen=True)
class TestSetOpenings:
    """How often each verb has opened a test set, and how many runs did."""

    by_verb: dict[str, int]
    runs: int

    @property
    def total(self) -> int:
        """All openings together."""
        return sum(self.by_verb.values())


def note_opening(dataset: Snapshot, purpose: str, run: str) -> TestSetOpenings:
    """Write down that a run opens the test set of `dataset` by the verb `purpose`, and return how often it has been.

    run: its identity, which goes with it wherever its folder lies.

    Raises FewscanError where that cannot be written: a look at a test set that nobody can know of is none that is offered.
    """
    line = {"purpose": purpose, "test_set": dataset.require_split().test_set, "run": run}
    note_in_dataset(dataset.folder, OPENINGS_FILE, line)
    return openings(dataset)


def note_look(other: Snapshot, purpose: str, run: str) -> Openings:
    """Write down that a run of another dataset is scored on all of `other`, and return how often that was done.

    Its labeled scans count as one more test set, whatever split it has; otherwise as `note_opening`.
    """
    identity = other.description.identity
    note_in_dataset(other.folder, OPENINGS_FILE, {"purpose": purpose, "test_set": identity, "run": run})
    looks = _looks(other.folder, identity)
    return Openings(sum(look["run"] == run for look in looks), len(looks))


def openings(dataset: Snapshot) -> TestSetOpenings:
    """Return how often the test set of `dataset` has been opened: this very set of images, however the rest was split."""
    looks = _looks(dataset.folder, dataset.require_split().test_set)
    return TestSetOpenings(dict(Counter(look["purpose"] for look in looks)), len({look["run"] for look in looks}))


def _looks(folder: Path, test_set: str) -> list[dict[str, Any]]:
    """Return the looks at one test set of the dataset in `folder`."""
    return [look for look in jsonl.read(folder / OPENINGS_FILE, ("purpose", "test_set", "run")) if look["test_set"] == test_set]
