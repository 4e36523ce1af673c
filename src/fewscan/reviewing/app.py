"""The page's server as an ASGI application: its parts put together, and every error as an answer with a reason."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from fewscan.errors import FewscanError
from fewscan.reviewing import charting, checking, labeling, looking, many, pages, quality, results, working
from fewscan.reviewing.atlas import Atlas
from fewscan.reviewing.checks import Checks
from fewscan.reviewing.desk import CannotNowError, Desk, NoSuchThingError, NotSavedError
from fewscan.reviewing.door import Door
from fewscan.reviewing.guard import Guard
from fewscan.reviewing.queue import Queue
from fewscan.reviewing.scans import Scans
from fewscan.reviewing.taking import FinishedRuns, Makings
from fewscan.reviewing.training import Trainings
from fewscan.reviewing.tutor import Tutor
from fewscan.version import __version__

STATIC_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Review:
    """All that the page's server works on."""

    desk: Desk
    scans: Scans
    queue: Queue
    tutor: Tutor
    trainings: Trainings
    makings: Makings
    runs: FinishedRuns
    door: Door
    atlas: Atlas


def application(review: Review) -> FastAPI:
    """Return the server of a review."""
    app = FastAPI(
        title="fewscan review",
        version=__version__,
        description="Labels where they matter most. Research use only: not a medical device.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.review = review
    checks = Checks(review.desk, review.scans, review.runs)
    parts = (
        labeling.router(review.desk, review.queue, review.tutor, checks.beside_undone),
        looking.router(review.desk, review.scans, review.tutor),
        many.router(review.desk, review.scans, review.tutor),
        charting.router(review.desk, review.scans, review.tutor, review.atlas),
        quality.router(review.desk, review.scans, review.tutor),
        results.router(review.desk, review.scans, review.tutor, review.runs, review.makings),
        checking.router(review.desk, review.tutor, checks),
        working.router(review.desk, review.tutor, review.trainings),
        pages.router(review.desk, review.door, app.openapi),
    )
    for part in parts:
        # As they are: to include them would build each of their routes a second time.
        app.router.routes.extend(part.routes)
    _serve_files(app)
    _tell_errors(app)
    app.add_middleware(Guard, door=review.door)
    return app


def _serve_files(app: FastAPI) -> None:
    """Serve the package's own files: what a request names never reaches the file system."""
    there = _own_files()

    @app.get("/static/{name}", include_in_schema=False)
    def file(name: str) -> Response:
        suffix = name[name.rfind(".") :]
        if name not in there or suffix not in STATIC_TYPES:
            raise NoSuchThingError("no such file")
        return Response(there[name], media_type=STATIC_TYPES[suffix], headers={"cache-control": "no-cache"})


@cache
def _own_files() -> dict[str, bytes]:
    """Return the package's own files by name: those of the code that runs, also where a newer one was installed meanwhile."""
    shared = files("fewscan.reporting") / "templates" / "drags.js"
    own = files("fewscan.reviewing").joinpath("static").iterdir()
    return {one.name: one.read_bytes() for one in (shared, *own) if one.is_file()}


def _tell_errors(app: FastAPI) -> None:
    statuses = {NoSuchThingError: 404, CannotNowError: 409, NotSavedError: 503, FewscanError: 400}

    async def told(request: Request, error: Exception) -> JSONResponse:
        status = next(status for kind, status in statuses.items() if isinstance(error, kind))
        headers = {"retry-after": "2"} if status == 503 else None
        return JSONResponse({"detail": str(error)}, status, headers=headers)

    for kind in statuses:
        app.add_exception_handler(kind, told)

    @app.exception_handler(RequestValidationError)
    async def refused(request: Request, error: RequestValidationError) -> JSONResponse:
        # Without what was sent: it may be anything, also what JSON cannot hold.
        reasons = [f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in error.errors()[:5]]
        return JSONResponse({"detail": "; ".join(reasons).encode(errors="replace").decode()}, 422)
