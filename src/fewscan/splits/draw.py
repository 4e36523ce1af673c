"""One random draw: groups of images are dealt out to the parts first, and the images of each part are taken from its groups."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from fewscan.datasets.descriptions import Shares
from fewscan.datasets.snapshot import Snapshot
from fewscan.seeds import stream
from fewscan.splits.dealing import Bools, Groups, Int64s, deal_test, shared


class Granted(NamedTuple):
    """The rows of a budget of labels: to learn from, and to choose by."""

    labeled: Int64s
    validation: Int64s

    @property
    def rows(self) -> Int64s:
        """All of them."""
        return np.concatenate(self)


class Draw:
    """The rows of a dataset in one random order, in which parts are drawn.

    Within a class, every group gives one image before any gives a second, and copies of an image come after all distinct ones.
    A part takes the first images of each class in this order, so that its labels are of as many groups as can be, and that a
    smaller part is mostly a subset of a larger one. Without a look at labels, groups give images in proportion to their size,
    so that every image is as likely as any other. Labels that only teach (`labels.teaching`) test and validate nowhere.
    """

    def __init__(self, dataset: Snapshot, *, grouped: bool, shares: Shares, seed: int) -> None:
        """Deal the usable rows of `dataset` into a random order.

        grouped: whether copies and patients stay together, and rows in conflict stay out. shares: whether the budget holds the
        classes in proportion, or is drawn without a look at labels.
        """
        random = stream(seed, "split").numpy()
        rows = dataset.usable
        if grouped:
            rows = rows[~dataset.manifest["conflict"].to_numpy()[rows]]
        # Every row has a random rank, and a group the rank of its lowest row: an audit that finds one pair more moves that pair
        # and leaves the rest of the split where it was. (Not the best rank in the group: large groups would come first.)
        rank = random.random(len(dataset.manifest))
        # Of what the test set left, by class, the first groups are not in a random order: without a look it is another one.
        again = random.random(len(dataset.manifest))
        keys = dataset.groups[rows] if grouped else rows
        first = pd.Series(rows).groupby(keys).transform("min").to_numpy(np.int64)
        place = np.unique(rank[first], return_inverse=True)[1]
        self.look = shares == "known"
        self.rows = rows
        self.group_of = np.full(len(dataset.manifest), -1)  # (N,) the number of a row's group, in the order of dealing; or -1
        self.group_of[rows] = place
        images = pd.DataFrame({"row": rows, "group": place, "class": dataset.labels[rows], "again": again[first]})
        images["teaches"] = dataset.manifest["only_teaches"].to_numpy(bool)[rows]
        # What only teaches comes last in its group, so that it moves nothing that measures.
        images = images.iloc[np.argsort(rank[rows])].sort_values(["group", "teaches"], kind="stable")
        images = images[images["class"] >= 0]
        copies = dataset.manifest["copy_set"].iloc[images["row"]].reset_index(drop=True)
        images["copy"] = (copies.duplicated() & copies.notna()).to_numpy() & grouped
        images = images.sort_values(["group", "copy", "teaches"], kind="stable")
        images["stratum"] = images["class"] if self.look else 0
        images["turn"] = _turns(images["group"].to_numpy(np.int64))
        both = images["group"] * len(dataset.classes) + images["class"]
        images["turn_in_class"] = _turns(both.to_numpy(np.int64))
        distinct = (~images["copy"]).groupby(images["group"]).transform("sum")
        images["among_all"] = (images["turn"] + images["again"]) / distinct
        self._by_class = images.sort_values(["copy", "turn_in_class", "turn", "group"])
        self._budget = self._by_class if self.look else images.sort_values(["copy", "among_all"])
        self._classes = len(dataset.classes)
        measuring = images[~images["teaches"]]
        self._sizes = self._counts(measuring["class"])
        self.groups = Groups(*(self._matrix(each, "class") for each in (images, measuring[~measuring["copy"]])))
        self.only_teaching = len(images) - len(measuring)

    @property
    def images(self) -> int:
        """How many images with a label can be drawn."""
        return len(self._by_class)

    def deal_test(self, test: int, budget: int) -> Bools | None:
        """Return (G,) which groups test; see `dealing.deal_test`."""
        return deal_test(self.groups, test, budget, self._sizes, look=self.look)

    def tested(self, dealt: Bools, test: int) -> Int64s:
        """Return the rows of the test set, out of the groups dealt out to it: classes in proportion, copies left out."""
        images = self._by_class
        images = images[dealt[images["group"]] & ~images["copy"] & ~images["teaches"]]
        return _first(images, "class", shared(test, self._sizes, self._counts(images["class"])))

    def untested(self, dealt: Bools) -> Int64s:
        """Return the rows with a label of all other groups: what a budget can be taken from."""
        rows: Int64s = self._by_class["row"].to_numpy(np.int64)[~dealt[self._by_class["group"]]]
        return rows

    def granted(self, images: int, validation: int, within: Int64s) -> Granted:
        """Return a budget of so many `images` out of the rows `within`, up to `validation` of them to choose by.

        A group is on one side. Validation never takes the last group of a class that the budget holds, and is smaller where
        groups are too few. A budget of all rows loses none: groups validate as a whole, and those of which half is wanted, too.
        """
        pool = self._budget[self._budget["row"].isin(within)]
        room = self._counts(pool["stratum"])
        wanted = shared(images, self._strata_sizes, room)
        budget = pool[pool["row"].isin(_first(pool, "stratum", wanted))]
        to_validate = shared(validation, self._strata_sizes, np.maximum(wanted - 1, 0))
        whole = images == len(pool)
        validating = self._validating(pool, budget, to_validate, images, whole=whole)
        to_choose = budget[validating[budget["group"]] & ~budget["teaches"]]
        chosen = to_choose["row"].to_numpy(np.int64) if whole else _first(to_choose, "stratum", to_validate)
        others = pool[~validating[pool["group"]]]
        learned = wanted - self._counts(budget.loc[budget["row"].isin(chosen), "stratum"])
        # Where the groups left hold too few images of a class, others make up for it.
        room = self._counts(others["stratum"])
        learned = np.minimum(learned, room)
        learned += shared(images - len(chosen) - int(learned.sum()), self._strata_sizes, room - learned)
        return Granted(_first(others, "stratum", learned), chosen)

    def _validating(self, pool: pd.DataFrame, budget: pd.DataFrame, wanted: Int64s, images: int, *, whole: bool) -> Bools:
        """Return (G,) which groups of a budget validate: whole ones first, then such as hold more labels than are wanted.

        whole: these validate as a whole, too, and only where half of their labels are wanted.
        """
        left = wanted.copy()
        measuring = budget[~budget["teaches"]]
        order = measuring.sort_values("group" if self.look else "again")["group"].unique()
        holds, labels = self._matrix(measuring, "stratum"), self._matrix(budget, "class")
        available = np.bincount(pool["group"], minlength=len(holds))
        keeping, rest, taken = labels.sum(axis=0), len(pool), 0
        validating = np.zeros(len(holds), bool)
        for cut in (False, True):
            for group in order[~validating[order]].tolist():
                if not left.any():
                    return validating
                kept = np.minimum(holds[group], left)
                more = int(available[group] if whole else kept.sum())  # labels that validate, or are lost beside these
                some = 2 * kept.sum() >= holds[group].sum() if whole else kept.any()
                last = (labels[group] > 0) & (keeping == labels[group])
                enough = rest - available[group] >= images - taken - more
                if (some if cut else (kept == holds[group]).all()) and enough and not last.any():
                    validating[group] = True
                    left -= kept
                    keeping -= labels[group]
                    rest -= available[group]
                    taken += more
        return validating

    @property
    def _strata_sizes(self) -> Int64s:
        return self._counts(self._budget["stratum"])

    def _counts(self, numbers: pd.Series) -> Int64s:
        return np.bincount(numbers, minlength=self._classes)

    def _matrix(self, images: pd.DataFrame, column: str) -> Int64s:
        """Return (G, K) how many of `images` each group has of each class or stratum."""
        matrix = np.zeros((int(self.group_of.max(initial=-1)) + 1, self._classes), np.int64)
        np.add.at(matrix, (images["group"], images[column]), 1)
        return matrix


def _first(images: pd.DataFrame, stratum: str, wanted: Int64s) -> Int64s:
    """Return the rows of the first images of each stratum, as many as are `wanted` of it (K,)."""
    taken = _turns(images[stratum].to_numpy(np.int64)) < wanted[images[stratum]]
    rows: Int64s = images["row"].to_numpy(np.int64)[taken]
    return rows


def _turns(numbers: Int64s) -> Int64s:
    """Return (N,) how many of `numbers` (N,) before each one are equal to it."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    turns = np.empty(len(numbers), np.int64)
    turns[order] = np.arange(len(numbers)) - np.repeat(first, np.diff(np.append(first, len(numbers))))
    return turns
