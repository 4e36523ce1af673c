"""Of what a split scores too few images for a score to say much: told before anything is trained."""

from collections.abc import Sequence
from math import ceil, floor
from typing import NamedTuple

import numpy as np

from fewscan.datasets.snapshot import Rows, Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.intervals import least_if_all_right
from fewscan.splits.acceptance import split_again
from fewscan.splits.class_gaps import classes_of_few_parts, classes_of_one_group, parts_in_turn, quoted
from fewscan.splits.split import drawn
from fewscan.splits.units import Units
from fewscan.wording import listed

# If even images that are all right leave open that one of three of a class is missed, or one of ten of all is wrong, they are
# few. 10 independent images of a class are enough, and 36 in all; one more is asked for, since shares are rounded.
SENSITIVITY_SHOWN = 2 / 3
ACCURACY_SHOWN = 0.9
_ENOUGH_OF_CLASS, _ENOUGH = 11, 37
_NAMED = 4


class Shown(NamedTuple):
    """What images that are all right show of a score."""

    of: str | None  # the class whose sensitivity it is; None: the accuracy
    groups: int
    low: float | None  # where its interval begins; None where they are too few for one

    @property
    def few(self) -> bool:
        """Whether that is too little."""
        return self.low is None or self.low < (ACCURACY_SHOWN if self.of is None else SENSITIVITY_SHOWN)

    @property
    def lacking(self) -> float:
        """By which factor there are too few groups, roughly."""
        return (_ENOUGH if self.of is None else _ENOUGH_OF_CLASS) / max(self.groups, 1)


def few_warnings(dataset: Snapshot) -> list[str]:
    """Return in plain words of what the split of `dataset` scores few images, what these can show at best, and what helps."""
    tests = len(dataset.rows("test")) > 0
    if not tests and classes_of_one_group(dataset):
        return []  # nothing can be scored at all, which is said
    few = [each for each in _shown(dataset, dataset.rows("test") if tests else _all_to_score(dataset)) if each.few]
    if not few:
        return []
    best = _at_best(dataset, few)
    if not tests:
        return [
            "even if a run is right on all labels when 'fewscan evaluate' holds them out in turn, its score shows no more "
            f"than: {best}. {_label_more(few)}{_few_parts(dataset)}"
        ]
    shows = f"even if a run is right on the whole test set, its score shows no more than: {best}."
    return [" ".join([shows, *_helps(dataset, few)])]


def _at_best(dataset: Snapshot, few: Sequence[Shown]) -> str:
    """Return in words what the images can show, the least first."""
    units = Units.of(dataset)
    classes = sorted((each for each in few if each.of is not None), key=lambda each: each.groups)
    accuracy = [
        f"{'accuracy with no interval' if each.low is None else f'accuracy {_above(each.low)}'} ({units.count(each.groups)})"
        for each in few
        if each.of is None
    ]
    nothing = [f"'{each.of}' ({each.groups})" for each in classes if each.low is None]
    some = [f"{_above(each.low)} for '{each.of}' ({units.count(each.groups)})" for each in classes if each.low is not None]
    unsaid = [f"sensitivity with no interval for {listed(nothing, _NAMED)}"] if nothing else []
    return "; ".join([*accuracy, *unsaid, *([f"sensitivity {listed(some, _NAMED)}"] if some else [])])


def _shown(dataset: Snapshot, rows: Rows) -> list[Shown]:
    """Return what these rows can show at best: of all, and of each class."""
    groups, labels = dataset.groups[rows], dataset.labels[rows]
    parts = [(None, groups), *((name, groups[labels == number]) for number, name in enumerate(dataset.classes))]
    return [Shown(of, len(np.unique(theirs)), least_if_all_right(theirs) if len(theirs) else None) for of, theirs in parts]


def _all_to_score(dataset: Snapshot) -> Rows:
    """Return the rows that are held out in turn where there is no test set."""
    return dataset.measuring("labeled", "validation")


