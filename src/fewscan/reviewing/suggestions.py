"""What to ask for next, in which order: chosen scans, and among them, one in five, scans drawn at random."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.choosing.scans import Scans
from fewscan.choosing.suggest import RANDOM_SHARE, WHY, Suggestion, choose
from fewscan.reviewing.board import Board
from fewscan.reviewing.desk import Desk

Floats = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
# How many scans are planned, and with how many of them left the next are, beside the labeling: of 5,000 scans in a second.
# With the drawn ones that is what `suggest` is asked for at a time. Of a longer plan only the scans of the largest clusters
# would be asked for before it is made anew, and they are alike (docs/review.md).
PLANNED, LEFT = 16, 4
EVERY = round(1 / RANDOM_SHARE)


class Next(NamedTuple):
    """A scan to be looked at: its row, why it is asked for, and whether it was drawn at random, to score a model."""

    row: int
    why: str
    random: bool


def scans_now(desk: Desk, board: Board, points: Floats) -> Scans:
    """Return what choosing needs to know now; points (N, d) as `choosing.scans.reduced` makes them of features.

    What is in dispute is settled in a reading of its own.
    """
    labels = np.full(desk.count, -1)
    labels[board.labeled] = np.unique(board.labels[board.labeled].astype(str), return_inverse=True)[1]
    labels[~desk.eligible | board.disputed] = -1
    nothing = np.zeros(desk.count, bool)
    return Scans(points, desk.snapshot.groups, labels, open_now(desk, board), nothing, desk.random_order)


def open_now(desk: Desk, board: Board) -> Bools:
    """Return (N,) which scans may be asked for; a copy of a scan that has an answer is the same question."""
    copies = desk.snapshot.copy_sets
    known = np.zeros(copies.max(initial=-1) + 2, bool)
    known[copies[board.answered]] = True
    known[-1] = False  # what is no copy
    return np.asarray(desk.eligible & ~board.answered & ~known[copies], bool)


def planned(scans: Scans, sampled: Bools, probabilities: Floats | None, plan: Sequence[Suggestion] = ()) -> list[Suggestion]:
    """Return what to ask for next, best first, of what is not `sampled` (N,): what is left of a `plan`, then what is new.

    What is left, and the sampled scans that come between, will have a label soon, so nothing like them is asked for besides.
    """
    left = [one for one in plan if scans.open[one.row]]
    sample = scans.random_order[(scans.open & sampled)[scans.random_order]]
    coming = np.array([*(one.row for one in left), *sample[: PLANNED // (EVERY - 1)]], np.int64)
    labels, open_ = scans.labels.copy(), scans.open & ~sampled
    labels[coming], open_[coming] = 0, False  # which class does not matter
    scans = scans._replace(labels=labels, open=open_)
    return [*left, *choose(scans, min(PLANNED, int(open_.sum())), probabilities=probabilities, random_share=0.0)]


def mixed(plan: list[Suggestion], open_: Bools, order: Int64s, sampled: Bools, answers: int) -> Iterator[Next]:
    """Yield every open scan (N,) once: what is planned, one in `EVERY` of those `sampled` (N,), then the others at random.

    order: rows in which they are drawn at random. answers: how many there are already, so that the share holds however often
    this is asked.
    """
    drawn = order[open_[order]]
    sample = [Next(row, WHY["random"], True) for row in drawn[sampled[drawn]].tolist()]
    chosen = [Next(one.row, one.why, False) for one in plan if open_[one.row]]
    found: set[int] = set()
    for place in range(answers, answers + 2 * PLANNED):
        source = sample if place % EVERY == EVERY - 1 or not chosen else chosen
        while source and source[0].row in found:
            source.pop(0)
        if source:
            found.add(source[0].row)
            yield source.pop(0)
    # The others one by one, as far as anybody asks: there may be very many.
    for one in (*chosen, *sample):
        if one.row not in found:
            found.add(one.row)
            yield one
    for row in chain(drawn.tolist(), np.flatnonzero(open_).tolist()):
        if row not in found:
            found.add(row)
            yield Next(row, "not answered yet", False)
