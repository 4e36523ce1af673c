"""How often a test set has been looked at, by whichever run: an append-only record beside the dataset's pixels.

Datasets that share pixels share the record (those of a comparison do, `Dataset.sharing_pixels`): a run that is chosen among
many by its test score was chosen on the test set, whichever folder the runs lie in.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fewscan.atomic import writing
from fewscan.data.dataset import PIXELS_FILE, Dataset

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


def note_opening(dataset: Dataset, purpose: str, run: Path) -> TestSetOpenings:
    """Write down that `run` opens the test set of `dataset` by the verb `purpose`, and return how often it has been.

    Raises FewscanError where that cannot be written: a look at a test set that nobody can know of is none that is offered.
    """
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "purpose": purpose,
        "test_set": _fingerprint(dataset),
        "run": str(run.resolve()),
    }
    path = _path(dataset)
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return openings(dataset)


def openings(dataset: Dataset) -> TestSetOpenings:
    """Return how often the test set of `dataset` has been opened: this very set of images, however the rest was split."""
    path = _path(dataset)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    looks = [look for look in map(json.loads, lines) if look["test_set"] == _fingerprint(dataset)]
    return TestSetOpenings(dict(Counter(look["purpose"] for look in looks)), len({look["run"] for look in looks}))


def _path(dataset: Dataset) -> Path:
    return (dataset.folder / PIXELS_FILE).resolve().with_name(OPENINGS_FILE)


def _fingerprint(dataset: Dataset) -> str:
    rows = ",".join(map(str, dataset.rows("test").tolist()))
    return hashlib.sha256(f"{dataset.description.fingerprint} {rows}".encode()).hexdigest()
