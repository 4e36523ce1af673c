"""Which sizes a split can have: those that suit a dataset, those that can be drawn, and why others cannot."""

import math
from bisect import bisect_left
from typing import NamedTuple

from fewscan.datasets.descriptions import Protocol, Shares
from fewscan.datasets.protocols import keeps_groups
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.splits.draw import Draw

# Not more are taken unasked.
MOST_LABELS = 1235
MOST_TEST_IMAGES = 308

VALIDATION_SHARE = 0.2
# With a validation set of so many images a run is calibrated on it; with fewer, labels are held out in turn, which takes
# more trainings. For that a somewhat larger share of the labels is worth keeping.
ENOUGH_VALIDATION_IMAGES = 50
LARGEST_VALIDATION_SHARE = 0.3


class Suggestion(NamedTuple):
    """What a split needs to be told: budget of labels, test images, share of the budget for validation."""

    labeled: int
    test: int
    validation: float


def suggested_sizes(dataset: Snapshot, protocol: Protocol = "leakfree", seed: int = 0, shares: Shares = "known") -> Suggestion:
    """Return sizes that suit an audited dataset, and that can be drawn.

    Counted are labeled images, a set of copies once: three fifths of them to learn from at most, one fifth to test on. The
    validation set gets ENOUGH_VALIDATION_IMAGES where LARGEST_VALIDATION_SHARE of the labels hold them. Raises FewscanError
    where no split can be drawn at all.
    """
    require_labels(dataset, protocol)
    draw = Draw(dataset, grouped=keeps_groups(protocol), shares=shares, seed=seed)
    distinct = int(draw.groups.distinct.sum())
    labeled, test = max(1, min(MOST_LABELS, 3 * distinct // 5)), max(1, min(MOST_TEST_IMAGES, distinct // 5))
    fitting = fitting_sizes(draw, labeled, test)
    if fitting is None:
        raise refusal(draw, labeled, test)
    return Suggestion(*fitting, _validation_share(draw, *fitting))


def fitting_sizes(draw: Draw, labeled: int, test: int) -> tuple[int, int] | None:
    """Return the largest budget and test set of the proportion asked for that can be drawn, or None where no split can.

    Whatever can be drawn can be drawn smaller, so the sizes are searched for by halving.
    """

    def sizes(part: int) -> tuple[int, int]:
        """`part` of the larger size, and as much of the other."""
        return max(1, labeled * part // max(labeled, test)), max(1, test * part // max(labeled, test))

    def refused(part: int) -> bool:
        budget, tested = sizes(part)
        return draw.deal_test(tested, budget) is None

    if refused(0):
        return None
    return sizes(bisect_left(range(1, max(labeled, test) + 1), True, key=refused))


def refusal(draw: Draw, labeled: int, test: int) -> FewscanError:
    """Return why the sizes cannot be drawn, and sizes that can."""
    groups = int(draw.groups.labeled.any(axis=1).sum())
    largest = int(draw.groups.labeled.sum(axis=1).max(initial=0))
    asked = f"{labeled:,} labeled and {test:,} test images were asked for"
    if labeled + test > draw.images:
        cause = f"there are {draw.images:,} images with a usable label"
    else:
        cause = (
            f"images of one patient and copies of one image stay together, and every class keeps some to learn from: there are "
            f"{groups:,} such groups, the largest of {largest:,} images"
        )
    fitting = fitting_sizes(draw, labeled, test)
    if fitting is None:
        return FewscanError(
            "every group of copies, or patient, holds all images of some class: to test on it would leave nothing to learn "
            "that class from. Add images of other patients, or leave classes out"
        )
    return FewscanError(f"{asked}, but {cause}. Sizes that work: --labeled {fitting[0]} --test {fitting[1]}")


def require_labels(dataset: Snapshot, protocol: Protocol) -> None:
    """Raise FewscanError where no split of any size can be drawn: without an audit, without labels, of one class."""
    if keeps_groups(protocol) and dataset.description.audit is None:
        raise FewscanError(f"a leak-free split needs to know the copies: run 'fewscan audit {dataset.folder}' first")
    manifest = dataset.manifest.iloc[dataset.usable]
    named = manifest["label"].dropna()
    if named.empty:
        raise FewscanError(
            f"{dataset.folder} has no labels at all: import it again with class folders or with --labels labels.csv"
        )
    if named.nunique() == 1:
        raise FewscanError(f"{dataset.folder} has one class only ('{named.iloc[0]}'): there is nothing to tell apart")
    agreed = named[~manifest["conflict"].loc[named.index]] if keeps_groups(protocol) else named
    if agreed.nunique() <= 1:
        left = f"but for those of '{agreed.iloc[0]}', " if len(agreed) else ""
        raise FewscanError(
            f"{dataset.folder}: {left}all labeled images have copies with another label: see audit.html, and import again with "
            "the right labels"
        )


def _validation_share(draw: Draw, labeled: int, test: int) -> float:
    """Return VALIDATION_SHARE, or a larger share where that makes the validation set ENOUGH_VALIDATION_IMAGES."""
    dealt = draw.deal_test(test, labeled)
    assert dealt is not None  # these sizes fit
    left = draw.untested(dealt)
    least = math.ceil(100 * ENOUGH_VALIDATION_IMAGES / labeled) / 100
    if not VALIDATION_SHARE < least <= LARGEST_VALIDATION_SHARE:
        return VALIDATION_SHARE
    enough = len(draw.granted(labeled, round(least * labeled), left).validation) >= ENOUGH_VALIDATION_IMAGES
    return least if enough else VALIDATION_SHARE
