"""Splits: which images are labeled, which validate, which are unlabeled and which test.

`study` draws images at random, as the study did, whatever copies of them lie elsewhere. `leakfree` keeps every group (copies
of an image, images of a patient) on one side: to learn from, to choose by or to test on.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.data.dataset import SPLITS, Dataset, Protocol, Shares, Split, SplitDescription, split_fingerprint
from fewscan.errors import FewscanError

Rows = npt.NDArray[np.int64]

# What the published study learned from and tested on.
STUDY_LABELS = 1235
STUDY_TEST_IMAGES = 308

VALIDATION_SHARE = 0.2
# With a validation set of so many images a run is calibrated on it; with fewer, labels are held out in turn, which takes
# more trainings. For that a somewhat larger share of the labels is worth keeping.
ENOUGH_VALIDATION_IMAGES = 50
LARGEST_VALIDATION_SHARE = 0.3
# How often smaller sizes are tried where groups are too large for what was meant to be suggested.
SMALLER_SIZES = 8


def split(
    dataset: Dataset,
    *,
    protocol: Protocol = "leakfree",
    labeled: int,
    test: int,
    validation: float = VALIDATION_SHARE,
    seed: int = 0,
    within: Sequence[int] = (),
    shares: Shares = "known",
) -> Dataset:
    """Draw a split, write it into the manifest and return the dataset that has it.

    labeled: the budget of labels; the share `validation` of it, in [0, 1), is kept for choosing. (Where groups are large it may
    be somewhat less, so that none of the budget is lost.) test: images in the test set, which holds the classes in the
    proportion of all images whose label is known. shares: with `known` the budget does so too, which looks at labels that it
    does not grant; with `unknown` its groups are drawn at random, and what classes they hold shows only then. What no part
    takes is `unlabeled`, whether its label is known or not. within: larger
    budgets, the largest first: each is drawn out of the one before, and this one out of the last, so that its labels lie within
    theirs whatever the groups.

    Under `leakfree` a group of the test or the validation set is in no other part. A set of copies counts once in the test
    set and costs one label, unless more labels are asked for than there are distinct images. What else is in the group of a
    labeled image is `unlabeled`, in that of a test or validation image left out. Left out, too, are images whose copies carry
    another label.
    Raises FewscanError where the dataset cannot give what is asked.
    """
    manifest, description = _drawn(dataset, protocol, labeled, test, validation, seed, within, shares)
    return dataset.updated(manifest, split=description)


def _drawn(
    dataset: Dataset,
    protocol: Protocol,
    labeled: int,
    test: int,
    validation: float,
    seed: int,
    within: Sequence[int],
    shares: Shares,
) -> tuple[pd.DataFrame, SplitDescription]:
    """Return the manifest with the split that `split` is asked for, and what is to be said of it; nothing is written."""
    validation_images = round(labeled * validation)
    _require_possible(dataset, protocol, labeled, validation, validation_images, test)
    grouped = protocol == "leakfree"
    draw = _Draw(dataset, grouped, shares, np.random.default_rng(seed))
    undrawn = draw.take("test", test, draw.groups)
    budget = draw.shuffled(undrawn) if shares == "unknown" else undrawn
    for images in (*within, labeled):
        budget = draw.take_labels(images, budget)
    draw.take("validation", validation_images, budget, cut_groups=False)
    for group in undrawn:
        # To learn from what belongs to a labeled image betrays nothing; from what belongs to a validation image, it does.
        if not (draw.parts[group] == "validation").any():
            draw.parts[group[pd.isna(draw.parts[group])]] = "unlabeled"

    manifest = dataset.manifest.assign(split=pd.array(draw.parts, dtype="str"))
    counts = {part: int((draw.parts == part).sum()) for part in SPLITS}
    conflicting = dataset.manifest["conflict"].to_numpy() if grouped else np.zeros(len(manifest), dtype=bool)
    description = SplitDescription(
        protocol=protocol,
        seed=seed,
        shares=shares,
        **counts,
        left_out=len(dataset.usable) - sum(counts.values()),
        conflicting_left_out=int(conflicting[dataset.usable].sum()),
        fingerprint=split_fingerprint(manifest),
    )
    return manifest, description


class Suggestion(NamedTuple):
    """What a split needs to be told: budget of labels, test images, share of the budget for validation."""

    labeled: int
    test: int
    validation: float


def suggested_sizes(dataset: Dataset, protocol: Protocol = "leakfree", seed: int = 0, shares: Shares = "known") -> Suggestion:
    """Return sizes that suit an audited dataset, and that can be drawn: the study's, or fewer.

    Counted are labeled images, a set of copies once: three fifths of them to learn from at most, one fifth to test on. The
    validation set gets ENOUGH_VALIDATION_IMAGES where LARGEST_VALIDATION_SHARE of the labels hold them. Raises FewscanError
    where no split can be drawn at all.
    """
    _require_possible(dataset, protocol, 1, 0.0, 0, 1)
    manifest = dataset.manifest.iloc[dataset.usable]
    known = manifest[manifest["label"].notna() & ~manifest["conflict"]]
    distinct = int(known["copy_set"].nunique() + known["copy_set"].isna().sum())
    labeled, test = min(STUDY_LABELS, 3 * distinct // 5), min(STUDY_TEST_IMAGES, distinct // 5)
    for _ in range(SMALLER_SIZES):
        sizes = Suggestion(max(1, labeled), max(1, test), VALIDATION_SHARE)
        try:
            return _with_enough_validation(dataset, protocol, seed, shares, sizes)
        except FewscanError as error:
            refusal = error
        labeled, test = 3 * labeled // 4, 3 * test // 4
    raise refusal


def _with_enough_validation(dataset: Dataset, protocol: Protocol, seed: int, shares: Shares, sizes: Suggestion) -> Suggestion:
    """Return `sizes`, their share for validation raised where that makes it ENOUGH_VALIDATION_IMAGES.

    Raises FewscanError where they cannot be drawn.
    """

    def validation_images(wanted: Suggestion) -> int:
        _, drawn = _drawn(dataset, protocol, wanted.labeled, wanted.test, wanted.validation, seed, (), shares)
        return drawn.validation

    if validation_images(sizes) >= ENOUGH_VALIDATION_IMAGES:
        return sizes
    least = math.ceil(100 * ENOUGH_VALIDATION_IMAGES / sizes.labeled) / 100
    # Where groups are large, the part may stay somewhat smaller than asked for.
    for share in (least, least + 0.02, least + 0.05):
        raised = sizes._replace(validation=round(share, 2))
        if sizes.validation < share <= LARGEST_VALIDATION_SHARE and validation_images(raised) >= ENOUGH_VALIDATION_IMAGES:
            return raised
    return sizes


class _Draw:
    """Rows dealt out in one random order, so that a smaller budget of labels is mostly a subset of a larger one.

    Not so where it cannot hold a group that the larger one holds, and takes others in its place.
    """

    def __init__(self, dataset: Dataset, grouped: bool, shares: Shares, random: np.random.Generator) -> None:
        rows = dataset.usable
        if grouped:
            rows = rows[~dataset.manifest["conflict"].to_numpy()[rows]]
        self.grouped = grouped
        self.labels = dataset.labels
        self.copy_sets = dataset.manifest["copy_set"].to_numpy(dtype=np.int64, na_value=-1)
        self.parts: npt.NDArray[np.object_] = np.full(len(dataset.manifest), None, dtype=object)
        # Every row has a random rank, and a group the rank of its lowest row: an audit that finds one pair more moves that pair
        # and leaves the rest of the split where it was. (Not the best rank in the group: large groups would come first.)
        rank = random.random(len(dataset.manifest))
        rows = rows[np.argsort(rank[rows])]
        keys = dataset.groups[rows] if grouped else rows
        order = np.argsort(keys, kind="stable")
        groups = np.split(rows[order], np.flatnonzero(np.diff(keys[order])) + 1)
        self.groups = sorted(groups, key=lambda group: float(rank[group.min()]))
        self.second_rank = random.random(len(rank))
        # Every part holds the strata in proportion: the classes, or where these are not to be looked at, all images as one.
        anyone = np.where(self.labels >= 0, 0, -1)
        self.strata = {part: self.labels if part == "test" or shares == "known" else anyone for part in SPLITS}
        self.rows = rows

    def take(self, part: Split, count: int, groups: list[Rows], *, cut_groups: bool = True) -> list[Rows]:
        """Give `part` `count` labeled images out of `groups`, classes in proportion, and return the groups not touched.

        Without `cut_groups` only whole groups are taken, and the part may stay somewhat smaller.
        """
        strata = self.strata[part]
        known = strata[self.rows][strata[self.rows] >= 0]
        wanted = _proportional(count, np.bincount(known))
        taken = []
        # Whole groups first; where only groups are left that hold more than is wanted, they are cut.
        for cut in (False, True) if cut_groups else (False,):
            untouched = []
            for group in groups:
                members = group if part == "validation" else self._distinct(group)
                kept = _fitting(members, strata, wanted)
                if len(kept) and (cut or len(kept) == len(members)):
                    self.parts[group] = None
                    self._give(part, kept, wanted)
                    taken.append(group)
                else:
                    untouched.append(group)
            groups = untouched
        if part == "labeled":
            # More labels were asked for than there are distinct images: then copies are worth a label too.
            for group in taken:
                copies = group[pd.isna(self.parts[group]) & (self.labels[group] >= 0)]
                self._give(part, _fitting(copies, strata, wanted), wanted)
        if wanted.any() and (cut_groups or wanted.sum() == count):
            raise FewscanError(
                f"only {count - int(wanted.sum())} of the {count} images of the {part} set could be drawn without splitting a "
                f"group of copies or a patient: ask for fewer"
            )
        return groups

    def shuffled(self, groups: list[Rows]) -> list[Rows]:
        """Return the groups in another order: of what the test set left, by class, the first are not in a random one."""
        return sorted(groups, key=lambda group: float(self.second_rank[group.min()]))

    def take_labels(self, count: int, groups: list[Rows]) -> list[Rows]:
        """Make `count` images of `groups` the labeled ones, and no others, and return them, group by group."""
        self.parts[self.parts == "labeled"] = None
        self.take("labeled", count, groups)
        granted = [group[self.parts[group] == "labeled"] for group in groups]
        return [group for group in granted if len(group)]

    def _give(self, part: Split, rows: Rows, wanted: Rows) -> None:
        self.parts[rows] = part
        wanted -= np.bincount(self.strata[part][rows], minlength=len(wanted))

    def _distinct(self, group: Rows) -> Rows:
        """Return the labeled images of a group, one of each set of copies: a second look at a slice is not worth a label."""
        members = group[self.labels[group] >= 0]
        if not self.grouped:
            return members
        _, first = np.unique(self.copy_sets[members], return_index=True)
        return members[np.sort(first)]


def _fitting(rows: Rows, strata: Rows, wanted: Rows) -> Rows:
    """Return the rows that are wanted: of every stratum no more than its number in `wanted`."""
    theirs = strata[rows]
    kept = [rows[theirs == stratum][: wanted[stratum]] for stratum in np.unique(theirs)]
    return np.concatenate(kept) if kept else rows[:0]


def _proportional(count: int, sizes: Rows) -> Rows:
    """Share `count` among strata in proportion to their sizes, by largest remainders, at least one each where it can be."""
    exact = count * sizes / sizes.sum()
    shares: Rows = np.floor(exact).astype(np.int64)
    largest_remainders = np.argsort(shares - exact, kind="stable")
    shares[largest_remainders[: count - int(shares.sum())]] += 1
    while count >= len(shares) and (shares == 0).any():
        shares[np.argmin(shares)] += 1
        shares[np.argmax(shares)] -= 1
    return shares


def _require_possible(
    dataset: Dataset, protocol: Protocol, labeled: int, validation: float, validation_images: int, test: int
) -> None:
    manifest = dataset.manifest.iloc[dataset.usable]
    if protocol == "leakfree" and dataset.description.audit is None:
        raise FewscanError(f"a leak-free split needs to know the copies: run 'fewscan audit {dataset.folder}' first")
    if not 0 <= validation < 1:
        raise FewscanError(f"--validation is a share of the labels in [0, 1), not {validation:g}")
    if labeled < 1 or test < 1:
        raise FewscanError("--labeled and --test each need at least 1 image")
    counts = manifest["label"].value_counts()
    if counts.empty:
        raise FewscanError(
            f"{dataset.folder} has no labels at all: import it again with class folders or with --labels labels.csv"
        )
    if len(counts) == 1:
        raise FewscanError(f"{dataset.folder} has one class only ('{counts.index[0]}'): there is nothing to tell apart")
    usable = manifest[~manifest["conflict"]] if protocol == "leakfree" else manifest
    available = usable["label"].value_counts().reindex(counts.index, fill_value=0)
    parts = 2 + (validation_images > 0)
    for name, images in available.items():
        if images < parts:
            raise FewscanError(
                f"class '{name}' has {images} usable image{'s' if images != 1 else ''}, and {parts} parts need one each: add "
                f"images, or leave the class out"
            )
    asked = labeled + test
    if asked > available.sum():
        raise FewscanError(
            f"{labeled} labeled and {test} test images were asked for, but there are {available.sum()} images "
            f"with a usable label"
        )
