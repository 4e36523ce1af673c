"""Which runs may have been chosen by a dataset's held-out labels: an append-only record beside its pixels.

Datasets that share pixels share the record (those of a comparison do, `Dataset.sharing_pixels`): whoever keeps the best of several
runs has chosen by all of their validation images, whichever these are.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from fewscan.atomic import writing
from fewscan.data.dataset import PIXELS_FILE, Dataset

CANDIDATES_FILE = "candidate_runs.jsonl"


def note_candidate(dataset: Dataset, identity: str) -> None:
    """Write down, once, that a run shows how good it is on labels of `dataset` that it has not learned from.

    Raises FewscanError where that cannot be written.
    """
    if identity in candidates(dataset):
        return
    path = _path(dataset)
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "run": identity}
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def candidates(dataset: Dataset) -> set[str]:
    """Return the runs that have been noted, whatever has become of them."""
    path = _path(dataset)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {json.loads(line)["run"] for line in lines}


def _path(dataset: Dataset) -> Path:
    return (dataset.folder / PIXELS_FILE).resolve().with_name(CANDIDATES_FILE)
