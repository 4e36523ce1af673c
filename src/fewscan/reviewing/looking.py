"""The page's interface for scans: what is known of one, and its pictures."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import BoundedSemaphore, Lock

import numpy as np
from fastapi import APIRouter
from fastapi.responses import Response

from fewscan.reviewing.asked import REFUSALS, Name, Related, Row, Scan, Share
from fewscan.reviewing.beside import Lying
from fewscan.reviewing.board import Board, Said
from fewscan.reviewing.desk import CannotNowError, Desk
from fewscan.reviewing.guard import BYTES_TYPE
from fewscan.reviewing.heat import HeatMaps
from fewscan.reviewing.levels import Levels, levels_of_row
from fewscan.reviewing.queue import Reading
from fewscan.reviewing.scans import Scans
from fewscan.reviewing.tutor import Tutor

# Of volumes whose slices are turned over: each holds up to 12 MB of levels.
KEPT_IMAGES = 24
# Each takes a process that reads, whose start takes a second of a core: a rush of requests would start one for each.
READ_AT_ONCE = 2
PNG = "image/png"


def router(desk: Desk, scans: Scans, tutor: Tutor) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/scans", tags=["scans"], responses=REFUSALS)
    kept, heat_maps = _Kept(desk), HeatMaps(desk, tutor)

    @routes.get("/{row}")
    def scan(row: Row, reviewer: Name, reading: Reading = "first") -> Scan:
        """Return what is known of a scan, without what its reviewer is not to know yet."""
        return Look(desk, scans, tutor, reviewer, reading).at(desk.require_row(row))

    @routes.get("/{row}/levels", response_class=Response, responses={200: {"content": {BYTES_TYPE: {}}}})
    def levels(row: Row) -> Response:
        """Return the gray levels or colors of a scan's file, row after row; the header X-Levels says in JSON what they are."""
        found = kept.of(desk.require_row(row))
        return Response(found.content, media_type=BYTES_TYPE, headers={"x-levels": found.head})

    @routes.get("/{row}/heat", response_class=Response, responses={200: {"content": {BYTES_TYPE: {}}}})
    def heat(
        row: Row,
        reviewer: Name,
        reading: Reading = "first",
        label: Name | None = None,
    ) -> Response:
        """Return a scan under colors that say which places speak for a class, by default the one that the model calls."""
        if not Look(desk, scans, tutor, reviewer, reading).may_know_model(desk.require_row(row)):
            raise CannotNowError("you see the model's view of this scan after you answer")
        found = heat_maps.of(row, label)
        return Response(found.content, media_type=BYTES_TYPE, headers={"x-levels": found.head})

    @routes.get("/{row}/thumbnail.png", response_class=Response, responses={200: {"content": {PNG: {}}}})
    def thumbnail(row: Row) -> Response:
        """Return a scan as a small picture."""
        content = scans.thumbnail(desk.require_row(row))
        return Response(content, media_type=PNG, headers={"cache-control": "private, max-age=3600"})

    return routes


class Look:
    """What one reviewer may know, in one reading.

    What another person said of a scan is known to who has said something of it, too, and to who settles. What the model says
    waits for the answer in a second reading, and where a scan was drawn at random, so that it can be scored by the answer; so
    do the labels of the scans most like it, which are as good as a prediction.
    """

    def __init__(self, desk: Desk, scans: Scans, tutor: Tutor, reviewer: str, reading: Reading) -> None:
        self._desk, self._scans, self._tutor = desk, scans, tutor
        self._reviewer, self._reading = reviewer, reading
        self._board: Board = desk.board()

    def at(self, row: int) -> Scan:
        """Return what there is to know of a row."""
        board, facts = self._board, self._desk.facts.iloc[row]
        own = board.own(row, self._reviewer)
        blind = self._is_blind(row)
        shown = self.shown(row)
        settling = self._reading == "settle" and bool(board.disputed[row])
        others = board.others(row, self._reviewer) if own is not None or settling else {}
        return Scan(
            row=row,
            name=self._scans.names[row],
            width_px=int(facts["width_px"]),
            height_px=int(facts["height_px"]),
            blind=blind,
            own=None if own is None else own.words,
            holds=None if shown is None else shown.words,
            others={who: said.words for who, said in others.items()},
            disputed=bool(board.disputed[row]) and (own is not None or settling),
            model=self._model(row) if self.may_know_model(row) else None,
            slices=self._scans.slices(row),
            copies=[] if blind else self._related(row, self._scans.copies(row)),
            same_head=[] if blind else self._related(row, self._scans.same_head(row)),
            nearest=self._nearest(row) if self.may_know_model(row) else [],
        )

    def may_know_model(self, row: int) -> bool:
        """Return whether the reviewer may know what the model says of a row."""
        asked_first = self._board.own(row, self._reviewer) is None and bool(self._desk.sample[row])
        return not self._is_blind(row) and not asked_first

    def _is_blind(self, row: int) -> bool:
        return self._board.own(row, self._reviewer) is None and self._reading == "second"

    def shown(self, row: int) -> Said | None:
        """Return what holds of a row as far as the reviewer may know it: what they or the dataset said."""
        return self._board.known_to(row, self._reviewer)

    def _model(self, row: int) -> list[Share] | None:
        opinion = self._tutor.opinion
        if opinion is None:
            return None
        shares = sorted(opinion.of(row).items(), key=lambda one: -one[1])
        return [Share(label=label, probability=round(share, 4)) for label, share in shares]

    def _nearest(self, row: int) -> list[Related]:
        if self._tutor.seen is None:
            return []
        known = [other for other in np.flatnonzero(self._board.labeled).tolist() if self.shown(other) is not None]
        return self._related(row, self._scans.nearest(row, known, self._tutor.seen.features))

    def _related(self, row: int, others: Sequence[int]) -> list[Related]:
        return [
            Related(
                row=other,
                name=self._scans.names[other],
                said=None if shown is None else shown.words,
                lying=Lying.of(self._desk.turns.between(row, other)),
            )
            for other in others
            for shown in [self.shown(other)]
        ]


class _Kept:
    """The images that were looked at last, since turning over slices asks for them again."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._lock, self._reading = desk, Lock(), BoundedSemaphore(READ_AT_ONCE)
        self._images: OrderedDict[int, Levels] = OrderedDict()

    def of(self, row: int) -> Levels:
        with self._lock:
            if row in self._images:
                self._images.move_to_end(row)
                return self._images[row]
        columns = (self._desk.facts[name] for name in ("source", "path", "pixels_sha256"))
        with self._reading:
            found = levels_of_row(self._desk.dataset, row, *(str(column.iloc[row]) for column in columns))
        with self._lock:
            self._images[row] = found
            while len(self._images) > KEPT_IMAGES:
                self._images.popitem(last=False)
        return found
