"""The page's interface for data quality: copies and conflicts of the audit, and images that were set aside."""

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from fewscan.auditing.audit import AUDIT_FILE
from fewscan.auditing.result import result_of, suspects_in
from fewscan.datasets import judging
from fewscan.reporting.audit_page import write_audit_page
from fewscan.reviewing import aside, pairing
from fewscan.reviewing.asked import CANNOT_BE, REFUSALS, Count, Name, Row, Saved, Start
from fewscan.reviewing.desk import Decided, Desk, NoSuchThingError
from fewscan.reviewing.labeling import opinion_then, saved
from fewscan.reviewing.looking import PNG, Look
from fewscan.reviewing.overlay import Overlay, overlay_of
from fewscan.reviewing.quality_asked import (
    Aside,
    AuditedAs,
    Conflicts,
    PairLook,
    Pairs,
    PairSaved,
    PairVerdict,
    ScanVerdict,
    Settle,
    TakeBack,
    TakenBack,
    WhichPairs,
)
from fewscan.reviewing.sandboxed import SANDBOX
from fewscan.reviewing.scans import Scans
from fewscan.reviewing.tutor import Tutor

PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {PNG: {}}}}
KEPT_OVERLAYS = 64


def router(desk: Desk, scans: Scans, tutor: Tutor) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api", tags=["data quality"], responses=REFUSALS)
    _pair_routes(routes, desk, scans, tutor)
    _conflict_routes(routes, desk, scans, tutor)
    _aside_routes(routes, desk, scans)

    @routes.get("/quality")
    def overview() -> AuditedAs:
        """Return whether the dataset is audited, and how much of what it found there is to look at."""
        audited = desk.dataset.description.audit is not None
        left = {"aside": len(aside.set_aside(desk, scans)), "probable": len(aside.probable(desk, scans))}
        return AuditedAs(
            audited=audited,
            pairs=pairing.counts_of(pairing.pairs_by_kind(desk)) if audited else {},
            conflicts=len(pairing.conflicting_sets(desk)) if audited else 0,
            aside=left,
        )

    @routes.get("/audit.html", response_class=HTMLResponse, responses=CANNOT_BE)
    def audit_page() -> HTMLResponse:
        """Return the page about the audit, with what people have said of its pairs by now."""
        return HTMLResponse(_audit_page(desk), headers=SANDBOX)

    return routes


def _pair_routes(routes: APIRouter, desk: Desk, scans: Scans, tutor: Tutor) -> None:
    overlays = lru_cache(KEPT_OVERLAYS)(lambda a, b: overlay_of(desk.dataset.pixels[a], desk.dataset.pixels[b]))

    def laid(row_a: int, row_b: int) -> Overlay | None:
        found: Overlay | None = overlays(desk.require_row(row_a), desk.require_row(row_b))
        return found

    @routes.get("/pairs")
    def pairs(
        reviewer: Name,
        which: WhichPairs = "open",
        of: Row | None = None,
        start: Start = 0,
        count: Count = 20,
    ) -> Pairs:
        """Return the audit's pairs that nobody has judged, the least similar first; or those that were.

        `certain` ones have the same pixels, and are not judged. With `of`, a row, all others of its set of copies.
        """
        if of is not None:
            desk.require_row(of)
        look = Look(desk, scans, tutor, reviewer, "first")
        return pairing.shown_pairs(desk, scans, look, which, of, start, count)

    @routes.get("/pairs/{row_a}/{row_b}")
    def pair_look(row_a: Row, row_b: Row) -> PairLook:
        """Return how two images differ once one is laid over the other."""
        found = laid(row_a, row_b)
        if found is None:
            return PairLook(words=[], difference=None)
        return PairLook(words=list(found.words), difference=round(found.difference, 2))

    @routes.get("/pairs/{row_a}/{row_b}/overlay.png", response_class=Response, responses=PICTURE)
    def overlay(row_a: Row, row_b: Row) -> Response:
        """Return one image laid over another: gray where they are the same, orange and blue where they differ."""
        found = laid(row_a, row_b)
        if found is None:
            raise NoSuchThingError("these two scans are too different to overlay")
        return Response(found.png, media_type=PNG)

    @routes.post("/pairs/decisions")
    def judge(said: PairVerdict) -> PairSaved:
        """Enter what a person says of a pair; once this is answered it is on the disk, and later audits honor it."""
        pairing.require_audit(desk.dataset)
        low, high = sorted((desk.require_row(said.row_a), desk.require_row(said.row_b)))
        ties = judging.judge(desk.dataset, low, high, said.verdict, who=said.reviewer)
        return PairSaved(pairs=[(low, high)], verdict=said.verdict, words=ties.words(low, high))

    @routes.post("/pairs/scan")
    def judge_scan(said: ScanVerdict) -> PairSaved:
        """Take a scan out of its set of copies, by all its pairs that can be dissolved; or take that back."""
        pairing.require_audit(desk.dataset)
        row = desk.require_row(said.row)
        found = judging.judge_scan(desk.dataset, row, said.verdict, who=said.reviewer)
        words = f"{len(found)} {'pair' if len(found) == 1 else 'pairs'} of scan {row}"
        return PairSaved(pairs=found, verdict=said.verdict, words=words)


