"""Which scan a reviewer sees next: of those without a label, of those that somebody else labeled, or of those in dispute."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

import numpy as np
import numpy.typing as npt

from fewscan.reviewing.board import Board
from fewscan.reviewing.desk import Desk
from fewscan.reviewing.suggestions import Next
from fewscan.seeds import stream

Int64s = npt.NDArray[np.int64]
Reading = Literal["first", "second", "settle"]
# A scan that one reviewer was shown is kept from the others for so long.
KEPT_SECONDS = 120.0


# All scans to be labeled, in their order, given what holds.
Order = Callable[[Board], Iterator[Next]]


@dataclass
class Queue:
    """What comes next for each reviewer; two who read first get different scans."""

    desk: Desk
    order: Order
    _shown: dict[int, tuple[str, float]] = field(default_factory=dict)
    _skipped: dict[str, dict[int, None]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def upcoming(self, reviewer: str, reading: Reading, count: int) -> list[Next]:
        """Return up to `count` scans; those that the reviewer skipped come last."""
        board = self.desk.board()
        if reading == "first":
            found = self.order(board)
        else:
            of = self.to_read_again(board, reviewer) if reading == "second" else np.flatnonzero(board.disputed)
            why = "someone else labeled it" if reading == "second" else "readers disagree"
            found = (Next(int(row), why, False) for row in of)
        with self._lock:
            skipped = list(self._skipped.get(reviewer, {}))
            if reading == "first":
                found = self._not_shown_to_others(found, reviewer)
            taken, later = list[Next](), list[Next]()
            for one in found:
                (later if one.row in skipped else taken).append(one)
                if len(taken) == count:
                    break
            taken += sorted(later, key=lambda one: skipped.index(one.row))[: count - len(taken)]
            if reading == "first":
                self._shown |= {one.row: (reviewer, time.monotonic() + KEPT_SECONDS) for one in taken}
        return taken

    @property
    def skipped(self) -> dict[str, dict[int, None]]:
        """What each reviewer has skipped, in its order."""
        return self._skipped

    def skip(self, reviewer: str, row: int) -> None:
        """Let a scan come last for a reviewer, until the page's server ends."""
        with self._lock:
            skipped = self._skipped.setdefault(reviewer, {})
            skipped.pop(row, None)
            skipped[row] = None
            self._shown.pop(row, None)

    def _not_shown_to_others(self, found: Iterator[Next], reviewer: str) -> Iterator[Next]:
        now = time.monotonic()
        self._shown = {row: shown for row, shown in self._shown.items() if shown[1] > now}
        return (one for one in found if self._shown.get(one.row, (reviewer, 0.0))[0] == reviewer)

    def to_read_again(self, board: Board, reviewer: str) -> Int64s:
        """Return the rows of which others say something and this person nothing, in an order that is the person's own."""
        order = stream(0, f"second reading by {reviewer}").numpy().permutation(self.desk.count)
        return order[np.isin(order, board.heard_of_others(reviewer))]
