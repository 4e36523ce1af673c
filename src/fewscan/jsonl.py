"""Files of JSON objects, one a line, that are only ever appended to, also by several processes.

A line counts once its end is written. What a kill left of one counts for nothing, and the next line takes its place.
"""

import fcntl
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from fewscan.errors import FewscanError


def append(path: Path, line: Mapping[str, Any]) -> None:
    """Append an object, on the disk then; NaN is refused, since JSON has none. Raises OSError where it cannot be written."""
    text = json.dumps(line, allow_nan=False) + "\n"
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(_whole(file))
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, keys: Collection[str]) -> list[dict[str, Any]]:
    """Return the objects, the oldest first, none where there is no file.

    Raises FewscanError where a whole line is no object with at least those keys.
    """
    whole, _, _ = path.read_bytes().rpartition(b"\n") if path.is_file() else (b"", b"", b"")
    try:
        objects = [json.loads(line) for line in whole.split(b"\n")] if whole else []
    except (ValueError, RecursionError):
        objects = [None]
    if not all(isinstance(one, dict) and one.keys() >= set(keys) for one in objects):
        raise FewscanError(f"{path} has a damaged line: remove that line, and remember that there was one")
    return objects


def _whole(file: BinaryIO) -> int:
    """Return up to where the file holds whole lines, in bytes."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    if file.read() in (b"\n", b""):
        return size
    file.seek(0)
    return file.read().rfind(b"\n") + 1