def _conflict_routes(routes: APIRouter, desk: Desk, scans: Scans, tutor: Tutor) -> None:
    @routes.get("/conflicts")
    def conflicts(start: Start = 0, count: Count = 20) -> Conflicts:
        """Return sets of copies whose labels contradict each other: at least one is wrong."""
        sets = pairing.conflicting_sets(desk)
        return Conflicts(
            sets=[pairing.conflict_set(desk, scans, rows) for rows in sets[start : start + count]], total=len(sets)
        )

    @routes.post("/conflicts/settle")
    def settle(asked: Settle) -> Saved:
        """Enter what goes for copies that contradict each other, whoever said something else."""

        def enter() -> Decided:
            for row in asked.rows:
                desk.require_row(row)
            pairing.require_conflict(desk, asked.rows)
            note = {"reading": "copies"} | opinion_then(desk, tutor, asked.rows)
            return desk.decide(asked.rows, asked.said, asked.reviewer, note, settles=True)

        return saved(desk.once(asked.answer_id, enter))


def _aside_routes(routes: APIRouter, desk: Desk, scans: Scans) -> None:
    @routes.get("/aside")
    def left_out(which: Literal["aside", "probable"] = "aside", start: Start = 0, count: Count = 60) -> Aside:
        """Return images that take no part, with the reason; or those that the audit takes for no scans, and that still do."""
        both = {"aside": aside.set_aside(desk, scans), "probable": aside.probable(desk, scans)}
        found = both[which]
        return Aside(scans=found[start : start + count], total=len(found), counts={name: len(of) for name, of in both.items()})

    @routes.post("/aside/back")
    def take_back(asked: TakeBack) -> TakenBack:
        """Undo the entries that say that a scan is none; what was said of it before holds again."""
        return aside.take_back(desk, desk.require_row(asked.row), asked.reviewer)

    @routes.get("/aside/{row}/picture.png", response_class=Response, responses=PICTURE)
    def picture(row: Row) -> Response:
        """Return an image that was set aside as it came, where its file can be read."""
        return Response(aside.picture(desk, row), media_type=PNG)


def _audit_page(desk: Desk) -> str:
    pairing.require_audit(desk.dataset)
    dataset, audit = desk.dataset, desk.dataset.description.audit
    assert audit is not None
    now, pairs = dataset.snapshot(), dataset.pairs
    suspects = suspects_in(dataset.folder / AUDIT_FILE, audit.rows)
    result = result_of(now, pairs, audit, suspects, dataset.decided(pairs))
    with TemporaryDirectory(prefix="fewscan-") as folder:
        return write_audit_page(now, result, Path(folder) / "audit.html").read_text(encoding="utf-8")
