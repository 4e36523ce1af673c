"""Intervals of scores that respect groups: images that belong together do not count as independent."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, stdtrit

from fewscan.config import Settings
from fewscan.seeds import stream
from fewscan.splits.support import LEAST_GROUPS

Rows = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]
Score = Callable[[Rows], Mapping[str, float]]

RESAMPLES = 1000
CONFIDENCE = 0.95
UNDEFINED_AT_MOST = 0.1
TOO_FEW_GROUPS = "too few groups for an interval"
LESS_CHANCE = "less what chance adds"  # of scores in `raised_by_resampling`: 0.0 % is then not perfect

_TAIL = (1 - CONFIDENCE) / 2
# How far from a share of N that was never seen to fail the true one may lie, as a part of 1 / N: (1 - x/N)^N = _TAIL.
_NEVER_SEEN = -np.log(_TAIL)
# The outcome that groups say nothing of is taken to come in whole groups: half a group that does weighs in.
_WHOLE_GROUP = 0.5
# A resample raises an error that is chance alone by a factor of sqrt(2), so chance is what it adds, times 1 / (sqrt(2) - 1) or
# 2.4; of an error that is real it adds about what chance did. Between lies the truth; 3 keeps the lower end at its promise.
_CHANCE_AT_MOST, _CHANCE_AT_LEAST = 3.0, 1.0


class Interval(Settings):
    """A score with its 95 % interval; all None if it is not defined, the ends None if there are too few groups."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def percent(self) -> str:
        """The score as people read it: `84.1 % [79.9, 88.0]`."""
        return self.said(100, 1, " %")

    @property
    def points(self) -> str:
        """A difference of shares as people read it: `3.1 points [1.2, 5.0]`."""
        return self.said(100, 1, " points")

    @property
    def decimal(self) -> str:
        """A score that is no share, such as an AUROC, as people read it: `0.951 [0.930, 0.968]`."""
        return self.said(1, 3, "")

    def said(self, factor: float, decimals: int, unit: str) -> str:
        """Return the score and its interval, times `factor`, in words."""
        if self.value is None:
            return "not defined"
        # z: what rounds to nought has no sign.
        value = f"{factor * self.value:z.{decimals}f}{unit}"
        if self.low is None or self.high is None:
            return f"{value} [{TOO_FEW_GROUPS}]"
        return f"{value} [{factor * self.low:z.{decimals}f}, {factor * self.high:z.{decimals}f}]"


NOT_DEFINED = Interval(value=None, low=None, high=None)


