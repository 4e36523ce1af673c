"""The page's interface for labels: what comes next, what is decided, taken back and skipped, and where all stands."""

from collections import Counter
from contextlib import nullcontext
from typing import Any

import numpy as np
from fastapi import APIRouter

from fewscan.choosing.forecast import MORE, next_gain
from fewscan.reviewing.asked import (
    REFUSALS,
    Accuracy,
    Count,
    Decision,
    Gain,
    Model,
    Name,
    NewClass,
    Person,
    Saved,
    Skip,
    Status,
    Undone,
    Upcoming,
    Waiting,
)
from fewscan.reviewing.desk import BesideUndone, CannotNowError, Decided, Desk
from fewscan.reviewing.queue import Queue, Reading
from fewscan.reviewing.tutor import Tutor


def router(desk: Desk, queue: Queue, tutor: Tutor, beside_undone: BesideUndone = nullcontext) -> APIRouter:
    """Return the routes; beside_undone: what is kept of answers beside the label log, and taken back with them."""
    routes = APIRouter(prefix="/api", tags=["labels"], responses=REFUSALS)

    @routes.get("/status")
    def status(reviewer: Name | None = None) -> Status:
        """Return how many scans have labels, of which classes, and how good the model is."""
        return status_of(desk, tutor, reviewer)

    @routes.get("/next")
    def upcoming(reviewer: Name, reading: Reading = "first", count: Count = 1) -> Upcoming:
        """Return the scans that a reviewer is to look at next."""
        found = queue.upcoming(reviewer, reading, count)
        return Upcoming(scans=[Waiting(**one._asdict()) for one in found])

    @routes.post("/decisions")
    def decide(decision: Decision) -> Saved:
        """Enter what a person says of scans; once this is answered it is on the disk."""

        def enter() -> Decided:
            if decision.settles and not all(desk.board().disputed[desk.require_row(row)] for row in decision.rows):
                raise CannotNowError("readers no longer disagree on this scan: look at it again")
            note = {"reading": decision.reading} | opinion_then(desk, tutor, decision.rows)
            return desk.decide(decision.rows, decision.said, decision.reviewer, note, settles=decision.settles)

        return saved(desk.once(decision.answer_id, enter))

    @routes.post("/undo")
    def undo(person: Person) -> Undone:
        """Take back what a person did last; asked again, what they did before that."""
        undone = desk.undo(person.reviewer, beside_undone)
        said = undone.said
        return Undone(batch=undone.batch, rows=undone.rows, state=said.state, label=said.label, again=undone.again)

    @routes.post("/skip")
    def skip(skipped: Skip) -> Upcoming:
        """Let a scan come last for a person."""
        queue.skip(skipped.reviewer, desk.require_row(skipped.row))
        return Upcoming(scans=[])

    @routes.post("/classes")
    def add_class(new: NewClass) -> list[str]:
        """Let a class be given from now on; the dataset has it once a scan has it."""
        desk.add_class(new.name)
        return list(desk.classes)

    return routes


def saved(decided: Decided) -> Saved:
    """Return what was entered as an answer."""
    return Saved(batch=decided.batch, rows=decided.rows, state=decided.said.state, label=decided.said.label)


def opinion_then(desk: Desk, tutor: Tutor, rows: list[int]) -> dict[str, Any]:
    """Return what the model says of rows now, as the note of an entry holds it; raises NoSuchThingError for one not there."""
    opinion = tutor.opinion
    if opinion is None:
        return {}
    called = [opinion.best(desk.require_row(row)) for row in rows]
    return {
        "model": [name for name, _ in called],
        "probability": [round(share, 4) for _, share in called],
        "model_labels": opinion.labels,
    }


def status_of(desk: Desk, tutor: Tutor, reviewer: str | None) -> Status:
    """Return where the labeling stands."""
    board, usable = desk.board(), desk.usable
    answered = np.flatnonzero(board.answered & usable)
    held = Counter(np.where(board.labeled[answered], board.labels[answered], board.states[answered]).tolist())
    counts = {name: held[name] for name in (*desk.classes, "unsure", "not a scan")}
    progress, opinion = tutor.progress, tutor.opinion
    accuracy, gain = None, None
    if opinion is not None and opinion.accuracy is not None:
        accuracy = Accuracy(**opinion.accuracy.model_dump(), scans=opinion.scored)
        likely = next_gain(opinion.accuracy, opinion.labels)
        gain = None if likely is None else Gain(labels=MORE, **likely.model_dump())
    model = Model(
        phase=progress.phase,
        looked_at=progress.looked_at,
        words=progress.words,
        labels=None if opinion is None else opinion.labels,
        seconds=None if opinion is None else round(opinion.seconds, 3),
        accuracy=accuracy,
        gain=gain,
    )
    return Status(
        dataset=desk.dataset.folder.resolve().name,
        scans=int(usable.sum()),
        answered=len(answered),
        disputed=int((board.disputed & usable).sum()),
        to_read_again=0 if reviewer is None else len(board.heard_of_others(reviewer)),
        classes=list(desk.classes),
        counts=counts,
        own=0 if reviewer is None else sum(reviewer in said for said in board.voices.values()),
        audited=desk.dataset.description.audit is not None,
        model=model,
        revision=desk.revision,
        news=desk.news,
    )
