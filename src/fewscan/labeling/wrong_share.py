"""At most how many of a finite number of labels are wrong, by some of them that were drawn at random and checked.

The draw alone makes it true: nothing is assumed of the scans, of how they came together, or of the network that labeled them.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Checks = Sequence[bool] | npt.NDArray[np.bool_]

# Claims are false in at most one of twenty draws.
CONFIDENCE = 0.95
# Shares of its wealth that each bettor stakes, a third of the whole each: the first is soonest done where nothing is wrong, the
# last where a few are.
STAKES = np.array([1.0, 0.8, 0.6])
# What a number holds, as a logarithm.
LARGEST = 700.0


def most_wrong(wrong: Checks, labels: int) -> int:
    """Return the greatest number of wrong ones among `labels` that what was drawn so far does not speak against.

    wrong: of each label that was checked, in the order in which it was drawn, all orders of all labels being as likely.

    In at least CONFIDENCE of all draws the number that is returned is never too small, however often it is asked for while
    labels are checked, and whenever somebody stops: so they may stop because it is small enough.

    For each number it is tested that no fewer are wrong. Who bets against that multiplies what they stake by what makes the bet
    fair, were just so many wrong; with more wrong they lose in the mean. So of all draws at most one in twenty lets them have
    twenty times what they began with, ever (Ville's inequality). Source: Waudby-Smith and Ramdas 2024, "Estimating means of
    bounded random variables by betting", Journal of the Royal Statistical Society B, section 5 (draws without replacement).
    """
    drawn = np.asarray(wrong, bool)
    found = int(drawn.sum())
    # The wealth grows with the number that is bet against, so half of what is left is ruled out at a time. As many as were
    # found are wrong, and at most all besides that were not checked.
    least, most = found, labels - (len(drawn) - found)
    while least < most:
        middle = (least + most) // 2
        if _wealth(drawn, labels, middle + 1) * (1 - CONFIDENCE) >= 1:
            most = middle
        else:
            least = middle + 1
    return most


def checks_needed(wrong: Checks, labels: int, allowed: int) -> int | None:
    """Return how many more checks would show that at most `allowed` are wrong, were all of them right; None where more are.

    wrong, labels: as `most_wrong` takes them.
    """
    if np.sum(wrong) > allowed:
        return None
    fewest, enough = 0, labels - len(wrong)
    while fewest < enough:
        middle = (fewest + enough) // 2
        if most_wrong([*wrong, *[False] * middle], labels) <= allowed:
            enough = middle
        else:
            fewest = middle + 1
    return enough


def _wealth(wrong: npt.NDArray[np.bool_], labels: int, number: int) -> float:
    """Return what a unit has become that was bet against `number` of `labels` being wrong; infinity where so many cannot be.

    wrong: (n,) of the labels that were checked, in their order.
    """
    before: npt.NDArray[np.int64] = np.cumsum(wrong) - wrong
    # Of those not checked before, the share that is wrong; at 1 nothing may be right any more.
    share = (number - before) / (labels - np.arange(len(wrong)))
    if (share[~wrong] >= 1).any():
        return float("inf")
    won = np.log1p(np.outer(STAKES, share[~wrong] / (1 - share[~wrong]))).sum(axis=1)
    # Logarithms, since a thousand right ones win more than a number holds.
    return float((np.exp(np.minimum(won, LARGEST)) * (1 - STAKES) ** wrong.sum()).mean())
