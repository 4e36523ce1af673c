"""The page's model, kept up with the labels by a thread of its own: features of all scans, then a fit after every label."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Literal, NamedTuple

import numpy as np

from fewscan.choosing.model import deviation_over
from fewscan.choosing.scans import reduced
from fewscan.choosing.suggest import Suggestion, honest_rows
from fewscan.errors import FewscanError
from fewscan.progress import say
from fewscan.reviewing.apart import Call, here
from fewscan.reviewing.board import Board
from fewscan.reviewing.desk import CannotNowError, Desk
from fewscan.reviewing.opinion import Lesson, Opinion, learned
from fewscan.reviewing.seeing import Floats, Seen, see
from fewscan.reviewing.suggestions import LEFT, Next, mixed, open_now, planned, scans_now
from fewscan.training.continuing import ReadyEncoder

Phase = Literal["looking", "learning", "failed"]


class Progress(NamedTuple):
    """How far the tutor is: `looking` at scans, of which `looked_at` are done now; `learning`; or `failed`, in words."""

    phase: Phase
    looked_at: int
    words: str


class Tutor:
    """Begin with `start`, and ask `opinion` whenever one is wanted: it is the newest, never waited for."""

    def __init__(self, desk: Desk, encoder: str | None) -> None:
        self._desk, self._encoder = desk, encoder
        self._call: Call = here
        # Of each scan, as clusters are sought in; nothing before the scans were looked at.
        self._points: Floats = np.zeros((desk.count, 0), np.float32)
        self._deviation: Floats = np.zeros(0, np.float32)
        self._plan: list[Suggestion] | None = None  # before the first one
        self._wake, self._stop = Event(), Event()
        self._looked_at, self._failed, self._changed = 0, "", False
        self.seen: Seen | None = None
        self.opinion: Opinion | None = None
        desk.changed.append(self._wake.set)

    @property
    def encoder(self) -> str | None:
        """What it sees scans with, as it was asked for."""
        return self._encoder

    @property
    def progress(self) -> Progress:
        """How far it is."""
        if self._failed:
            return Progress("failed", self._looked_at, self._failed)
        # Before there is a plan, what is asked for is drawn at random.
        if self.seen is None or self._plan is None:
            return Progress("looking", self._looked_at, "")
        return Progress("learning", self._desk.count, self.seen.words)

    def of_an_encoder(self, lacking: str) -> tuple[Opinion, ReadyEncoder]:
        """Return the opinion and the encoder that it goes by.

        Raises CannotNowError before there is an opinion, and where it goes by pixels alone; lacking: what that means.
        """
        if self.opinion is None:
            raise CannotNowError("there is no model yet: label scans of two classes first")
        if self.opinion.seen is None or self.opinion.seen.encoder is None:
            raise CannotNowError(f"{lacking}: start the page again with --encoder")
        return self.opinion, self.opinion.seen.encoder

    def start(self, call: Call = here) -> None:
        """Begin, beside whatever else goes on; call: in which process what takes long is computed."""
        self._call = call
        self._wake.set()
        Thread(target=self._work, name="tutor", daemon=True).start()

    def stop(self) -> None:
        """Learn no more."""
        self._stop.set()
        self._wake.set()

    def sees_as(self, run: Path) -> bool:
        """Return whether it sees scans as a run does."""
        return self._encoder is not None and Path(self._encoder).resolve() == run.resolve()

    def change(self, encoder: str) -> None:
        """See scans with another encoder from soon on; what was seen holds until then."""
        self._encoder, self._changed = encoder, True
        self._wake.set()

    def look(self) -> None:
        """Have features of all scans; raises FewscanError where an encoder that was named cannot be had."""
        self.take(see(self._desk.dataset, self._encoder, self._advance))

    def take(self, seen: Seen) -> None:
        """Go by these features of all scans."""
        # Scans that test or validate tell neither directions nor deviations.
        rows = np.flatnonzero(self._desk.eligible)
        self._points, self._deviation = reduced(seen.features, rows), deviation_over(seen.features, rows)
        self.seen = seen

    def order(self, board: Board) -> Iterator[Next]:
        """Yield all scans without an answer in the order in which to ask for them, by the newest plan."""
        desk = self._desk
        return mixed(self._plan or [], open_now(desk, board), desk.random_order, desk.sample, int(board.answered.sum()))

    def learn(self) -> Opinion | None:
        """Learn from the labels of now, plan what to ask for next, and return the opinion, None where labels do not suffice."""
        if self.seen is None:
            return None
        board = self._desk.board()
        scans = scans_now(self._desk, board, self._points)
        classes = tuple(sorted({str(label) for label in board.labels[board.labeled]}))
        sample = honest_rows(scans)
        # To an encoder that has learned from their labels no scan is new.
        sample = sample[self._desk.sample[sample] & (not self.seen.taught)]
        lesson = Lesson(board.entry, self.seen.features, scans.labels, classes, scans.groups, sample, self._deviation)
        opinion = learned(lesson, self._call)
        probabilities = None if opinion is None else opinion.probabilities
        plan = self._plan or []
        if sum(bool(scans.open[one.row]) for one in plan) <= LEFT:
            self._plan = self._call(planned, scans, self._desk.sample, probabilities, plan)
        # With the plan that goes by it: who sees that the model knows an answer is asked for what follows from that.
        self.opinion = None if opinion is None else replace(opinion, seen=self.seen)
        return self.opinion

    def _advance(self, done: int) -> None:
        if self._stop.is_set():
            raise FewscanError("the page was ended")
        self._looked_at += done

    def _work(self) -> None:
        try:
            if self.seen is None:
                self.look()
            while not self._stop.is_set():
                self._wake.wait()
                self._wake.clear()
                if self._changed:
                    self._changed = False
                    self.look()
                if not self._stop.is_set():
                    began = time.monotonic()
                    self.learn()
                    # Where many answers come at once, half of the time is theirs.
                    self._stop.wait(time.monotonic() - began)
        except FewscanError as error:
            if self._stop.is_set():
                return  # with all that it asks
            # Labels can be given all the same; the page says what is lacking.
            self._failed = str(error)
            say(f"no suggestions from a model: {error}")
        except Exception:
            self._failed = "a fault in fewscan stopped the model: the terminal shows the error; you can still label"
            raise