def bootstrap(
    score: Score,
    groups: Rows,
    *,
    weights: Mapping[str, Weights] = MappingProxyType({}),
    differences: Collection[str] = (),
    raised_by_resampling: Collection[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return every score with its 95 % interval for other images of the same kind, from other groups.

    score: from positions in 0..N-1, with repeats, to named scores in [0, 1]; NaN where one is not defined, as where a class has
    no image: such resamples are left out, and where there are many the groups are too few. groups: (N,) the group of every
    position. weights: by name, (N,) how much each image counts in a score; all alike in one that is not named. differences:
    names of scores that are differences, in [-1, 1]. raised_by_resampling: names of scores that chance alone raises, as a
    calibration error: value and interval are freed from it.

    The spread of resamples, whole groups drawn with replacement, says how many independent images the images are worth; a share
    gets the exact interval of so many (Clopper and Pearson 1934), so that it keeps a width at 100 %. What groups that never
    differ cannot say is assumed: that they could have failed as a whole. How often these intervals hold the truth:
    `benchmarks/coverage.py`.
    Source: Efron 1979; drawing whole clusters: Davison and Hinkley 1997, section 3.8; exact intervals of clustered shares: Korn
    and Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts".
    """
    random = stream(seed, "bootstrap").numpy()
    names, index = np.unique(groups, return_inverse=True)
    whole = score(np.arange(len(groups)))
    by_group = _drawn(score, np.split(np.argsort(index, kind="stable"), np.cumsum(np.bincount(index))[:-1]), resamples, random)
    alone = len(names) == len(groups)
    by_image = by_group if alone else _drawn(score, np.arange(len(groups))[:, np.newaxis], resamples, random)
    found = {}
    for name, value in whole.items():
        spread = Spread.of(weights.get(name, np.ones(len(groups))), index, by_group[name], by_image[name])
        if not np.isfinite(value):
            found[name] = NOT_DEFINED
        elif name in raised_by_resampling:
            found[name] = _freed_from_chance(value, spread)
        elif spread.too_few:
            found[name] = Interval(value=value, low=None, high=None)
        elif name in differences:
            found[name] = _of_difference(value, spread)
        else:
            found[name] = share_interval(value, spread)
    return found


def _drawn(
    score: Score, members: Sequence[Rows] | Rows, resamples: int, random: np.random.Generator
) -> dict[str, npt.NDArray[np.float64]]:
    """Return every score of resamples that draw as many of the members as there are, with replacement."""
    drawn: dict[str, list[float]] = {}
    sizes = np.array([len(each) for each in members])
    joined, starts = np.concatenate([*members]), np.cumsum(sizes) - sizes
    for _ in range(resamples):
        chosen = random.integers(len(members), size=len(members))
        many = sizes[chosen]
        # The members that were chosen, one after the other.
        positions = joined[np.repeat(starts[chosen] - np.cumsum(many) + many, many) + np.arange(many.sum())]
        for name, value in score(positions).items():
            drawn.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in drawn.items()}


@dataclass(frozen=True)
class Spread:
    """How a score varies over resamples, and what its images can be worth."""

    groups: int  # that count in the score
    undefined: float  # share of resamples of groups in which the score is not defined
    images: float  # so many of the same weight would be worth as much, were all images independent
    whole_groups: float  # the same, were the images of a group all alike
    clarity: float  # as a share of `groups`: so many say how much images of a group are alike
    mean: float  # of resamples of groups
    variance: float  # over resamples of groups
    variance_of_images: float  # over resamples of images

    @classmethod
    def of(cls, weights: Weights, index: Rows, by_group: Weights, by_image: Weights) -> "Spread":
        """Take in a score's weights (N,), the number of each image's group (N,), and its resamples, NaN where not defined."""
        of_groups = np.bincount(index, weights=weights).astype(np.float64)
        counted = int((of_groups > 0).sum())
        undefined = float(1 - np.isfinite(by_group).mean())
        by_group, by_image = by_group[np.isfinite(by_group)], by_image[np.isfinite(by_image)]
        # A resample of G varies less than G new ones by (G - 1) / G.
        return cls(
            groups=counted,
            undefined=undefined,
            images=_kish(weights),
            whole_groups=_kish(of_groups),
            clarity=_kish(np.square(of_groups)) / max(counted, 1),
            mean=float(by_group.mean()) if len(by_group) else np.nan,
            variance=float(by_group.var()) * counted / max(counted - 1, 1) if len(by_group) else np.nan,
            variance_of_images=float(by_image.var()) if len(by_image) else np.nan,
        )

    @property
    def too_few(self) -> bool:
        """Whether the groups, of a class or in all, are too few to say how the score varies."""
        return self.groups < LEAST_GROUPS or self.undefined > UNDEFINED_AT_MOST

    @property
    def most_inflation(self) -> float:
        """By how much the variance grows where the images of a group are all alike; 1 where each is its own group."""
        return self.images / self.whole_groups

    def inflation(self, telling: float) -> float:
        """Return by how much groups raise the variance; `telling` groups say so, and half a group that it is the most."""
        most = self.most_inflation
        if most <= 1 + 1e-9:
            return 1.0
        seen = self.variance / self.variance_of_images if self.variance_of_images > 0 else most
        alike = np.clip((seen - 1) / (most - 1), 0, 1)
        telling = telling * self.clarity
        return float(1 + (most - 1) * (telling * alike + _WHOLE_GROUP) / (telling + _WHOLE_GROUP))

    @property
    def widening(self) -> float:
        """By how much an interval is wider because the variance between groups is an estimate, of so many groups."""
        if self.most_inflation <= 1 + 1e-9:
            return 1.0
        return float(stdtrit(self.groups - 1, 1 - _TAIL) / stdtrit(max(self.images - 1, self.groups - 1), 1 - _TAIL))


def _kish(weights: Weights) -> float:
    """Return how many items of one weight are worth as much as these (Kish 1965)."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def share_interval(value: float, spread: Spread) -> Interval:
    """Return the exact interval of a share of as many independent images as these are worth."""
    images, of_images = spread.images, spread.variance_of_images
    if of_images > 0:
        images = min(images, value * (1 - value) / of_images)
    seen = spread.variance / of_images if of_images > 0 else spread.most_inflation
    rarer = min(value, 1 - value) * spread.images / np.clip(seen, 1, spread.most_inflation)
    worth = images / spread.inflation(min(rarer, spread.groups)) / spread.widening**2
    return _exact(value, worth)


def exact_interval(hits: int, images: int) -> Interval:
    """Return the exact interval of a share of images of which none depends on another (Clopper and Pearson 1934)."""
    return _exact(hits / images, images)


def _exact(value: float, worth: float) -> Interval:
    """Return that of a share of so many independent images."""
    hits, others = value * worth, (1 - value) * worth
    low = 0.0 if hits <= 0 else float(betaincinv(hits, others + 1, _TAIL))
    high = 1.0 if others <= 0 else float(betaincinv(hits + 1, others, 1 - _TAIL))
    return Interval(value=value, low=low, high=high)


def least_if_all_right(groups: Rows) -> float | None:
    """Return where the interval of a share begins if all images are right that it is of; groups: (N,) theirs.

    None where they are too few for an interval.
    """
    index = np.unique(groups, return_inverse=True)[1]
    # Nothing differs in any resample.
    spread = Spread.of(np.ones(len(groups)), index, np.ones(1), np.ones(1))
    return None if spread.too_few else share_interval(1.0, spread).low


def _of_difference(value: float, spread: Spread) -> Interval:
    """Return an interval on both sides of a difference, no narrower than what was never seen can be."""
    variance = max(spread.variance, spread.variance_of_images * spread.inflation(spread.groups))
    half = _half_width(variance, spread)
    return Interval(value=value, low=max(-1.0, value - half), high=min(1.0, value + half))


def _freed_from_chance(value: float, spread: Spread) -> Interval:
    """Return an error, and its interval, without what chance adds to it."""
    added = max(0.0, spread.mean - value)
    middle = max(0.0, value - added * (_CHANCE_AT_MOST + _CHANCE_AT_LEAST) / 2)
    if spread.too_few:
        return Interval(value=middle, low=None, high=None)
    half = _half_width(spread.variance, spread)
    low, high = value - _CHANCE_AT_MOST * added - half, value - _CHANCE_AT_LEAST * added + half
    return Interval(value=middle, low=min(middle, max(0.0, low)), high=min(1.0, max(middle, high)))


def _half_width(variance: float, spread: Spread) -> float:
    widest = stdtrit(spread.groups - 1, 1 - _TAIL) ** 2 * variance + (_NEVER_SEEN / spread.whole_groups) ** 2
    return float(np.sqrt(widest))
