"""The page's interface for many scans: those that the model or people call one class, and those on which people differ."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter

from fewscan.reviewing.asked import REFUSALS, Agreement, Called, Count, Grid, Name, Pair, Start
from fewscan.reviewing.desk import Desk, NoSuchThingError
from fewscan.reviewing.readers import LEAST_SCANS, agreement
from fewscan.reviewing.scans import Scans
from fewscan.reviewing.tutor import Tutor

Which = Literal["called", "said"]


def router(desk: Desk, scans: Scans, tutor: Tutor) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api", tags=["many scans"], responses=REFUSALS)

    @routes.get("/grid")
    def grid(
        label: Name,
        reviewer: Name,
        which: Which = "called",
        start: Start = 0,
        count: Count = 60,
    ) -> Grid:
        """Return scans without an answer that the model calls a class, or those that are said to be of it; surest last."""
        if label not in desk.classes:
            raise NoSuchThingError(f"there is no class '{label}'")
        rows, shares = rows_of_class(desk, tutor, label, reviewer, which)
        shown = zip(rows[start : start + count].tolist(), shares[start : start + count].tolist(), strict=True)
        called = [
            Called(row=row, name=scans.names[row], probability=None if np.isnan(share) else round(share, 4))
            for row, share in shown
        ]
        return Grid(scans=called, total=len(rows))

    @routes.get("/agreement")
    def agree() -> Agreement:
        """Return how the people who label agree, two by two, and the scans on which they differ."""
        pairs = [
            Pair(
                one=pair.one,
                other=pair.other,
                both=pair.both,
                same=pair.same,
                **{"kappa": None, "low": None, "high": None}
                if pair.kappa is None
                else {"kappa": pair.kappa.value, "low": pair.kappa.low, "high": pair.kappa.high},
            )
            for pair in agreement(desk.dataset.labels)
        ]
        return Agreement(
            pairs=pairs,
            least_scans=LEAST_SCANS,
            disputed=np.flatnonzero(desk.board().disputed & desk.usable).tolist(),
        )

    return routes


def rows_of_class(
    desk: Desk, tutor: Tutor, label: str, reviewer: str, which: Which
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return rows (n,) and the probability of the class for each, NaN without a model; surest last.

    `called`: without an answer, and called so by the model; scans that score the model are none of these, since who has seen
    what it says cannot be asked any more. `said`: of the class by what the reviewer may know.
    """
    board, opinion = desk.board(), tutor.opinion
    shares = np.full(desk.count, np.nan)
    if opinion is not None and label in opinion.classes:
        shares = opinion.probabilities[:, opinion.classes.index(label)].astype(np.float64)
    if which == "said":
        rows = np.array(
            [row for row in np.flatnonzero(board.labels == label).tolist() if not board.hides(row, reviewer)], np.int64
        )
    elif opinion is None or label not in opinion.classes:
        rows = np.zeros(0, np.int64)
    else:
        called = opinion.probabilities.argmax(axis=1) == opinion.classes.index(label)
        rows = np.flatnonzero(called & desk.eligible & ~desk.sample & ~board.answered)
    rows = rows[np.argsort(shares[rows], kind="stable")]
    return rows, shares[rows]
