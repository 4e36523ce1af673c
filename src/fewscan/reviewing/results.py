"""The page's interface for results: finished runs, what can be taken away of them, and labels that they contradict."""

from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from fewscan.datasets.trainings import news
from fewscan.labels.teaching import SUSPECT_READING, confirmed
from fewscan.models.graphs import onnx_lacks
from fewscan.reviewing.asked import REFUSALS, Accuracy, Count, Nothing, Question, RunName, Saved, Start
from fewscan.reviewing.desk import CannotNowError, Decided, Desk, NoSuchThingError
from fewscan.reviewing.guard import BYTES_TYPE
from fewscan.reviewing.labeling import opinion_then, saved
from fewscan.reviewing.quality_asked import Settle
from fewscan.reviewing.sandboxed import SANDBOX
from fewscan.reviewing.scans import Scans
from fewscan.reviewing.taking import (
    FileName,
    FinishedRun,
    FinishedRuns,
    Making,
    Makings,
    What,
    path_of,
    read_suspects,
    suspects_words,
)
from fewscan.reviewing.tutor import Tutor
from fewscan.splits.support import TARGET_ERROR

_TYPES = {".html": "text/html; charset=utf-8", ".csv": "text/csv; charset=utf-8", ".md": "text/plain; charset=utf-8"}


class RunTold(BaseModel):
    """A finished run: its score where it has one, the files there are, and whether the page's model sees as it does.

    news: which labels and scans it does not know, in words; None for none.
    """

    name: str
    method: str
    classes: list[str]
    started: str
    score: str | None
    accuracy: Accuracy | None
    files: list[FileName]
    labels_begun: bool
    in_use: bool
    news: str | None


class Runs(BaseModel):
    """Finished runs of the dataset, newest first. onnx_lacks: why no ONNX file can be written here, None where one can."""

    runs: list[RunTold]
    onnx_lacks: str | None


class MakingTold(BaseModel):
    """What is being made in the background: `done` of `total`, 0 where nobody knows."""

    phase: str
    what: str | None
    run: str
    done: int
    total: int
    unit: str
    words: str


class Make(Question):
    """What to make of a run; anew: also where it was made before; target_error: of labels, the error among accepted ones."""

    run: RunName
    what: What
    anew: bool = False
    target_error: Annotated[float, Field(gt=0, lt=1)] = TARGET_ERROR


class Doubt(BaseModel):
    """A label that held-out predictions contradict, with the probabilities of the label and of what was predicted.

    copies: rows of its copies with that label that are in doubt, too, which one answer settles. given_for: what the label was
    given for, such as a whole study; empty for the single scan.
    """

    row: int
    copies: list[int]
    name: str
    label: str
    predicted: str
    label_probability: float
    predicted_probability: float
    given_for: str


class Doubts(BaseModel):
    """Labels in doubt of which nobody has said anything since, or confirmed them in an earlier check; `checked`: when (UTC).

    words: what `fewscan labels suspects` said of all of them, whether they say anything among it.
    """

    scans: list[Doubt]
    total: int
    answered: int
    checked: str | None
    words: list[str]


def router(desk: Desk, scans: Scans, tutor: Tutor, runs: FinishedRuns, makings: Makings) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api", tags=["results"], responses=REFUSALS)
    _making_routes(routes, desk, runs, makings)
    _doubt_routes(routes, desk, scans, tutor, runs)

    @routes.get("/runs")
    def finished_runs() -> Runs:
        """Return the finished runs of this dataset, with what there is to take away of each."""
        finished, now = runs.of(desk.dataset), desk.dataset.unsplit()
        found = [run_told(run, makings, tutor, news(desk.dataset, now, run.identity)) for run in finished]
        return Runs(runs=found, onnx_lacks=onnx_lacks())

    @routes.get("/runs/{name}/files/{file}", response_class=Response, responses={200: {"content": {BYTES_TYPE: {}}}})
    def file_of_run(name: RunName, file: FileName) -> Response:
        """Return a file of a run: its report to look at, tables, models and their cards to keep."""
        run = runs.require(desk.dataset, name)
        path = path_of(run.folder, file)
        if not path.is_file():
            raise NoSuchThingError("this file is not made yet")
        if path.suffix == ".html":
            return FileResponse(path, media_type=_TYPES[".html"], headers=SANDBOX)
        kind = "inline" if path.suffix == ".md" else "attachment"
        return FileResponse(
            path, media_type=_TYPES.get(path.suffix, BYTES_TYPE), filename=path.name, content_disposition_type=kind
        )

    return routes


