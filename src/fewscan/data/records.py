"""Append-only records, a JSON object with its time a line: in a run's folder, and beside a dataset's pixels of all runs.

Datasets that share pixels share their records (those of a comparison do, `Dataset.sharing_pixels`).
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fewscan.atomic import writing
from fewscan.data.dataset import PIXELS_FILE, Dataset
from fewscan.errors import FewscanError


def note(path: Path, line: dict[str, Any]) -> None:
    """Append a line, with the time, to the record `path`; raises FewscanError where it cannot be written."""
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **line}) + "\n")


def noted(path: Path) -> list[dict[str, Any]]:
    """Return the lines of the record `path`, the oldest first; raises FewscanError where one is damaged."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    try:
        return [json.loads(line) for line in lines]
    except ValueError:
        raise FewscanError(f"{path} holds a damaged line: remove that line, and remember that it stood there") from None


def beside_pixels(dataset: Dataset, name: str) -> Path:
    """Return where the dataset, and all that share its pixels, keep the record `name`."""
    return (dataset.folder / PIXELS_FILE).resolve().with_name(name)
