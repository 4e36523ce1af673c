"""What an addition brought: how many images of which class, and what they are for in each split."""

import numpy as np
import pandas as pd

from fewscan.config import Settings
from fewscan.datasets.adding import Listed
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import SET_ASIDE_EXAMPLES, SetAsideFile, set_aside_examples
from fewscan.datasets.roles import Moment, counts_of
from fewscan.datasets.taking import moment_of
from fewscan.datasets.told_again import ToldAgain
from fewscan.images.patients import is_known


class AddedToSplit(Settings):
    """How many of the new images are in each part of a split; tying: left out, since they tie what judges to what teaches."""

    split: str
    labeled: int
    unlabeled: int
    validation: int
    test: int
    tying: int
    left_out: int  # for other reasons: a copy that tests already, contradicting labels


class AddSummary(Settings):
    """What was added to a dataset, and what was not.

    `images` counts the new ones that can be used; `classes` and `unlabeled` add up to it. `held` were there already, `changed`
    differ from what is there under their paths. `patients` are the known ones of the new images, `patients_of_old` of them had
    images before. `with_copies`: new images that are copies, `of_old` of them of images that were
    there; None where the dataset is not audited, and so are `suspects`.
    """

    folder: str
    images: int
    classes: dict[str, int]
    new_classes: tuple[str, ...]
    unlabeled: int
    set_aside: int
    examples: tuple[SetAsideFile, ...]
    held: int
    changed: int
    changed_examples: tuple[str, ...]
    rows: int  # of the dataset now, those that are set aside among them
    usable: int  # of these rows
    patients: int
    patients_of_old: int
    with_copies: int | None
    of_old: int | None
    suspects: int | None
    suspects_set_aside: bool
    splits: tuple[AddedToSplit, ...]
    tables: tuple[ToldAgain, ...] = ()  # what they say of other scans than the new ones


def summary_of(
    dataset: Dataset, listed: Listed, first_row: int, suspects: int | None, *, suspects_set_aside: bool = False
) -> AddSummary:
    """Count what the dataset has from `first_row` on, `suspects` of it being probably no scans."""
    now = dataset.unsplit()
    manifest = now.manifest.iloc[first_row:]
    usable = manifest[manifest["set_aside"].isna()]
    aside = manifest[manifest["set_aside"].notna()]
    counts = usable["label"].value_counts()
    before = set(now.manifest["label"].iloc[:first_row].dropna())
    audited = dataset.description.audit is not None
    moment = moment_of(now)
    copies, of_old = _copies(now.manifest["copy_set"], first_row)
    before_and_now = (now.manifest["patient"].iloc[:first_row], usable["patient"])
    known, coming = (set(patients[is_known(patients)]) for patients in before_and_now)
    return AddSummary(
        folder=str(dataset.folder),
        images=len(usable),
        classes={name: int(counts[name]) for name in now.classes if name in counts},
        new_classes=tuple(name for name in now.classes if name not in before),
        unlabeled=int(usable["label"].isna().sum()),
        set_aside=len(aside),
        examples=set_aside_examples(aside),
        held=len(listed.held),
        changed=len(listed.changed),
        changed_examples=tuple(f"{scan.source}/{scan.relative}" for scan in listed.changed[:SET_ASIDE_EXAMPLES]),
        rows=len(now.manifest),
        usable=len(now.usable),
        patients=len(coming),
        patients_of_old=len(coming & known),
        with_copies=copies if audited else None,
        of_old=of_old if audited else None,
        suspects=suspects,
        suspects_set_aside=suspects_set_aside,
        tables=listed.told,
        splits=tuple(_added_to(dataset, name, moment, first_row) for name in dataset.splits),
    )


def _copies(sets: pd.Series, first_row: int) -> tuple[int, int]:
    numbers = sets.fillna(-1).to_numpy(np.int64)
    known, count = np.unique(numbers[numbers >= 0], return_counts=True)
    new = numbers[first_row:]
    copies = np.isin(new, known[count > 1])
    return int(copies.sum()), int((copies & np.isin(new, numbers[:first_row])).sum())


def _added_to(dataset: Dataset, name: str, moment: Moment, first_row: int) -> AddedToSplit:
    parts, tying = dataset.split(name).parts(moment)
    counts = counts_of(parts[first_row:])
    tie = int((tying >= first_row).sum())
    usable = int(moment.usable[first_row:].sum())
    return AddedToSplit(split=name, **counts, tying=tie, left_out=usable - sum(counts.values()) - tie)
