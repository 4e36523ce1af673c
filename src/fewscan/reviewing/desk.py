"""A dataset while people review it: its scans, what was said of them, and the writing of what they decide.

Nothing here holds the dataset's lock. A decision is one transaction of the label log, which waits for other writers;
then it is on the disk; whatever other processes enter meanwhile is seen with the next question.
"""

import json
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.choosing.pool import parts_of
from fewscan.choosing.random_sample import random_order
from fewscan.choosing.suggest import RANDOM_SHARE
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.labels import REVIEW
from fewscan.datasets.pairs import ends, no_pairs
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.turned import Turns, turns_in
from fewscan.errors import FewscanError
from fewscan.images.classes import fit_classes, said_in_place
from fewscan.images.options import words_for_no_label
from fewscan.labels.log import LabelLog, State
from fewscan.reviewing.board import Board, Said

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
MAX_CLASS_LETTERS = 60
# Enough to know an accuracy to five points; more would only be asked for instead of scans that teach.
MOST_SAMPLED = 300
REMEMBERED = 1000  # answers that may be sent again
# The note of what lets an image take part again that had been set aside.
RETURNED = "takes part again"


class NotSavedError(Exception):
    """The log could not be written: nothing was entered, and the same may be tried again."""


class NoSuchThingError(Exception):
    """What was asked for is not there; the message says what."""


class CannotNowError(Exception):
    """What was asked for cannot be done as things stand; the message says why."""


class Decided(NamedTuple):
    """What was entered: the number of the batch, 0 where the person had said the same before; and of which rows."""

    batch: int
    rows: list[int]
    said: Said


class Undone(NamedTuple):
    """What was taken back: what these rows were said to be, or, `again`, what they had been and are now once more."""

    batch: int
    rows: list[int]
    said: Said
    again: bool


@contextmanager
def _nothing_beside() -> Iterator[Callable[[], None]]:
    yield lambda: None


# What is kept of an answer beside the log, too. It begins before the log is written, so that it can refuse the answer; what it
# yields keeps it after that, and where this raises FewscanError the log takes the answer back.
Beside = Callable[[], AbstractContextManager[Callable[[], None]]]
# It gets the entries that are taken back, and takes the answer back before the log does; where that fails, it keeps it again.
BesideUndone = Callable[[pd.DataFrame], AbstractContextManager[object]]