def _helps(dataset: Snapshot, few: Sequence[Shown]) -> list[str]:
    """Return which splits of a dataset with a test set would show more of what is `few`, and what no split does."""
    split = dataset.require_split()
    if split.by_image:
        return []
    found, best = [], few
    budget = split.labeled + split.validation if (dataset.labels[dataset.rows("unlabeled")] >= 0).any() else None
    images = min(ceil(split.test * max(each.lacking for each in few)), _most_to_test(dataset))
    if split.given_leaks is None and images > split.test and (larger := _redrawn(dataset, budget, images)) is not None:
        shown = _of_same(few, _shown(larger, larger.rows("test")))
        if _least(shown) > _least(few):
            sizes = [*([] if budget is None else ["--labeled", str(budget)]), "--test", str(images)]
            found.append(f"'{split_again(dataset, *sizes)}' seals more{_then(shown)}.")
            best = shown
    # Of a budget, what it grants would be all that is scored.
    without = None if budget is not None else _redrawn(dataset, None, 0)
    if without is not None and not classes_of_one_group(without):
        rows = _all_to_score(without)
        best, independent = _of_same(few, _shown(without, rows)), len(np.unique(without.groups[rows]))
        found.append(
            f"'{split_again(dataset, '--test', '0')}' seals none: then 'fewscan evaluate' scores all "
            f"{Units.of(dataset).count(independent)} by cross-validation, with {parts_in_turn(without)} more trainings"
            f"{_then(best)}.{_few_parts(without)}"
        )
    still = [each for each in best if each.few]
    return [*found, _label_more(still)] if still else found


def _redrawn(dataset: Snapshot, labeled: int | None, test: int) -> Snapshot | None:
    """Return the dataset under a split as it has, but of these sizes; None where it cannot be drawn. Nothing is written."""
    split = dataset.require_split()
    validation = split.validation / (split.labeled + split.validation) if test else 0.0
    try:
        return dataset.with_split(*drawn(dataset, split.protocol, labeled, test, validation, split.seed, (), split.shares))
    except FewscanError:
        return None


def _most_to_test(dataset: Snapshot) -> int:
    """Return how many images may test, so that as many are left: half of the labeled ones, a set of copies counted once."""
    rows = dataset.usable[dataset.labels[dataset.usable] >= 0]
    copies = dataset.copy_sets[rows]
    return len(np.unique(np.where(copies < 0, -1 - rows, copies))) // 2


def _of_same(few: Sequence[Shown], shown: Sequence[Shown]) -> list[Shown]:
    named = {each.of for each in few}
    return [each for each in shown if each.of in named]


def _least(shown: Sequence[Shown]) -> float:
    return min(each.low or 0.0 for each in shown)


def _then(shown: Sequence[Shown]) -> str:
    """Return how much the least of these shows, in brackets; nothing where it still shows nothing."""
    least = _least(shown)
    how = "each at least " if len(shown) > 1 else ""
    return f" (then {how}{_above(least)}{'' if how else f', by {shown[0].groups:,}'})" if least else ""


def _above(low: float) -> str:
    return f"above {floor(100 * low)} %"  # rounded down: it is above that


def _few_parts(dataset: Snapshot) -> str:
    """Return that labels can be held out in few parts only, and what follows; nothing where they can in PARTS_IN_TURN."""
    parts, few = parts_in_turn(dataset), classes_of_few_parts(dataset)
    if not few:
        return ""
    return (
        f" Labels are held out in only {parts} parts, since those of {quoted(few)} come from no more patients or sets of "
        f"copies: the networks that are scored learn from {parts - 1}/{parts} of the labels, which makes the score worse."
    )


def _label_more(few: Sequence[Shown]) -> str:
    classes = [f"'{each.of}'" for each in few if each.of is not None]
    return f"Label more scans{f' of {listed(classes, _NAMED)}' if classes else ''}, of other patients."
