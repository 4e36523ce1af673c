"""Bootstrap intervals that respect groups: images that belong together are drawn together."""

from collections.abc import Callable, Collection, Mapping

import numpy as np
import numpy.typing as npt

from fewscan.config import Settings

Rows = npt.NDArray[np.int64]

RESAMPLES = 1000
CONFIDENCE = 0.95


class Interval(Settings):
    """A score with its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def percent(self) -> str:
        """The score as people read it: `84.1 % [79.9, 88.0]`."""
        if self.value is None or self.low is None or self.high is None:
            return "not defined"
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"

    @property
    def points(self) -> str:
        """A difference of shares as people read it: `3.1 points [1.2, 5.0]`."""
        return self.percent.replace(" %", " points")


def bootstrap(
    score: Callable[[Rows], Mapping[str, float]],
    groups: Rows,
    *,
    raised_by_resampling: Collection[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return every score with its percentile interval over groups.

    score: from positions in 0..N-1, with repeats, to named scores. groups: (N,) the group of every position. Each resample
    draws as many groups as there are, with replacement, and takes all their members. raised_by_resampling: names of scores to
    which repeats alone add, as to a calibration error; their intervals are moved down by what they add on average, not below 0.
    Source: Efron 1979; the bias of resampling, and drawing whole clusters: Davison and Hinkley 1997, sections 2.2 and 3.8.
    """
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {}
    for _ in range(resamples):
        positions = np.concatenate([members[number] for number in random.integers(len(members), size=len(members))])
        for name, value in score(positions).items():
            drawn.setdefault(name, []).append(value)
    whole = score(np.arange(len(groups)))
    tail = 100 * (1 - CONFIDENCE) / 2
    return {name: _interval(value, np.array(drawn[name]), tail, name in raised_by_resampling) for name, value in whole.items()}


def _interval(value: float, drawn: npt.NDArray[np.float64], tail: float, raised: bool) -> Interval:
    # A resample that happens to hold no image of a class has no sensitivity for it: such resamples say nothing.
    defined = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(defined):
        return Interval(value=None, low=None, high=None)
    low, high = np.percentile(defined, [tail, 100 - tail])
    if raised:
        low, high = np.maximum(0, np.array([low, high]) - (defined.mean() - value))
    return Interval(value=value, low=float(low), high=float(high))
