"""What was ever said of labels, for people."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from fewscan.cli.label_words import SHOWN
from fewscan.labels.teaching import reading_of
from fewscan.wording import counted, scan_number


def batch_lines(batches: Sequence[dict[str, Any]]) -> list[str]:
    """Return the newest SHOWN lines about batches, of `label_history`: one for what somebody said on the page in a row."""
    rows = [list(same) for _, same in groupby(batches, key=_told_together)]
    earlier = sum(map(len, rows[:-SHOWN]))
    told = [f"{counted(earlier, 'earlier batch', 'earlier batches')}; --json has all"] if earlier else []
    return told + [_page_line(row) if len(row) > 1 else _batch_line(row[0]) for row in rows[-SHOWN:]]


def _told_together(batch: dict[str, Any]) -> tuple[Any, ...]:
    if reading_of(batch["note"]) is None or batch["undone"]:
        return (batch["batch"],)
    return batch["origin"], batch["who"], batch["settles"]


def _page_line(batches: Sequence[dict[str, Any]]) -> str:
    first, last = batches[0], batches[-1]
    entries = counted(sum(batch["entries"] for batch in batches), "entry", "entries")
    when = f"{_when(first)} to {_when(last)}{_who(first)}"
    return f"batches {first['batch']} to {last['batch']}, {when}: {entries} from {first['origin']}"


def _batch_line(batch: dict[str, Any]) -> str:
    what = f"taking back batch {batch['undoes']}" if batch["origin"] == "undo" else f"from {batch['origin']}"
    line = f"batch {batch['batch']}, {_head(batch)}: {counted(batch['entries'], 'entry', 'entries')} {what}"
    return line + (f", {batch['undone']:,} of them taken back" if batch["undone"] else "")


def entry_line(entry: dict[str, Any]) -> str:
    """Return a line about an entry, of `label_history`."""
    said = f"'{entry['label']}'" if entry["state"] == "label" else "no label" if entry["state"] == "none" else entry["state"]
    what = f"takes back entry {entry['undoes']}" if entry["origin"] == "undo" else f"{said}, from {entry['origin']}"
    line = f"entry {entry['id']}, batch {entry['batch']}, {_head(entry)}: {scan_number(entry['row'])}, {entry['name']}: {what}"
    return line + (" (taken back)" if entry["undone"] else "")


def _head(line: dict[str, Any]) -> str:
    """Return when, by whom, and what a person noted; what the page notes of the model is for programs."""
    note = f", '{line['note']}'" if line["note"] and reading_of(line["note"]) is None else ""
    return f"{_when(line)}{_who(line)}{note}"


def _when(line: dict[str, Any]) -> str:
    return str(line["at"][:19].replace("T", " "))


def _who(line: dict[str, Any]) -> str:
    who = f" by {line['who']}" if isinstance(line["who"], str) else ""
    return f"{who}{', settling' if line['settles'] else ''}"
