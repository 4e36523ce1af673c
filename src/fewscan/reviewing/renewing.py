"""The review of a dataset that changes on disk while the page is open: scans that were added, an audit, a split, pairs judged.

Row numbers stay for ever, so what a browser holds stays right. The whole review is made anew beside the old one, which answers
meanwhile; then the new one takes its place.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event, Lock, Thread

from starlette.types import ASGIApp, Receive, Scope, Send

from fewscan.datasets.dataset import DATASET_FILE, Dataset
from fewscan.datasets.pair_decisions import PAIR_DECISIONS_FILE
from fewscan.errors import FewscanError
from fewscan.progress import say
from fewscan.reviewing.apart import Apart
from fewscan.reviewing.app import Review
from fewscan.reviewing.atlas import Atlas
from fewscan.reviewing.queue import Queue
from fewscan.reviewing.scans import Scans
from fewscan.reviewing.training import Made
from fewscan.reviewing.tutor import Tutor
from fewscan.wording import counted, listed

EVERY_SECONDS = 1.0
# Whoever writes a dataset writes its description more than once.
SETTLED_SECONDS = 2.0
Stamp = tuple[tuple[int, int], ...]


@dataclass
class Renewing:
    """An ASGI application: a review, made anew by `look` when its dataset has changed and stayed so for `settled_seconds`."""

    review: Review
    application: Callable[[Review], ASGIApp]
    settled_seconds: float = SETTLED_SECONDS
    _stop: Event = field(default_factory=Event)
    _looking: Lock = field(default_factory=Lock)
    _apart: Apart = field(default_factory=Apart)

    def __post_init__(self) -> None:
        """Begin with the review as it is."""
        self._app = self.application(self.review)
        self._known = self._changed = _stamp(self.review.desk.dataset)
        self._since = 0.0
        self._watching = Thread(target=self._watch, name="renewing", daemon=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the review of now."""
        await self._app(scope, receive, send)

    def start(self) -> None:
        """Learn from labels, and look now and then whether the dataset has changed, until `stop`."""
        self._apart.begin()
        self.review.tutor.start(self._apart)
        self._watching.start()

    def stop(self) -> None:
        """Look no more, learn no more, and end what runs in the background; threads that are at work go on for a while."""
        self._stop.set()
        self.review.tutor.stop()
        self._apart.end()
        self.review.trainings.close()
        self.review.makings.close()

    def look(self) -> bool:
        """Return whether the dataset had changed, and the review was made anew."""
        with self._looking:
            if self.review.trainings.is_preparing:
                return False
            stamp = _stamp(self.review.desk.dataset)
            if stamp == self._known:
                return False
            if stamp != self._changed:
                self._changed, self._since = stamp, time.monotonic()
            if time.monotonic() - self._since < self.settled_seconds:
                return False
            try:
                review = renewed(self.review)
                app = self.application(review)
            except FewscanError as error:
                say(f"the page still uses the dataset as it was: {error}")
                self._known = stamp
                return False
            old, self.review, self._app, self._known = self.review, review, app, stamp
            old.tutor.stop()
            return True

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            if self.look():
                self.review.tutor.start(self._apart)


def renewed(old: Review) -> Review:
    """Return a review of the same dataset as it is on disk now; what goes on in the background goes on."""
    before = old.desk.dataset
    dataset = Dataset.open(before.folder)
    news = news_of(before, dataset, old.trainings.made)
    revision = old.desk.revision + bool(news)
    desk = replace(old.desk, dataset=dataset, asked=old.desk.classes, revision=revision, news=news or old.desk.news)
    tutor = Tutor(desk, old.tutor.encoder)
    if old.tutor.seen is not None and dataset.images.chain == before.images.chain:
        tutor.take(old.tutor.seen)
    queue = Queue(desk, tutor.order, _skipped=old.queue.skipped)
    old.trainings.desk, old.trainings.tutor, old.makings.desk = desk, tutor, desk
    return replace(old, desk=desk, scans=Scans(desk), queue=queue, tutor=tutor, atlas=Atlas(desk, tutor))


def news_of(before: Dataset, now: Dataset, own: Sequence[Made] = ()) -> str:
    """Return in words what others have changed of a dataset, "" where only pairs were judged.

    own: audits and splits that the page's own trainings made, and have told of.
    """
    found = []
    if more := now.images.rows - before.images.rows:
        found.append(counted(more, "new image"))
    if now.description.audit not in (before.description.audit, *own):
        found.append("a new audit")
    drawn = [split.name for split in now.description.splits if split not in (*before.description.splits, *own)]
    if drawn:
        found.append(f"the new split {listed(drawn)}")
    return listed(found) if found else ""


def _stamp(dataset: Dataset) -> Stamp:
    found = []
    for name in (DATASET_FILE, PAIR_DECISIONS_FILE):
        try:
            about = (dataset.folder / name).stat()
            found.append((about.st_mtime_ns, about.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)
