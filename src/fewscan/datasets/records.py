"""Append-only records, a JSON object with its time a line: in a run's folder, and beside a dataset's pixels of all runs.

Datasets that share pixels share their records (those of a comparison do, `Dataset.sharing_pixels`).
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fewscan import jsonl
from fewscan.atomic import writing
from fewscan.datasets.dataset import PIXELS_FILE, Dataset


def note(path: Path, line: dict[str, Any]) -> None:
    """Append a line, with the time, to the record `path`; raises FewscanError where it cannot be written."""
    with writing(path):
        jsonl.append(path, {"time": datetime.now(UTC).isoformat(timespec="seconds"), **line})


def beside_pixels(dataset: Dataset, name: str) -> Path:
    """Return where the dataset, and all that share its pixels, keep the record `name`."""
    return (dataset.folder / PIXELS_FILE).resolve().with_name(name)
