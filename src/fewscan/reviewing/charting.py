"""The page's interface for the map: where scans lie, how they are colored, and those of a cluster that one looks into."""

import json
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fewscan.reviewing.asked import MAX_ROWS, REFUSALS, Name, Person, Row
from fewscan.reviewing.atlas import Atlas, Phase
from fewscan.reviewing.board import Board
from fewscan.reviewing.desk import Desk
from fewscan.reviewing.guard import BYTES_TYPE
from fewscan.reviewing.scans import Scans
from fewscan.reviewing.tutor import Tutor

By = Literal["label", "model", "source"]
Bools = npt.NDArray[np.bool_]
# Positions are whole numbers up to this one, so that a scan takes ten bytes.
FAR = 2**16 - 1
NO_LABEL, NO_MODEL, OTHERS = "no label", "no model yet", "labeled by others: not shown"
JUDGES, MEASURES = "test, validation or left out: not shown", "measures the model: not shown"
DIFFER = "readers disagree"


class Map(BaseModel):
    """How far the map is, and once it is `ready` how scans were placed, in words."""

    phase: Phase
    looked_at: int
    scans: int
    seconds: float
    words: str
    number: int  # another one where the map was made anew


class LookInto(Person):
    """Scans of the map to look into."""

    rows: Annotated[list[Row], Field(min_length=1, max_length=MAX_ROWS)]


class Inside(BaseModel):
    """A scan that is looked into: what is said of it and what the model calls it; None where there is nothing to show."""

    row: int
    name: str
    said: str | None
    called: str | None
    probability: float | None


def router(desk: Desk, scans: Scans, tutor: Tutor, atlas: Atlas) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/map", tags=["map"], responses=REFUSALS)

    @routes.get("")
    def standing() -> Map:
        """Return how far the map is; asked for the first time, it is begun in the background."""
        now = atlas.ask()
        return Map(
            phase=now.phase,
            looked_at=now.looked_at,
            scans=int(desk.usable.sum()),
            seconds=round(now.seconds, 1),
            words=now.words,
            number=now.number,
        )

    @routes.get("/points", response_class=Response, responses={200: {"content": {BYTES_TYPE: {}}}})
    def points() -> Response:
        """Return all rows as uint32, then all x, all y, and the cluster of each, as uint16; X-Points says in JSON how many."""
        chart = atlas.chart
        xy = np.round(chart.placed.xy.T * FAR).astype("<u2")
        content = chart.rows.astype("<u4").tobytes() + xy.tobytes() + chart.clusters.astype("<u2").tobytes()
        return Response(content, media_type=BYTES_TYPE, headers={"x-points": json.dumps({"scans": len(chart.rows)})})

    @routes.get("/colors", response_class=Response, responses={200: {"content": {BYTES_TYPE: {}}}})
    def colors(by: By, reviewer: Name) -> Response:
        """Return which value each of the points has, as uint16, and then whether each can be looked into, as uint8.

        X-Colors says in JSON the names of the values, and how many of the first ones say nothing.
        """
        rows, board = atlas.chart.rows, desk.board()
        names, plain, codes = colored(desk, tutor, board, reviewer, by)
        content = codes[rows].astype("<u2").tobytes() + answerable(desk, board)[rows].astype(np.uint8).tobytes()
        head = json.dumps({"scans": len(rows), "names": names, "plain": plain})
        return Response(content, media_type=BYTES_TYPE, headers={"x-colors": head})

    @routes.post("/scans")
    def look_into(asked: LookInto) -> list[Inside]:
        """Return what is known of scans of the map, without those that cannot be looked into."""
        board = desk.board()
        shown = answerable(desk, board)
        rows = [row for row in asked.rows if shown[desk.require_row(row)]]
        return [inside(scans, tutor, board, asked.reviewer, row) for row in rows]

    return routes


def answerable(desk: Desk, board: Board) -> Bools:
    """Return (N,) which scans many can be answered together: none that judges, none that scores the model and has no answer."""
    return np.asarray(desk.eligible & (board.answered | ~desk.sample), bool)


def unknown(board: Board, reviewer: str, count: int) -> Bools:
    """Return (N,) of which scans others have said something that this reviewer, who has said nothing, is not to know."""
    hidden = np.zeros(count, bool)
    hidden[[row for row in board.voices if board.hides(row, reviewer)]] = True
    return hidden


def colored(desk: Desk, tutor: Tutor, board: Board, reviewer: str, by: By) -> tuple[list[str], int, npt.NDArray[np.int64]]:
    """Return the values that scans are told apart by, how many of the first say nothing, and (N,) which one each scan has."""
    if by == "source":
        sources, names = desk.facts["source"].factorize()
        return [str(name) for name in names], 0, np.asarray(sources, np.int64)
    if by == "label":
        plain = [NO_LABEL, OTHERS, JUDGES]
        # Another process may have entered a class that nobody gave here.
        classes = dict.fromkeys([*desk.classes, *sorted({str(label) for label in board.labels[board.labeled]})])
        names = [*plain, *classes, "unsure", "not a scan", DIFFER]
        values = np.where(board.labeled, board.labels, np.where(board.states == "none", NO_LABEL, board.states))
        values[board.disputed] = DIFFER
        values[unknown(board, reviewer, desk.count)] = OTHERS
    else:
        opinion = tutor.opinion
        plain = [NO_MODEL, MEASURES, JUDGES]
        names = [*plain, *(() if opinion is None else opinion.classes)]
        values = np.full(desk.count, NO_MODEL, object)
        if opinion is not None:
            values = np.array(opinion.classes, object)[opinion.probabilities.argmax(axis=1)]
            values[desk.sample & ~board.answered] = MEASURES
    values[~desk.eligible] = JUDGES
    places = {name: number for number, name in enumerate(names)}
    return names, len(plain), np.array([places[value] for value in values], np.int64)


def inside(scans: Scans, tutor: Tutor, board: Board, reviewer: str, row: int) -> Inside:
    """Return what is known of one scan that many can be answered together with."""
    said, opinion = board.known_to(row, reviewer), tutor.opinion
    called, probability = (None, None) if opinion is None else opinion.best(row)
    return Inside(
        row=row,
        name=scans.names[row],
        said=None if said is None else said.words,
        called=called,
        probability=None if probability is None else round(probability, 4),
    )
