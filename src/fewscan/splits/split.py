"""Splits: which images are labeled, which validate, which are unlabeled and which test.

`random` draws images at random, whatever copies of them lie elsewhere. `leakfree` keeps every group (copies
of an image, images of a patient) on one side: to learn from, to choose by or to test on.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.datasets.dataset import DEFAULT_SPLIT, Dataset
from fewscan.datasets.descriptions import Protocol, Shares, SplitDescription
from fewscan.datasets.protocols import keeps_groups
from fewscan.datasets.roles import StoredSplit, counts_of, fingerprint_of_groups, fingerprint_of_test_set, split_fingerprint
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.taking import moment_of
from fewscan.errors import FewscanError
from fewscan.splits.draw import Draw
from fewscan.splits.sizes import VALIDATION_SHARE, deal_leaving_most, refusal, require_labels

Texts = npt.NDArray[np.object_]


def split(
    dataset: Snapshot,
    *,
    protocol: Protocol = "leakfree",
    labeled: int | None = None,
    test: int,
    validation: float = VALIDATION_SHARE,
    seed: int = 0,
    within: Sequence[int] = (),
    shares: Shares = "known",
    name: str = DEFAULT_SPLIT,
) -> Snapshot:
    """Draw a split, write it into the dataset's folder under its name, and return the dataset under this split.

    labeled: the budget of labels, taken from as many groups as possible; None takes all that the test set leaves. validation:
    the share of the budget, from 0 to below 1, that is held out for choices; it is smaller where there are too few groups,
    since the first label of a class is for training. test: images in the test set, with classes in the proportions of all
    images whose label is known; 0 for no test set. shares: with `known`, the budget has these proportions too, which takes
    labels into account that it does not grant; with `unknown`, it is randomly drawn, every image equally likely, and its
    classes are known only afterwards. An image that is in no part is `unlabeled`, whether its label is known or not. within:
    larger budgets, the largest first: each is drawn from the one before, and this one from the last, so that its labels are
    among theirs.

    Under `leakfree`, a group in the test or the validation set is in no other part. A set of copies counts once in the test set
    and costs one label, unless you request more labels than there are distinct images. Other images in the group of a labeled
    image are `unlabeled`; those in the group of a test or validation image are left out, and so are images whose copies have
    another label. If all images of a class are in one group, the class is learned but not tested.

    Raises FewscanError, with sizes that work, if the dataset cannot give the sizes requested.
    """
    parts, description = drawn(dataset, protocol, labeled, test, validation, seed, within, shares)
    return freeze(dataset, parts, description.model_copy(update={"name": name}))


def freeze(dataset: Snapshot, parts: Texts, description: SplitDescription, given: Texts | None = None) -> Snapshot:
    """Write a split that was drawn, `parts` (N,), into the dataset's folder, and return the dataset as it is under it.

    given: (N,) the parts that the data came with, where these are kept.
    """
    stored = StoredSplit.of(description, parts, moment_of(dataset), given)
    return Dataset.open(dataset.folder).with_split(stored).snapshot(description.name)


def require_sizes(labeled: int | None, test: int | None, validation: float | None) -> None:
    """Raise FewscanError for sizes that no split has, whatever the dataset; None for those that are not asked for."""
    if validation is not None and not 0 <= validation < 1:
        raise FewscanError(f"--validation is a share of the labels, from 0 to below 1, not {validation:g}")
    if (test is not None and test < 0) or (labeled is not None and labeled < 1):
        raise FewscanError("--labeled must be at least 1, and --test must be 0 (no test set) or more")


def drawn(
    dataset: Snapshot,
    protocol: Protocol,
    labeled: int | None,
    test: int,
    validation: float,
    seed: int = 0,
    within: Sequence[int] = (),
    shares: Shares = "known",
) -> tuple[Texts, SplitDescription]:
    """Return (N,) the part of each row in the split that `split` is asked for, and what is to be said; nothing is written."""
    require_sizes(labeled, test, validation)
    require_labels(dataset, protocol)
    grouped = keeps_groups(protocol)
    draw = Draw(dataset, grouped=grouped, shares=shares, seed=seed)
    most = max(within, default=labeled)
    dealt = deal_leaving_most(draw, test) if most is None else draw.deal_test(test, most)
    if dealt is None:
        raise refusal(draw, most or 1, test)
    parts: Texts = np.full(len(dataset.manifest), None, dtype=object)
    parts[draw.tested(dealt, test)] = "test"
    rows = draw.untested(dealt)
    labeled = len(rows) if labeled is None else labeled
    for images in (*within, labeled):
        granted = draw.granted(images, round(images * validation), rows)
        rows = granted.rows
    parts[granted.labeled], parts[granted.validation] = "labeled", "validation"
    # To learn from what belongs to a labeled image betrays nothing; from what belongs to a validation image, it does.
    sealed = np.union1d(np.flatnonzero(dealt), draw.group_of[granted.validation])
    parts[draw.rows[~np.isin(draw.group_of[draw.rows], sealed) & pd.isna(parts[draw.rows])]] = "unlabeled"
    return parts, describe(
        dataset, parts, protocol=protocol, seed=seed, shares=shares, validation_asked=round(labeled * validation)
    )


def describe(dataset: Snapshot, parts: Texts, **drawn: Any) -> SplitDescription:
    """Return what is to be said of a split with these `parts` (N,), drawn as the further fields of SplitDescription say."""
    counts = counts_of(parts)
    fingerprint = split_fingerprint(pd.Series(parts, dtype="str"))
    left_out = pd.isna(parts) & dataset.manifest["conflict"].to_numpy(bool)
    return SplitDescription(
        **drawn,
        rows=len(parts),
        drawn_fingerprint=fingerprint,
        test_set=fingerprint_of_test_set(dataset.description.identity, np.flatnonzero(parts == "test")),
        fingerprint=fingerprint,
        groups=fingerprint_of_groups(dataset.groups),
        labeled=counts["labeled"],
        validation=counts["validation"],
        unlabeled=counts["unlabeled"],
        test=counts["test"],
        left_out=len(dataset.usable) - sum(counts.values()),
        conflicting_left_out=int(left_out[dataset.usable].sum()),
    )
