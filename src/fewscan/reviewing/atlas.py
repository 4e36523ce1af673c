"""The map of all scans, made in the background once somebody asks for it, and kept in the dataset."""

import time
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Literal

import numpy as np
import numpy.typing as npt

from fewscan.errors import FewscanError
from fewscan.mapping.clusters import clusters
from fewscan.mapping.coordinates import Coordinates
from fewscan.mapping.kept import kept_coordinates
from fewscan.reviewing.desk import CannotNowError, Desk
from fewscan.reviewing.seeing import Seen
from fewscan.reviewing.tutor import Tutor

Int64s = npt.NDArray[np.int64]
Phase = Literal["looking", "placing", "ready", "failed"]


@dataclass(frozen=True)
class Chart:
    """Where the usable scans `rows` (M,) lie, and the cluster of each (M,), by what was `seen` of them."""

    seen: Seen
    rows: Int64s
    placed: Coordinates
    clusters: npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Making:
    """How far the map is: `looking` at scans, `looked_at` so far; `placing` them since `seconds`; or why it failed."""

    phase: Phase
    looked_at: int = 0
    seconds: float = 0.0
    words: str = ""
    number: int = 0  # of the map that is there, 0 for none


class Atlas:
    """The newest map of a desk's scans, by the features that the page's model goes by."""

    def __init__(self, desk: Desk, tutor: Tutor) -> None:
        self._desk, self._tutor = desk, tutor
        self._lock = Lock()
        self._chart: Chart | None = None
        self._begun: float | None = None  # when the one that is being made was begun
        self._tried: Seen | None = None  # what the newest one was to be made of
        self._failed, self._number = "", 0

    @property
    def chart(self) -> Chart:
        """The map; raises CannotNowError before there is one."""
        if self._chart is None:
            raise CannotNowError("the map is not ready yet: /api/map tells how far it is")
        return self._chart

    def ask(self) -> Making:
        """Return how far the map is; where none is made of what the model sees now, that is begun."""
        looking, seen = self._tutor.progress, self._tutor.seen
        if seen is None:
            failed = looking.phase == "failed"
            return Making("failed" if failed else "looking", looking.looked_at, words=looking.words)
        with self._lock:
            if self._begun is not None:
                return Making("placing", self._desk.count, time.monotonic() - self._begun)
            if self._tried is not seen:
                self._begun, self._tried, self._failed = time.monotonic(), seen, ""
                Thread(target=self.make, args=[seen], name="atlas", daemon=True).start()
                return Making("placing", self._desk.count)
        if self._failed:
            return Making("failed", self._desk.count, words=self._failed)
        return Making("ready", self._desk.count, words=self.chart.placed.way, number=self._number)

    def make(self, seen: Seen) -> None:
        """Make the map of what was seen, or find it in the dataset's folder."""
        try:
            rows = np.flatnonzero(self._desk.usable)
            if not len(rows):
                raise FewscanError("there are no usable scans, so there is no map")
            placed = kept_coordinates(self._desk.dataset.folder, seen.features[rows])
            self._chart = Chart(seen, rows, placed, clusters(placed.xy))
            self._number += 1
        except FewscanError as error:
            self._failed = str(error)
        except Exception:
            self._failed = "a fault in fewscan prevented the map: the terminal shows the error"
            raise
        finally:
            with self._lock:
                self._begun = None