class Once:
    """Enters an answer, or returns what came of it where it has come before: it is sent again for want of a reply."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entered: OrderedDict[str, Decided] = OrderedDict()  # the newest answers, the oldest first

    def __call__(self, answer_id: str | None, enter: Callable[[], Decided]) -> Decided:
        """Enter an answer of this name; one without a name is never the same as another."""
        if answer_id is None:
            return enter()
        with self._lock:
            if answer_id not in self._entered:
                self._entered[answer_id] = enter()
            while len(self._entered) > REMEMBERED:
                self._entered.popitem(last=False)
            return self._entered[answer_id]


@dataclass
class Desk:
    """An opened dataset. `asked`: names of classes that reviewers may give beside those that scans have already."""

    dataset: Dataset
    asked: Sequence[str] = ()
    revision: int = 0  # how often there was news of the dataset, changed on disk while it was reviewed
    news: str = ""  # the last of it
    kept_log: LabelLog | None = None  # the dataset's, kept open to be asked often
    once: Once = field(default_factory=Once)

    def __post_init__(self) -> None:
        """Begin with the classes that were asked for, then those that scans have."""
        self._reading, self._writing = Lock(), Lock()
        self._board: Board | None = None
        self.changed: list[Callable[[], None]] = []  # called after every entry
        board = self.board()
        there = sorted({str(label) for label in board.labels[board.labeled]})
        self._classes: list[str] = []
        for name in dict.fromkeys((*self.asked, *there)):
            self.add_class(name)

    @cached_property
    def facts(self) -> pd.DataFrame:
        """A line an image: source, path, set_aside, width_px, height_px, color, pixels_sha256."""
        return self.dataset.images.table(["source", "path", "set_aside", "width_px", "height_px", "color", "pixels_sha256"])

    @cached_property
    def snapshot(self) -> Snapshot:
        """Groups, sets of copies and parts of the newest split, as they were when reviewing began."""
        return self.dataset.snapshot()

    @cached_property
    def usable(self) -> Bools:
        """(N,) which images could be read."""
        return np.asarray(self.facts["set_aside"].isna(), bool)

    @cached_property
    def eligible(self) -> Bools:
        """(N,) rows that may be chosen and learned from, as `suggest` has it: none that test, validate or were left out."""
        return parts_of(self.dataset).learning

    @cached_property
    def random_order(self) -> Int64s:
        """Rows in the order in which they are drawn at random, of every group one."""
        return random_order(self.snapshot.groups, self.eligible)

    @cached_property
    def sample(self) -> Bools:
        """(N,) the rows that score the model: the front of the random order. What it says of them waits for the answer."""
        front = min(MOST_SAMPLED, math.ceil(RANDOM_SHARE * len(self.random_order)))
        return np.isin(np.arange(self.count), self.random_order[:front])

    @cached_property
    def turns(self) -> Turns:
        """How copies lie beside each other, by the audit."""
        pairs = self.dataset.pairs if self.dataset.description.audit is not None else no_pairs()
        return Turns(zip(*ends(pairs).T.tolist(), turns_in(pairs), strict=True))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.facts)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of their keys: an order that stays while the page is open."""
        return tuple(self._classes)

    def board(self) -> Board:
        """Return what the log says now, whoever wrote it."""
        with self._reading:
            new = None if self._board is None else self.log.since(self._board.entry)
            after = None if self._board is None or new is None else self._board.after(new)
            self._board = Board.read(self.log, self.count) if after is None else after
            return self._board

    @property
    def log(self) -> LabelLog:
        """The dataset's label log."""
        return self.dataset.labels if self.kept_log is None else self.kept_log

    def require_row(self, row: int) -> int:
        """Return the row; raises NoSuchThingError where there is none of this number that can be looked at."""
        if not 0 <= row < self.count or not self.usable[row]:
            raise NoSuchThingError(f"there is no scan {row} to show")
        return row

    def add_class(self, name: str) -> str:
        """Let reviewers give a class; it is the dataset's once a scan has it. Returns the name as it is written.

        Raises FewscanError for what can be no class beside the others.
        """
        name = name.strip()
        if not name or not name.isprintable() or len(name) > MAX_CLASS_LETTERS:
            raise FewscanError(f"a class needs a name of 1 to {MAX_CLASS_LETTERS} printable characters")
        if said_in_place(name) is not None or name.casefold() in words_for_no_label():
            raise FewscanError(f"'{name}' is an answer for scans without a class: choose another name")
        fitted = fit_classes({("", name)}, self._classes, {})["", name]
        if fitted not in self._classes:
            self._classes.append(fitted)
        return fitted

    def decide(
        self,
        rows: Sequence[int],
        said: Said,
        reviewer: str,
        note: dict[str, Any],
        *,
        settles: bool = False,
        beside: Beside | None = None,
    ) -> Decided:
        """Enter what a person says of rows, as one batch, and return once it is on the disk.

        What they said before is left out, unless it settles, or is kept `beside` the log, too. note: what the entries keep.
        Raises NoSuchThingError for a row or class that is not there, FewscanError for a name that is none, NotSavedError where
        the log cannot be written.
        """
        for row in rows:
            self.require_row(row)
        if said.label is not None and said.label not in self._classes:
            raise NoSuchThingError(f"there is no class '{said.label}': add it first")
        with self._writing, (beside or _nothing_beside)() as keep:
            board, anew = self.board(), settles or beside is not None
            same = [not anew and self._is_said(board, row, reviewer, said) for row in rows]
            new = [row for row, is_same in zip(rows, same, strict=True) if not is_same]
            batch = self._enter(new, said, reviewer, note, settles) if new else 0
            try:
                keep()
            except FewscanError as error:
                self._take_back(batch, new, reviewer)
                raise NotSavedError(str(error)) from None
        self.tell()
        return Decided(batch, new, said)

    def undo(self, reviewer: str, beside: BesideUndone = nullcontext) -> Undone:
        """Take back what this person did last on a page and has not taken back: an answer, or the return of an image.

        beside: what was kept of it beside the log. Raises CannotNowError where there is nothing, NotSavedError where the log
        cannot be written.
        """
        with self._writing:
            entries = self.dataset.labels.entries()
            given = (entries["origin"] == REVIEW) | (entries["note"] == RETURNED)
            own = entries[given & (entries["who"] == reviewer) & ~entries["undone"]]
            if own.empty:
                raise CannotNowError("you have nothing to undo")
            taken = own[own["batch"] == own["batch"].max()]
            rows = sorted(set(taken["row"]))
            with beside(taken):
                batch = self._take_back(int(taken["batch"].iloc[0]), rows, reviewer)
        self.tell()
        again = taken["note"].iloc[0] == RETURNED
        before = entries[entries["id"].isin(taken["undoes"])] if again else taken
        label = before["label"].iloc[0]
        return Undone(batch, rows, Said(before["state"].iloc[0], None if pd.isna(label) else label), again)

    def give_back(self, row: int, batches: Sequence[int], reviewer: str) -> None:
        """Take back what batches say of a row, so that what was said before holds again; raises NotSavedError."""
        with self._writing:
            self._take_back(batches, [row], reviewer, RETURNED)
        self.tell()

    def tell(self) -> None:
        """Let all that learns from labels know that there are new ones."""
        for listener in self.changed:
            listener()

    def _enter(self, rows: list[int], said: Said, reviewer: str, note: dict[str, Any], settles: bool) -> int:
        states: list[State] = [said.state] * len(rows)
        text = json.dumps(note, ensure_ascii=False)
        try:
            return self.dataset.labels.enter(
                rows, [said.label] * len(rows), states=states, origin=REVIEW, who=reviewer, note=text, settles=settles
            )
        except FewscanError as error:
            raise NotSavedError(str(error)) from None

    def _take_back(self, batches: int | Sequence[int], rows: list[int], reviewer: str, note: str = "") -> int:
        try:
            return self.dataset.labels.undo(batches, rows, who=reviewer, note=note)
        except FewscanError as error:
            raise NotSavedError(str(error)) from None

    @staticmethod
    def _is_said(board: Board, row: int, reviewer: str, said: Said) -> bool:
        own = board.own(row, reviewer)
        return own == said or (own is None and said.state == "none" and board.states[row] == "none")
