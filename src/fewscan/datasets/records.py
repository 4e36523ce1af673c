"""Append-only records, a JSON object with its time a line: in a run's folder, and in a dataset's of all runs on it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fewscan import jsonl
from fewscan.atomic import writing


def note(path: Path, line: dict[str, Any]) -> None:
    """Append a line, with the time, to the record `path`; raises FewscanError where it cannot be written."""
    with writing(path):
        jsonl.append(path, {"time": datetime.now(UTC).isoformat(timespec="seconds"), **line})
