"""Which groups test: a group is dealt out whole, and the images that a part holds are taken from its groups afterwards."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp

from fewscan.splits.support import LEAST_GROUPS

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# How far from the best deal a search may stop: that a deal can be made at all is exact whatever this is.
_GAP = 0.02
# A class tests on LEAST_GROUPS if that takes no more than a third of its groups and, beyond the second one, a tenth more labels
# at most: others are worth more to learn from.
_MOST_TAKEN = 3
_MORE_LABELS = 1.1


@dataclass(frozen=True)
class Groups:
    """Groups in the order in which they are dealt out: how many images of each class they hold, (G, K)."""

    labeled: Int64s
    distinct: Int64s  # those that may test, a set of copies counted once


def shared(count: int, sizes: Int64s, room: Int64s) -> Int64s:
    """Share `count` among K classes in proportion to their `sizes`, no class more than its `room`.

    Where it can be, every class that has room gets one at least. Comes to less than `count` where the room does.
    """
    shares = np.zeros(len(sizes), np.int64)
    while (left := count - int(shares.sum())) > 0 and (open_ := shares < room).any():
        shares[open_] += _proportional(left, sizes[open_])
        shares = np.minimum(shares, room)
    return shares


def deal_test(groups: Groups, test: int, budget: int, sizes: Int64s, *, look: bool) -> Bools | None:
    """Return (G,) which groups test so that they hold `test` distinct images and the others `budget` labels, or None.

    Every class keeps a group to learn from. The test set is to hold the classes in proportion to their `sizes` (K,), and with
    `look` the budget, too. Groups are taken in their order where that gives the sizes; where groups are few or large it may
    not, and then the deal that comes nearest is searched for. None is returned only where no deal gives the sizes. Where a
    large group would test most of a class alone, smaller ones do.
    """
    if int(groups.labeled.sum()) < test + budget:
        return None
    wanted = shared(test, sizes, _room(groups))
    fits = wanted.sum() == test
    dealt = _in_order(groups, wanted, budget, np.zeros_like(wanted)) if fits else None
    if dealt is None:
        dealt = _searched(groups, test, budget, wanted, look=look)
    return _spread(groups, dealt, wanted, budget) if fits and dealt is not None else dealt


def _spread(groups: Groups, dealt: Bools, wanted: Int64s, budget: int) -> Bools:
    """Return a deal whose test images of a class are of more groups, where `dealt` (G,) has fewer than an interval needs."""
    least = np.minimum(np.minimum(wanted, LEAST_GROUPS), (groups.labeled > 0).sum(axis=0) // _MOST_TAKEN)
    testing = (groups.distinct[dealt] > 0).sum(axis=0)
    few = testing < least
    if not few.any():
        return dealt
    other = _in_order(groups, wanted, budget, np.where(few, least, 0))
    if other is None or (np.minimum((groups.distinct[other] > 0).sum(axis=0), least) < np.minimum(testing, least)).any():
        return dealt
    labels = groups.labeled.sum(axis=1)
    # One group does not speak for a class.
    cheap = labels[other].sum() <= _MORE_LABELS * labels[dealt].sum()
    return other if cheap or (testing[few] < 2).any() else dealt


def _room(groups: Groups) -> Int64s:
    """Return (K,) more distinct images of each class than can test while the class keeps a group, or as many."""
    holding = groups.labeled > 0
    least: Int64s = np.where(holding, groups.distinct, groups.distinct.sum() + 1).min(axis=0, initial=groups.distinct.sum() + 1)
    room: Int64s = np.maximum(groups.distinct.sum(axis=0) - least, 0)
    return room


def _in_order(groups: Groups, wanted: Int64s, budget: int, least: Int64s) -> Bools | None:
    """Take groups in their order, whole ones first, for as long as their images are wanted; None where that is not enough.

    least: (K,) of how many groups at least the images of each class are to be, all of them giving about as many.
    """
    share, others = -(-wanted // np.maximum(least, 1)), least.copy()
    left = wanted.copy()
    keeping = (groups.labeled > 0).sum(axis=0)
    rest = int(groups.labeled.sum())
    dealt = np.zeros(len(groups.labeled), bool)
    for cut in (False, True):
        for number in np.flatnonzero(~dealt & groups.distinct.any(axis=1)).tolist():
            if not left.any():
                return dealt
            members, holds = groups.distinct[number], groups.labeled[number] > 0
            kept = np.minimum(np.minimum(members, share), left - np.maximum(others - 1, 0))
            size = int(groups.labeled[number].sum())
            if (kept.any() if cut else (kept == members).all()) and rest - size >= budget and (keeping[holds] > 1).all():
                dealt[number] = True
                left -= kept
                others -= kept > 0
                keeping -= holds
                rest -= size
    return None if left.any() else dealt


def _searched(groups: Groups, test: int, budget: int, wanted: Int64s, *, look: bool) -> Bools | None:
    """Return the deal that gives the sizes and holds the classes nearest to their proportion; None where none gives the sizes.

    An integer program: which groups test, and of each class how many of the images wanted for the test set and for the budget
    there are.
    """
    count, classes = groups.labeled.shape
    labeled, distinct = groups.labeled.sum(axis=1), groups.distinct.sum(axis=1)
    spare = int(labeled.sum()) - budget
    if spare < test or distinct.sum() < test:
        return None
    of_class = groups.labeled.sum(axis=0)
    asked = shared(budget, of_class, of_class) if look else np.zeros(classes, np.int64)
    none, one = np.zeros((classes, classes)), np.eye(classes)
    holding = (groups.labeled > 0).T
    constraints = [
        LinearConstraint(np.concatenate([distinct, np.zeros(2 * classes)])[None], lb=test),
        LinearConstraint(np.concatenate([labeled, np.zeros(2 * classes)])[None], ub=spare),
        LinearConstraint(np.hstack([holding, none, none]), ub=np.maximum(holding.sum(axis=1) - 1, 0)),
        LinearConstraint(np.hstack([-groups.distinct.T, one, none]), ub=0),
        LinearConstraint(np.hstack([groups.labeled.T, none, one]), ub=groups.labeled.sum(axis=0)),
    ]
    # A rare class counts as much as a common one. Among equals, few images are left out, and the first groups test.
    cost = 0.1 * distinct / distinct.sum() + 0.01 * np.arange(count) / count**2
    found = milp(
        np.concatenate([cost, -1 / np.maximum(wanted, 1), -1 / np.maximum(asked, 1)]),
        integrality=np.concatenate([np.ones(count), np.zeros(2 * classes)]),
        bounds=Bounds(0, np.concatenate([np.ones(count), wanted, asked])),
        constraints=constraints,
        options={"mip_rel_gap": _GAP},
    )
    return None if found.x is None else found.x[:count] > 0.5


def _proportional(count: int, sizes: Int64s) -> Int64s:
    """Share `count` among classes in proportion to their sizes, by largest remainders, at least one each where it can be."""
    exact = count * sizes / sizes.sum()
    shares: Int64s = np.floor(exact).astype(np.int64)
    largest_remainders = np.argsort(shares - exact, kind="stable")
    shares[largest_remainders[: count - int(shares.sum())]] += 1
    while count >= len(shares) and (shares == 0).any():
        shares[np.argmin(shares)] += 1
        shares[np.argmax(shares)] -= 1
    return shares
