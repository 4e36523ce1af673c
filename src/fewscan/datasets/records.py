"""Append-only records, a JSON object with its time a line: in a run's folder, and in a dataset's of all runs on it."""

import errno
import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fewscan import jsonl
from fewscan.atomic import try_writing, writing
from fewscan.errors import FewscanError


def note(path: Path, line: dict[str, Any]) -> None:
    """Append a line, with the time, to the record `path`; raises FewscanError where it cannot be written."""
    with writing(path):
        jsonl.append(path, {"time": datetime.now(UTC).isoformat(timespec="seconds"), **line})


def note_in_dataset(folder: Path, name: str, line: dict[str, Any]) -> None:
    """Append a line to the record `name` of the dataset in `folder`; raises FewscanError as `require_notable` does."""
    require_notable(folder)
    note(folder / name, line)


OF_DATASET = "A dataset records in its folder which runs learn from it and how often its test set is opened"
OF_RUN = "A run records in its folder how often it opens its test set"


def require_notable(folder: Path, why: str = OF_DATASET) -> None:
    """Raise FewscanError, saying what helps, where a folder cannot be written: before any work that is noted there.

    why: what is noted there, OF_DATASET or OF_RUN. Which runs learn from a dataset and look at its test set is known there
    alone: what cannot be noted is not done.
    """
    with writing(folder):
        try:
            try_writing(folder / "record")
            for record in folder.glob("*.jsonl"):
                record.open("ab").close()
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            reason, copied = os.strerror(error.errno), f"{shlex.join(('cp', '-r', str(folder)))} COPY && chmod -R u+w COPY"
            given = "give the copy instead, for a run with --data" if why == OF_DATASET else "give the copy instead"
            raise FewscanError(f"cannot write {folder}: {reason}. {why}: copy it, '{copied}', and {given}") from None
