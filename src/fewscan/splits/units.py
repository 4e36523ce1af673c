"""What counts once where labels are held out: a patient where patients are known, otherwise an image with its copies."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from fewscan.datasets.descriptions import Split
from fewscan.datasets.snapshot import Rows, Snapshot
from fewscan.images.patients import known_patients
from fewscan.wording import counted

COPIES_COUNT_ONCE = "distinct image"


@dataclass(frozen=True)
class Units:
    """How many there are in a dataset, in the parts of its split and beyond them; a group of images is one."""

    noun: str  # `patient`, or `patient or distinct image` where some are not known
    nouns: str
    to_learn: int  # with a label to learn from: in the labeled part
    to_hold_out: int  # with a label that measures, in the labeled and the validation part
    labeled: int  # with a label that measures, in whichever part
    tested: int  # in the test set
    unlabeled: int  # without any label

    @classmethod
    def of(cls, dataset: Snapshot) -> Self:
        """Count those of a dataset; where it was not split, none is in a part."""
        manifest = dataset.manifest
        known = known_patients(manifest)
        audit = dataset.description.audit
        kinds = [
            *(["patient"] if known.with_patient else []),
            *(["head"] if audit is not None and audit.same_head else []),
            *([COPIES_COUNT_ONCE] if known.with_patient < known.images else []),
        ]
        named = manifest["label"].notna().to_numpy(bool)[dataset.usable]
        teaches = manifest["only_teaches"].to_numpy(bool)[dataset.usable]
        conflict = manifest["conflict"].to_numpy(bool)[dataset.usable]
        return cls(
            _alternatives(kinds),
            _alternatives([f"{kind}s" for kind in kinds]),
            _groups(dataset, dataset.rows("labeled")),
            independent(dataset, "labeled", "validation"),
            _groups(dataset, dataset.usable[named & ~teaches & ~conflict]),
            _groups(dataset, dataset.rows("test")),
            _groups(dataset, dataset.usable) - _groups(dataset, dataset.usable[named]),
        )

    def count(self, number: int, which: str = "") -> str:
        """Return a number of them in words, `1 patient`, `2,345 more patients`; which: an adjective with a space behind it."""
        return counted(number, f"{which}{self.noun}", f"{which}{self.nouns}")

    @property
    def counting(self) -> str:
        """Return what a sentence on their number adds, where copies are not taken for what they are without saying so."""
        return " (copies count once)" if COPIES_COUNT_ONCE in self.noun else ""


def independent(dataset: Snapshot, *parts: Split) -> int:
    """Return how many images of some parts can be held out that are independent: one of each patient or set of copies.

    Labels that measure nothing are none of them.
    """
    return _groups(dataset, dataset.measuring(*parts))


def _groups(dataset: Snapshot, rows: Rows) -> int:
    return len(np.unique(dataset.groups[rows]))


def _alternatives(nouns: list[str]) -> str:
    return nouns[0] if len(nouns) == 1 else f"{', '.join(nouns[:-1])} or {nouns[-1]}"
