"""What a split leaves out: classes that are never learned or tested, labels to choose by, labels of single images."""

import shlex
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fewscan.datasets.descriptions import Split
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.whole_labels import whole_labels
from fewscan.splits.support import PARTS_IN_TURN
from fewscan.wording import counted

_NAMED = 4


def never_learned(dataset: Snapshot) -> tuple[str, ...]:
    """Return the classes of which no image is learned from with its label: no scan is ever called by them rightly."""
    return _without(dataset, "labeled")


def never_tested(dataset: Snapshot) -> tuple[str, ...]:
    """Return the classes of which no image is in the test set, where there is one: its score says nothing of them."""
    return _without(dataset, "test") if len(dataset.rows("test")) else ()


def never_validated(dataset: Snapshot) -> tuple[str, ...]:
    """Return the classes that are learned and of which no image is in the validation set, where there is one."""
    if not len(dataset.rows("validation")):
        return ()
    unlearned = never_learned(dataset)
    return tuple(name for name in _without(dataset, "validation") if name not in unlearned)


def classes_of_one_group(dataset: Snapshot) -> tuple[str, ...]:
    """Return the classes whose labels that a split grants are of one patient or set of copies: none can be held out."""
    groups = _groups_granted(dataset)
    return tuple(groups.index[groups < 2])


def parts_in_turn(dataset: Snapshot) -> int:
    """Return in how many parts the labels that a split grants can be held out in turn: each part has a group of each class."""
    return int(min([PARTS_IN_TURN, *_groups_granted(dataset)]))


def classes_of_few_parts(dataset: Snapshot) -> tuple[str, ...]:
    """Return the classes of so few groups that labels are held out in fewer parts than PARTS_IN_TURN."""
    groups = _groups_granted(dataset)
    return tuple(groups.index[groups < min(PARTS_IN_TURN, parts_in_turn(dataset) + 1)])


def _groups_granted(dataset: Snapshot) -> pd.Series:
    """Return of how many groups the labels are that a split grants, by class; one without any is not in it."""
    rows = dataset.measuring("labeled", "validation")
    return pd.Series(dataset.groups[rows]).groupby(np.array(dataset.classes, object)[dataset.labels[rows]]).nunique()


def never_measured(dataset: Snapshot) -> tuple[str, ...]:
    """Return the classes whose granted labels are all for learning alone: none is held out to calibrate or score by."""
    granted = dataset.rows("labeled", "validation")
    learned, measured = set(dataset.labels[granted]), set(dataset.labels[dataset.measuring("labeled", "validation")])
    return tuple(dataset.classes[label] for label in sorted(learned - measured))


def class_warnings(unlearned: tuple[str, ...], untested: tuple[str, ...]) -> list[str]:
    """Return in plain words what it means that no image of some classes is learned from, or tested."""
    found = []
    if unlearned:
        found.append(
            f"no labeled image of {quoted(unlearned)} is used for training, so no scan of such a class is labeled correctly: "
            f"split with a larger --labeled, label more images, or {leaving_out(unlearned)}"
        )
    if untested:
        found.append(
            f"no image of {quoted(untested)} is in the test set, so the score says nothing about it: it has too few images or "
            "patients for both training and test, or --test is too small"
        )
    return found


def gap_warnings(dataset: Snapshot) -> list[str]:
    """Return in plain words which classes and labels the split of `dataset` lacks, and which labels are of no single image."""
    found = class_warnings(never_learned(dataset), never_tested(dataset))
    unvalidated = never_validated(dataset)
    if unvalidated:
        found.append(
            f"no image of {quoted(unvalidated)} is in the validation set, so no choice, no calibration and no threshold of "
            "'fewscan label' takes it into account: label scans of other patients, give a larger --validation, or "
            f"{leaving_out(unvalidated)}"
        )
    unmeasured = never_measured(dataset)
    if unmeasured:
        found.append(
            f"a network that was sure of them chose all labeled scans of {quoted(unmeasured)}: they are used for training, but "
            "none is held out for calibration or scores. Label more scans of each class, on the review page or in a table"
        )
    description = dataset.require_split()
    if not description.test:
        found += _never_held_out(dataset)
    asked = description.validation_asked or 0
    if description.validation < asked:
        found.append(
            f"the validation set has only {description.validation} of the {counted(asked, 'label')} that its share comes to: "
            "more would take the only labels of a class, or the patients needed for training"
        )
    return [*found, *_of_wholes(dataset)]


def _of_wholes(dataset: Snapshot) -> list[str]:
    """Return how many labels were given for a whole study, say, and what follows."""
    wholes = whole_labels(dataset, dataset.rows("labeled", "validation", "test"))
    if not wholes.given:
        return []
    return [
        f"{wholes.sentence()}: a network learns these as the finding, too. Judge a run by its patients, or label such images "
        "by themselves (on the review page: Grid, already labeled)"
    ]


def _never_held_out(dataset: Snapshot) -> list[str]:
    """Return which classes have labels in one group alone, so that they cannot be held out to score by."""
    lone = classes_of_one_group(dataset)
    if not lone:
        return []
    return [
        f"the labels of {quoted(lone)} come from only one patient or set of copies, so none can be held out, and a run gets "
        f"no score: label scans of other patients, or {leaving_out(lone)}"
    ]


def leaving_out(classes: Sequence[str]) -> str:
    """Return how a dataset does without some classes."""
    what = "the class" if len(classes) == 1 else "these classes"
    words = [f"--no-label={name}" for name in classes[:_NAMED]]
    return f"leave {what} out (import again with {shlex.join(words)}{' ...' if len(classes) > _NAMED else ''})"


def quoted(classes: tuple[str, ...]) -> str:
    """Return the names of classes, as a sentence has them."""
    return ", ".join(f"'{name}'" for name in classes)


def _without(dataset: Snapshot, part: Split) -> tuple[str, ...]:
    """Return the classes of which no image is in a part; `Dataset.labels` of that part alone are looked at."""
    there = set(dataset.manifest["label"].iloc[dataset.rows(part)])
    return tuple(name for name in dataset.classes if name not in there)
