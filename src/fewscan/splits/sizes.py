"""Which sizes a split can have: those that suit a dataset, those that can be drawn, and why others cannot."""

from bisect import bisect_left
from typing import NamedTuple

import numpy as np

from fewscan.datasets.asked_labels import TEACHING
from fewscan.datasets.descriptions import Protocol, Shares
from fewscan.datasets.protocols import keeps_groups
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.splits.dealing import Bools
from fewscan.splits.draw import Draw
from fewscan.splits.support import ENOUGH_VALIDATION
from fewscan.wording import command_line

# With so many labels a test set is worth its labels; with fewer, all are learned from, and the score is cross-validated.
ENOUGH_TO_TEST = 200
TEST_SHARE = 0.2
# What a test set leaves at least to learn from, where it can: a patient with very many images does not test.
LEAST_LEFT = 0.6

VALIDATION_SHARE = 0.2
# For ENOUGH_VALIDATION independent images a somewhat larger share of the labels is worth keeping.
LARGEST_VALIDATION_SHARE = 0.3


class Sizes(NamedTuple):
    """What a split needs to be told: budget of labels, test images, share of the budget for validation."""

    labeled: int | None  # None: all that the test set leaves
    test: int  # 0: no test set
    validation: float


def suitable_sizes(
    dataset: Snapshot,
    protocol: Protocol = "leakfree",
    seed: int = 0,
    shares: Shares = "known",
    *,
    labeled: int | None = None,
    test: int | None = None,
    validation: float | None = None,
) -> Sizes:
    """Return the sizes of a split of an audited dataset; those that are not given suit it, and can be drawn.

    Without a budget all labels are learned from, but for those of the test set: TEST_SHARE of the labeled images, a set of
    copies counted once, or less where groups are large. Below ENOUGH_TO_TEST of them there is none, nor a validation set,
    unless a budget makes an experiment of it. The validation set gets images of ENOUGH_VALIDATION groups where
    LARGEST_VALIDATION_SHARE of the labels hold them. Raises FewscanError where no split can be drawn at all.
    """
    if labeled is not None and test is not None:
        return Sizes(labeled, test, validation if validation is not None else VALIDATION_SHARE if test else 0.0)
    require_labels(dataset, protocol)
    draw = Draw(dataset, grouped=keeps_groups(protocol), shares=shares, seed=seed)
    if test is None:
        distinct = int(draw.groups.distinct.sum())
        asked = max(1, int(LEAST_LEFT * distinct)), max(1, int(TEST_SHARE * distinct))
        # Where no label may test there is nothing to deal out, and all are learned from.
        fitting = fitting_sizes(draw, *asked) if distinct or not draw.only_teaching else (asked[0], 0)
        if fitting is None:
            raise refusal(draw, *asked)
        test = 0 if labeled is None and distinct < ENOUGH_TO_TEST else fitting[1]
    if validation is None:
        validation = 0.0 if not test else VALIDATION_SHARE if labeled is not None else _validation_share(draw, test)
    return Sizes(labeled, test, validation)


def deal_leaving_most(draw: Draw, test: int) -> Bools:
    """Return (G,) which groups test where all that they leave is learned from: LEAST_LEFT of the labels, or what can be.

    Raises FewscanError where no groups hold so many test images.
    """
    most = max(1, int(LEAST_LEFT * int(draw.groups.distinct.sum())))
    at_once = draw.deal_test(test, most)
    if at_once is not None:
        return at_once
    budget = bisect_left(range(1, most + 1), True, key=lambda budget: draw.deal_test(test, budget) is None)
    dealt = draw.deal_test(test, budget) if budget else None
    if dealt is None:
        raise refusal(draw, 1, test)
    return dealt


def fitting_sizes(draw: Draw, labeled: int, test: int) -> tuple[int, int] | None:
    """Return the largest budget and test set of the proportion asked for that can be drawn, or None where no split can.

    Whatever can be drawn can be drawn smaller, so the sizes are searched for by halving.
    """

    def sizes(part: int) -> tuple[int, int]:
        """`part` of the larger size, and as much of the other."""
        budget, tested = (max(1, size * part // max(labeled, test)) for size in (labeled, test))
        return budget, tested if test else 0

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
    asked = f"{labeled:,} labeled and {test:,} test images cannot be drawn"
    if test > (distinct := int(draw.groups.distinct.sum())) and draw.only_teaching:
        cause = (
            f"only {distinct:,} labels can test (a set of copies counts once), and {draw.only_teaching:,} are only for "
            f"learning: {TEACHING}; "
            "label randomly drawn scans"
        )
    elif labeled + test > draw.images:
        cause = f"there are only {draw.images:,} images with a usable label"
    else:
        cause = (
            f"images of one patient and copies of one image stay together, and every class keeps some for training: there are "
            f"{groups:,} such groups, the largest of {largest:,} images"
        )
    fitting = fitting_sizes(draw, labeled, test)
    if fitting is None:
        return FewscanError(
            "every group of copies or of one patient has all images of some class: testing on it would leave none of that "
            "class for training. Add images of other patients, or leave classes out"
        )
    return FewscanError(f"{asked}: {cause}. Sizes that work: --labeled {fitting[0]} --test {fitting[1]}")


def require_labels(dataset: Snapshot, protocol: Protocol) -> None:
    """Raise FewscanError where no split of any size can be drawn: without an audit, without labels, of one class."""
    if keeps_groups(protocol) and dataset.description.audit is None:
        raise FewscanError(f"a leak-free split needs to know the copies: run '{command_line('audit', dataset.folder)}' first")
    manifest = dataset.manifest.iloc[dataset.usable]
    named = manifest["label"].dropna()
    if named.empty:
        raise FewscanError(
            f"{dataset.folder} has no labels: give some on a page with '{command_line('review', dataset.folder)}', or enter "
            f"them with '{command_line('labels', 'set', dataset.folder, 'TABLE')}'; without any, "
            f"'{command_line('train', dataset.folder)}' learns features"
        )
    if named.nunique() == 1:
        raise FewscanError(f"{dataset.folder} has only one class ('{named.iloc[0]}'): label images of another class, too")
    agreed = named[~manifest["conflict"].loc[named.index]] if keeps_groups(protocol) else named
    if agreed.nunique() <= 1:
        left = f"except for those of '{agreed.iloc[0]}', " if len(agreed) else ""
        raise FewscanError(
            f"{dataset.folder}: {left}all labeled images have copies with another label: see audit.html, and import again with "
            "the right labels"
        )


def _validation_share(draw: Draw, test: int) -> float:
    """Return VALIDATION_SHARE, or the least larger share of the labels left that gives ENOUGH_VALIDATION groups, if any."""
    left = draw.untested(deal_leaving_most(draw, test))
    if LARGEST_VALIDATION_SHARE * len(left) >= ENOUGH_VALIDATION:
        for percent in range(round(100 * VALIDATION_SHARE), round(100 * LARGEST_VALIDATION_SHARE) + 1):
            # Whole groups validate, so it may be fewer than the share.
            validating = draw.granted(len(left), round(percent * len(left) / 100), left).validation
            if len(np.unique(draw.group_of[validating])) >= ENOUGH_VALIDATION:
                return percent / 100
    return VALIDATION_SHARE
