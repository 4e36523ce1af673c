"""A dataset as a cell of a notebook shows it: a few lines, and some scans of every class."""

from html import escape

import numpy as np

from fewscan.datasets.snapshot import Snapshot
from fewscan.images.png import scan_picture
from fewscan.wording import counted, scan_number

SCANS_A_CLASS = 6
PICTURE_PX = 72


def as_html(snapshot: Snapshot, splits: tuple[str, ...]) -> str:
    """Return a short description with pictures; scans are called by their numbers, since names of files may name patients."""
    labeled = int((snapshot.labels[snapshot.usable] >= 0).sum())
    audit = snapshot.description.audit
    facts = [
        f"{counted(len(snapshot.usable), 'image')}, {labeled:,} labeled, {snapshot.spec.size_px} px",
        f"{counted(audit.copy_sets, 'set')} of copies" if audit else "not audited",
        f"splits: {', '.join(splits)}" if splits else "no split",
    ]
    lines = [f"<p><b>{escape(snapshot.folder.name)}</b>: {escape('; '.join(facts))}</p>"]
    for number, name in enumerate((*snapshot.classes, "without a label")):
        rows = snapshot.usable[snapshot.labels[snapshot.usable] == (number if number < len(snapshot.classes) else -1)]
        if len(rows):
            lines.append(f"<p>{escape(name)} ({len(rows):,})<br>{_pictures(snapshot, rows)}</p>")
    return f"<div>{''.join(lines)}</div>"


def _pictures(snapshot: Snapshot, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> str:
    shown = rows[np.linspace(0, len(rows) - 1, min(SCANS_A_CLASS, len(rows))).astype(int)]
    return "".join(
        f'<img src="{scan_picture(snapshot.pixels[row], PICTURE_PX)}" width="{PICTURE_PX}" '
        f'title="{scan_number(row)}" alt="{scan_number(row)}"> '
        for row in shown.tolist()
    )