def _making_routes(routes: APIRouter, desk: Desk, runs: FinishedRuns, makings: Makings) -> None:
    @routes.get("/making")
    def making() -> MakingTold:
        """Return how far what is being made in the background is."""
        return making_told(makings.now)

    @routes.post("/making")
    def make(asked: Make) -> MakingTold:
        """Score a run, write its report, label all unlabeled scans, check labels, or export it; one at a time."""
        run = runs.require(desk.dataset, asked.run)
        makings.start(run, asked.what, anew=asked.anew, target_error=asked.target_error)
        return making_told(makings.now)

    @routes.post("/making/cancel")
    def cancel(nothing: Nothing) -> MakingTold:
        """Cancel it; labels that were begun can be gone on with."""
        makings.cancel()
        return making_told(makings.now)


def _doubt_routes(routes: APIRouter, desk: Desk, scans: Scans, tutor: Tutor, runs: FinishedRuns) -> None:
    @routes.get("/runs/{name}/suspects")
    def suspects(name: RunName, start: Start = 0, count: Count = 20) -> Doubts:
        """Return the labels that a run's held-out predictions contradict, without those that somebody has answered since."""
        return doubts(desk, scans, runs.require(desk.dataset, name), start, count)

    @routes.post("/runs/{name}/suspects/settle")
    def settle(name: RunName, asked: Settle) -> Saved:
        """Enter what goes for labels in doubt, also where that is the same label: somebody has looked."""

        def enter() -> Decided:
            known = {int(line["row"]) for line in read_suspects(runs.require(desk.dataset, name)) or ()}
            if not known.issuperset(asked.rows):
                raise CannotNowError("these labels are not among those in doubt")
            note = {"reading": SUSPECT_READING, "run": name} | opinion_then(desk, tutor, asked.rows)
            return desk.decide(asked.rows, asked.said, asked.reviewer, note, settles=True)

        return saved(desk.once(asked.answer_id, enter))


def run_told(run: FinishedRun, makings: Makings, tutor: Tutor, since: str | None) -> RunTold:
    """Return a run as an answer."""
    found = run.accuracy
    return RunTold(
        name=run.folder.name,
        method=run.method,
        classes=list(run.classes),
        started=run.started,
        score=run.score,
        accuracy=None if found is None else Accuracy(value=found.value, low=found.low, high=found.high, scans=0),
        files=list(run.files),
        labels_begun=makings.unfinished(run),
        in_use=tutor.sees_as(run.folder),
        news=since,
    )


def making_told(making: Making) -> MakingTold:
    """Return what is being made as an answer."""
    return MakingTold(**asdict(making))


def doubts(desk: Desk, scans: Scans, run: FinishedRun, start: int, count: int) -> Doubts:
    """Return what is in doubt still, the worst first.

    What was entered since the table was written answers it, and who looked at that very label in an earlier check.
    """
    lines = read_suspects(run)
    if lines is None:
        return Doubts(scans=[], total=0, answered=0, checked=None, words=[])
    written = datetime.fromtimestamp(path_of(run.folder, "suspects").stat().st_mtime, UTC).isoformat(timespec="milliseconds")
    entries = desk.dataset.labels.entries([int(line["row"]) for line in lines])
    holding = entries[~entries["undone"] & entries["undoes"].isna()]
    since = set(holding.loc[holding["at"] > written, "row"])
    looked_at = confirmed(entries)
    left = [line for line in lines if line["row"] not in since and (line["row"], line["label"]) not in looked_at]
    sets = defaultdict(list)
    for line in left:
        sets[line["first"]].append(line)
    shown = [
        Doubt(
            row=int(line["row"]),
            copies=[int(copy["row"]) for copy in copies],
            name=scans.names[int(line["row"])],
            label=line["label"],
            predicted=line["predicted"],
            label_probability=float(line["label_probability"]),
            predicted_probability=float(line["predicted_probability"]),
            given_for=str(line.get("given_for", "")),  # no column of a table from before 2026-11-30
        )
        for line, *copies in list(sets.values())[start : start + count]
    ]
    words = suspects_words(run)
    answered = len({line["first"] for line in lines}) - len(sets)
    return Doubts(scans=shown, total=len(sets), answered=answered, checked=written, words=words)
