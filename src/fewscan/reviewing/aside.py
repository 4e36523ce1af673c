"""Images that take no part, and why: those that could not be read, and those that somebody, or the audit, says are no scans."""

from pathlib import Path

import numpy as np
import pandas as pd

from fewscan.auditing.audit import AUDIT_FILE
from fewscan.auditing.result import suspects_in
from fewscan.datasets.taking import NOT_A_SCAN
from fewscan.images.png import small_png
from fewscan.images.readers import UnreadableImage, locate, read_image
from fewscan.reviewing.desk import CannotNowError, Desk, NoSuchThingError
from fewscan.reviewing.quality_asked import LeftOut, TakenBack
from fewscan.reviewing.scans import THUMBNAIL_PX, Scans


def set_aside(desk: Desk, scans: Scans) -> list[LeftOut]:
    """Return what takes no part: first what was said to be no scan, the newest first, then what was left out as it came."""
    said = _no_scans(desk)
    found = [
        LeftOut(
            row=int(one.row),
            name=scans.names[int(one.row)],
            reason=_reason(one.origin, one.note),
            who=None if pd.isna(one.who) else str(one.who),
            time=str(one.at),
            can_return=True,
        )
        for one in said.sort_values("id", ascending=False).drop_duplicates("row").itertuples(index=False)
    ]
    for row in np.flatnonzero(~desk.usable).tolist():
        reason = str(desk.facts["set_aside"].iloc[row])
        found.append(LeftOut(row=row, name=scans.names[row], reason=reason, who=None, time=None, can_return=False))
    return found


def probable(desk: Desk, scans: Scans) -> list[LeftOut]:
    """Return what the audit takes for no scan, and of which nobody has said anything."""
    board = desk.board()
    suspects = suspects_in(desk.dataset.folder / AUDIT_FILE, desk.count)
    return [
        LeftOut(row=one.row, name=scans.names[one.row], reason=one.kind, who=None, time=None, can_return=False)
        for one in suspects
        if desk.usable[one.row] and board.states[one.row] != NOT_A_SCAN and not board.voices.get(one.row)
    ]


def take_back(desk: Desk, row: int, reviewer: str) -> TakenBack:
    """Undo the entries that say that a row is no scan, so that what was said before holds again.

    Raises CannotNowError where none says so, NotSavedError where the log cannot be written.
    """
    said = _no_scans(desk)
    batches = said.loc[said["row"] == row, "batch"].unique().tolist()
    if not batches:
        raise CannotNowError(f"nobody has set scan {row} aside")
    desk.give_back(row, batches, reviewer)
    return TakenBack(row=row, holds=desk.board().holds(row).words)


def picture(desk: Desk, row: int) -> bytes:
    """Return an image that was left out as it came, from its file, as a small PNG.

    Raises NoSuchThingError where none can be had.
    """
    if not 0 <= row < desk.count:
        raise NoSuchThingError(f"no image has the number {row}")
    source, path = desk.facts.loc[row, ["source", "path"]]
    folder = next(one.folder for one in desk.dataset.description.sources if one.name == source)
    spec = desk.dataset.description.spec
    try:
        file, part = locate(Path(folder) / path)
        image = read_image(file, spec.channels, part=part, reading=spec)
    except UnreadableImage as unreadable:
        raise NoSuchThingError(unreadable.reason) from None
    return small_png(image.pixels, THUMBNAIL_PX, compress_level=1)


def _no_scans(desk: Desk) -> pd.DataFrame:
    """Return the entries that hold, and say of a usable row that it is no scan."""
    states = desk.board().states
    entries = desk.dataset.labels.entries()
    holding = (entries["state"] == NOT_A_SCAN) & ~entries["undone"] & entries["undoes"].isna()
    entries = entries[holding & (entries["row"] < desk.count)]
    now = (states[entries["row"]] == NOT_A_SCAN) & desk.usable[entries["row"]]
    return entries[now]


def _reason(origin: str, note: str) -> str:
    if origin == "audit":
        return note.removeprefix("suspect: ") or "the audit suspects that it is not a scan"
    return "not a scan"
