"""The page's interface for checks: labels of a run that were drawn at random are answered blind, and what the answers show."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fewscan.labeling.check import LabelCheck
from fewscan.labeling.checked import ClassCheck
from fewscan.labeling.worth_checking import Choice
from fewscan.labels.teaching import CHECK_READING
from fewscan.reviewing.asked import REFUSALS, Count, Question, Row, RunName, Saved, Start
from fewscan.reviewing.board import Said
from fewscan.reviewing.checks import Checks
from fewscan.reviewing.desk import CannotNowError, Decided, Desk, NoSuchThingError
from fewscan.reviewing.labeling import opinion_then, saved
from fewscan.reviewing.quality_asked import Settle
from fewscan.reviewing.taking import path_of
from fewscan.reviewing.tutor import Tutor
from fewscan.splits.support import TARGET_ERROR

Share = Annotated[float, Field(gt=0, lt=1)]
Score = Annotated[float, Field(ge=0, le=1)]


class ToCheck(BaseModel):
    """A scan that waits for an answer, and the slices of its file; nothing is told of what the run or others say of it."""

    row: int
    name: str
    slices: list[int]


class Check(BaseModel):
    """What the answers so far show of the labels of a run, and the next scans, in the order of the draw.

    labels: those that are checked, of `least_score` and more, among `of_scans`; `expected_wrong`: what share of them the run
    expects to be wrong. others: what could be checked instead, before anything is asked. wrong: of those `checked`, with
    another answer, which `unsure` and `not a scan` are, too. most_wrong: at most so many of all are, with 95 % confidence.
    more: right answers that would show `at_most`; None where too many are wrong.
    too_many: whether so many are wrong that they will hardly show it. by_class: of
    the labels of each class, how many there are, were checked and were wrong. total: scans without an answer. classes: those
    that the run knows. written: whether the table as it stands after the check is there to take.
    """

    scans: list[ToCheck]
    total: int
    classes: list[str]
    of_scans: int
    labels: int
    least_score: float
    expected_wrong: float
    others: list[Choice]
    at_most: float
    checked: int
    wrong: int
    most_wrong: int
    most_wrong_share: float
    shown: bool
    more: int | None
    too_many: bool
    by_class: dict[str, ClassCheck]
    written: bool


class ToShow(Question):
    """The share of wrong labels that is to be shown, and from which score on labels are to be checked where none was yet."""

    at_most: Share = TARGET_ERROR
    least_score: Score | None = None


class CheckAnswer(Settle, ToShow):
    """What a person says of the scan that is to be checked next."""

    rows: Annotated[list[Row], Field(min_length=1, max_length=1)]


def router(desk: Desk, tutor: Tutor, checks: Checks) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/runs/{name}/check", tags=["checks"], responses=REFUSALS)

    @routes.get("")
    def check(
        name: RunName,
        at_most: Share = TARGET_ERROR,
        least_score: Score | None = None,
        start: Start = 0,
        count: Count = 1,
    ) -> Check:
        """Return what the answers show so far, and which scans are to be answered next."""
        return told(desk, checks, name, checks.of(name, at_most, least_score), start, count)

    @routes.post("/answers")
    def answer(name: RunName, asked: CheckAnswer) -> Saved:
        """Enter what a person says of the next scan, into the label log and into what is checked; then it is on the disk."""
        return saved(desk.once(asked.answer_id, lambda: entered(desk, tutor, checks, name, asked)))

    @routes.post("/table")
    def write(name: RunName, asked: ToShow) -> Check:
        """Write the table of labels anew as it stands after the check, once the answers show what is asked for."""
        check = checks.of(name, asked.at_most)
        result = check.result(asked=0)
        if not result.shown:
            raise CannotNowError(f"the answers do not yet show that at most {100 * asked.at_most:g} % of the labels are wrong")
        check.write(path_of(checks.runs.require(desk.dataset, name).folder, "checked"), result)
        return told(desk, checks, name, check)

    @routes.post("/anew")
    def begin_anew(name: RunName, asked: ToShow) -> Check:
        """Begin a new check where the answers that there are are about other labels; they are kept beside it."""
        checks.begin_anew(name, asked.at_most)
        return told(desk, checks, name, checks.of(name, asked.at_most))

    return routes


def told(desk: Desk, checks: Checks, name: str, check: LabelCheck, start: int = 0, count: int = 1) -> Check:
    """Return a check of a run's labels as an answer, with so many of the scans that wait."""
    result, of = check.result(asked=0), checks.scans
    same = (
        "labels", "least_score", "expected_wrong", "at_most", "checked", "wrong", "most_wrong", "most_wrong_share",
        "shown", "more", "too_many",
    )  # fmt: skip
    return Check(
        scans=[ToCheck(row=row, name=of.names[row], slices=of.slices(row)) for row in checks.waiting(check, start, count)],
        total=result.labels - result.checked,
        classes=list(check.classes),
        of_scans=result.scans,
        others=[] if check.answers.cells.rows else list(result.others),
        by_class=result.classes,
        written="checked" in checks.runs.require(desk.dataset, name).files,
        **{field: getattr(result, field) for field in same},
    )


def entered(desk: Desk, tutor: Tutor, checks: Checks, name: str, asked: CheckAnswer) -> Decided:
    """Enter an answer to a check, into the label log and into the check's file.

    Raises NoSuchThingError for a class that the run does not know, CannotNowError where another scan is the next one.
    """
    check, (row,) = checks.of(name, asked.at_most, asked.least_score), asked.rows
    said = asked.said
    if said.label is not None:
        if said.label not in check.classes:
            raise NoSuchThingError(f"the run does not know the class '{said.label}': answer unsure")
        said = Said("label", desk.add_class(said.label))
    begun = {"reading": CHECK_READING, "run": name, "at_most": asked.at_most, "least_score": check.least_score}
    note = begun | opinion_then(desk, tutor, [row])
    return desk.decide([row], said, asked.reviewer, note, beside=checks.beside(check, row, said))
