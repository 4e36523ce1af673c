"""One random draw: groups of images are dealt out to the parts first, and the images of each part are taken from its groups."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.datasets.descriptions import Shares
from fewscan.datasets.snapshot import Snapshot
from fewscan.seeds import stream
from fewscan.splits.dealing import Bools, Groups, Int64s, deal_test, shared

Floats = npt.NDArray[np.float64]


class Granted(NamedTuple):
    """The rows of a budget of labels: to learn from, and to choose by."""

    labeled: Int64s
    validation: Int64s

    @property
    def rows(self) -> Int64s:
        """All of them."""
        return np.concatenate(self)


@dataclass(frozen=True)
class _Images:
    """Labeled images that can be drawn, a column each: a table of pandas takes longer over each step than the step itself."""

    row: Int64s
    group: Int64s  # its number, in the order of dealing
    label: Int64s
    stratum: Int64s  # of which the budget holds a share each
    teaches: Bools  # and measures nothing
    copy: Bools  # of another one of its group, which comes before it
    turn: Int64s  # how many of its group come before it
    turn_in_class: Int64s
    again: Floats  # a random number of its group
    among_all: Floats

    def at(self, which: Int64s | Bools) -> "_Images":
        """Return some of them, in that order."""
        return _Images(**{column.name: getattr(self, column.name)[which] for column in fields(self)})


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
        _, at, index = np.unique(keys, return_index=True, return_inverse=True)
        first = rows[at][index]
        place = np.unique(rank[first], return_inverse=True)[1]
        self.look = shares == "known"
        self.rows = rows
        self.group_of = np.full(len(dataset.manifest), -1)  # (N,) the number of a row's group, in the order of dealing; or -1
        self.group_of[rows] = place
        self._classes = len(dataset.classes)
        images = self._ordered(dataset, place, rank[rows], again[first], grouped=grouped)
        self._by_class = images.at(np.lexsort((images.group, images.turn, images.turn_in_class, images.copy)))
        self._budget = self._by_class if self.look else images.at(np.lexsort((images.among_all, images.copy)))
        measuring = images.at(~images.teaches)
        self._sizes = self._counts(measuring.label)
        distinct = measuring.at(~measuring.copy)
        self.groups = Groups(self._matrix(images.group, images.label), self._matrix(distinct.group, distinct.label))
        self.only_teaching = len(images.row) - len(measuring.row)

    def _ordered(self, dataset: Snapshot, place: Int64s, rank: Floats, again: Floats, *, grouped: bool) -> _Images:
        """Return the images with a label, group by group. place, rank, again: (R,) of all rows, their group's but for rank."""
        teaches = dataset.manifest["only_teaches"].to_numpy(bool)[self.rows]
        # What only teaches comes last in its group, so that it moves nothing that measures.
        order = np.argsort(rank)
        order = order[np.lexsort((teaches[order], place[order]))]
        order = order[dataset.labels[self.rows[order]] >= 0]
        sets = dataset.copy_sets[self.rows[order]]
        copy = (_turns(sets) > 0) & (sets >= 0) & grouped
        sorted_again = np.lexsort((teaches[order], copy, place[order]))
        order, copy = order[sorted_again], copy[sorted_again]
        row, group = self.rows[order], place[order]
        label = dataset.labels[row]
        turn = _turns(group)
        with np.errstate(divide="ignore"):  # a group may hold nothing but copies of other groups' images: it comes last
            among_all = (turn + again[order]) / np.bincount(group, weights=~copy)[group]
        return _Images(
            row=row,
            group=group,
            label=label,
            stratum=label if self.look else np.zeros_like(label),
            teaches=teaches[order],
            copy=copy,
            turn=turn,
            turn_in_class=_turns(group * len(dataset.classes) + label),
            again=again[order],
            among_all=among_all,
        )

    @property
    def images(self) -> int:
        """How many images with a label can be drawn."""
        return len(self._by_class.row)

    def deal_test(self, test: int, budget: int) -> Bools | None:
        """Return (G,) which groups test; see `dealing.deal_test`."""
        return deal_test(self.groups, test, budget, self._sizes, look=self.look)

    def tested(self, dealt: Bools, test: int) -> Int64s:
        """Return the rows of the test set, out of the groups dealt out to it: classes in proportion, copies left out."""
        images = self._by_class
        images = images.at(dealt[images.group] & ~images.copy & ~images.teaches)
        return _first(images.row, images.label, shared(test, self._sizes, self._counts(images.label)))

    def untested(self, dealt: Bools) -> Int64s:
        """Return the rows with a label of all other groups: what a budget can be taken from."""
        return self._by_class.row[~dealt[self._by_class.group]]

    def granted(self, images: int, validation: int, within: Int64s) -> Granted:
        """Return a budget of so many `images` out of the rows `within`, up to `validation` of them to choose by.

        A group is on one side. Validation never takes the last group of a class that the budget holds, and is smaller where
        groups are too few. A budget of all rows loses none: groups validate as a whole, and those of which half is wanted, too.
        """
        pool = self._budget.at(np.isin(self._budget.row, within))
        room = self._counts(pool.stratum)
        wanted = shared(images, self._strata_sizes, room)
        budget = pool.at(np.isin(pool.row, _first(pool.row, pool.stratum, wanted)))
        to_validate = shared(validation, self._strata_sizes, np.maximum(wanted - 1, 0))
        whole = images == len(pool.row)
        validating = self._validating(pool, budget, to_validate, images, whole=whole)
        to_choose = budget.at(validating[budget.group] & ~budget.teaches)
        chosen = to_choose.row if whole else _first(to_choose.row, to_choose.stratum, to_validate)
        others = pool.at(~validating[pool.group])
        learned = wanted - self._counts(budget.stratum[np.isin(budget.row, chosen)])
        # Where the groups left hold too few images of a class, others make up for it.
        room = self._counts(others.stratum)
        learned = np.minimum(learned, room)
        learned += shared(images - len(chosen) - int(learned.sum()), self._strata_sizes, room - learned)
        return Granted(_first(others.row, others.stratum, learned), chosen)

    def _validating(self, pool: _Images, budget: _Images, wanted: Int64s, images: int, *, whole: bool) -> Bools:
        """Return (G,) which groups of a budget validate: whole ones first, then such as hold more labels than are wanted.

        whole: these validate as a whole, too, and only where half of their labels are wanted.
        """
        left = wanted.copy()
        measuring = budget.at(~budget.teaches)
        order = pd.unique(measuring.group[np.argsort(measuring.group if self.look else measuring.again, kind="stable")])
        holds, labels = self._matrix(measuring.group, measuring.stratum), self._matrix(budget.group, budget.label)
        available = np.bincount(pool.group, minlength=len(holds))
        keeping, rest, taken = labels.sum(axis=0), len(pool.row), 0
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
        return self._counts(self._budget.stratum)

    def _counts(self, numbers: Int64s) -> Int64s:
        return np.bincount(numbers, minlength=self._classes)

    def _matrix(self, groups: Int64s, numbers: Int64s) -> Int64s:
        """Return (G, K) how many images each group has of each class or stratum; groups, numbers: of each image."""
        matrix = np.zeros((int(self.group_of.max(initial=-1)) + 1, self._classes), np.int64)
        np.add.at(matrix, (groups, numbers), 1)
        return matrix


def _first(rows: Int64s, strata: Int64s, wanted: Int64s) -> Int64s:
    """Return the first rows of each stratum, as many as are `wanted` of it (K,)."""
    return rows[_turns(strata) < wanted[strata]]


def _turns(numbers: Int64s) -> Int64s:
    """Return (N,) how many of `numbers` (N,) before each one are equal to it."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    turns = np.empty(len(numbers), np.int64)
    turns[order] = np.arange(len(numbers)) - np.repeat(first, np.diff(np.append(first, len(numbers))))
    return turns
