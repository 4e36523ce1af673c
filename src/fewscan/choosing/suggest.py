"""Which scans to label next, in their order, and why."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from fewscan.choosing.random_sample import random_sample
from fewscan.choosing.scans import Bools, Int64s, Scans
from fewscan.choosing.typical import typical
from fewscan.choosing.uncertain import margin
from fewscan.errors import FewscanError

Strategy = Literal["auto", "typical", "uncertain", "random"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
Kind = Literal["disputed", "random", "typical", "uncertain"]
RANDOM_SHARE = 0.2

# `auto` weighs margins to a power of 1 with so many labels, of 2 with twice as many. No other way was shown to be better
# outside the test set; docs/choosing.md has them.
LABELS_A_POWER = 80
# Among so many times the scans that are asked for, the most uncertain, are those that `uncertain` spreads.
AMONG = 5
# From this margin on a model is said to be unsure: the next class is more than half as likely as the first, or thereabouts.
UNSURE = 0.5


class Suggestion(NamedTuple):
    """A scan to label next."""

    row: int
    kind: Kind
    why: str  # for people


WHY: dict[Kind, str] = {
    "disputed": "readers disagree on it",
    "random": "randomly drawn, to measure the model's accuracy",
    "typical": "typical of similar scans, none of which has a label",
    "uncertain": "the model is unsure of it and of similar scans",
}


def choose(
    scans: Scans,
    count: int,
    *,
    probabilities: npt.NDArray[np.floating] | None = None,
    strategy: Strategy = "auto",
    random_share: float = RANDOM_SHARE,
    seed: int = 0,
) -> list[Suggestion]:
    """Return at most `count` scans to label next, in the order in which to label them; the same ones for the same arguments.

    First what is disputed. Of the others a `random_share` belongs to the random sample, in between the chosen ones, so that
    whoever stops early has its share. Of a group one scan at most is suggested, and of groups that have a label none before all
    groups have one. probabilities: (N, K) what a model says of each scan; without them nothing is uncertain.

    Raises FewscanError for a strategy that is unknown or needs probabilities, and for a share outside [0, 1].
    """
    if strategy not in STRATEGIES:
        raise FewscanError(f"unknown strategy '{strategy}': choose from {', '.join(STRATEGIES)}")
    if strategy == "uncertain" and probabilities is None:
        raise FewscanError("the strategy 'uncertain' needs a model: first label scans of two classes, or give a run")
    if not 0 <= random_share <= 1:
        raise FewscanError(f"the random share must be between 0 and 1, not {random_share:g}")
    disputed = np.flatnonzero(scans.disputed)[:count]
    left = count - len(disputed)
    drawn = _next_of_random_sample(scans, left if strategy == "random" else round(random_share * left), disputed)
    chosen = _chosen(scans, left - len(drawn), np.concatenate([disputed, drawn]), strategy, probabilities, seed)
    mixed = _mixed([(row, "random") for row in drawn.tolist()], chosen)
    return [Suggestion(row, kind, WHY[kind]) for row, kind in [*((row, "disputed") for row in disputed.tolist()), *mixed]]


def answered(scans: Scans) -> Bools:
    """Return (N,) whether nothing more is asked of a scan: it has a label, or is not to be labeled."""
    return ~scans.open


def honest_rows(scans: Scans) -> Int64s:
    """Return the labeled rows that nobody chose: a model that has not learned from them is as good as it is on these.

    An estimate holds each of them out with its group: see `random_sample`. They stand for groups, each counting once.
    """
    rows = random_sample(scans.random_order, answered(scans))
    return rows[scans.labels[rows] >= 0]


def _next_of_random_sample(scans: Scans, count: int, without: Int64s) -> Int64s:
    waiting = scans.random_order[scans.open[scans.random_order]]
    return waiting[~np.isin(scans.groups[waiting], scans.groups[without])][:count]


def _chosen(
    scans: Scans,
    count: int,
    without: Int64s,
    strategy: Strategy,
    probabilities: npt.NDArray[np.floating] | None,
    seed: int,
) -> list[tuple[int, Kind]]:
    """Return rows of groups other than those of `without`, and why each; groups that have a label come last.

    Candidates weigh their margin to a power that grows with the labels: what few labels make a model unsure of is chance.
    """
    labeled, rows = scans.labeled, without[:0]
    unsure = np.zeros(len(scans.labels)) if probabilities is None else margin(probabilities)
    weights = None
    if strategy == "uncertain":
        labeled = labeled[:0]  # however near to a label
    elif strategy == "auto" and probabilities is not None:
        weights = unsure ** (len(labeled) / LABELS_A_POWER)
    for candidates in _candidates(scans, without):
        left = count - len(rows)
        if strategy == "uncertain":
            candidates = candidates[np.argsort(-unsure[candidates], kind="stable")[: AMONG * left]]
        taken = np.concatenate([labeled, without, rows])
        rows = np.concatenate([rows, typical(scans.points, taken, candidates, left, seed, weights)])
    asks_a_model = strategy == "uncertain" or weights is not None
    return [(row, "uncertain" if asks_a_model and unsure[row] >= UNSURE else "typical") for row in rows.tolist()]


def _candidates(scans: Scans, taken: Int64s) -> tuple[Int64s, Int64s]:
    """Return one open row of every group that has no row in `taken`: of groups without a label, and of those with one."""
    rows = np.flatnonzero(scans.open & ~np.isin(scans.groups, scans.groups[taken]))
    rows = np.sort(rows[np.unique(scans.groups[rows], return_index=True)[1]])
    labeled = np.isin(scans.groups[rows], scans.groups[scans.labeled])
    return rows[~labeled], rows[labeled]


def _mixed(drawn: Sequence[tuple[int, Kind]], chosen: Sequence[tuple[int, Kind]]) -> list[tuple[int, Kind]]:
    """Return both, the drawn ones evenly among the chosen ones."""
    places = [
        ((2 * number + 1) / (2 * len(each)), of, each[number])
        for of, each in enumerate((chosen, drawn))
        for number in range(len(each))
    ]
    return [one for _, _, one in sorted(places, key=lambda place: place[:2])]
