"""Append-only records beside a dataset's pixels: what the dataset remembers of all runs.

Datasets that share pixels share their records (those of a comparison do, `Dataset.sharing_pixels`).
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fewscan.atomic import writing
from fewscan.data.dataset import PIXELS_FILE, Dataset


def note(dataset: Dataset, name: str, line: dict[str, Any]) -> None:
    """Append a line, with the time, to the record in the file `name`; raises FewscanError where it cannot be written."""
    path = _path(dataset, name)
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **line}) + "\n")


def noted(dataset: Dataset, name: str) -> list[dict[str, Any]]:
    """Return the lines of the record in the file `name`, the oldest first."""
    path = _path(dataset, name)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def _path(dataset: Dataset, name: str) -> Path:
    return (dataset.folder / PIXELS_FILE).resolve().with_name(name)
