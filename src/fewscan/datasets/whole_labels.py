"""How many labels were given for a whole study, patient or file, so that nobody has said of each image what it shows."""

from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.config import Settings
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.labeled_whole import whole_of
from fewscan.wording import counted


class WholeLabels(Settings):
    """How many of so many labels were given for a whole, and of what kinds these are, the most frequent first."""

    given: int = 0
    labels: int = 0
    kinds: tuple[str, ...] = ()

    @classmethod
    def of(cls, wholes: pd.Series) -> Self:
        """Count labels, by what each was given for, null for a single image, as `wholes_of` has it."""
        kinds = wholes.value_counts()
        return cls(given=int(kinds.sum()), labels=len(wholes), kinds=tuple(kinds.index))

    def sentence(self, whose: str = "") -> str:
        """Return it in words; whose: `of test images`."""
        kinds = " or ".join("file of several images" if kind == "file" else kind for kind in self.kinds)
        of_all = f"{self.given:,} of {counted(self.labels, 'label')}{f' {whose}' if whose else ''}"
        given = f"{'was' if self.given == 1 else 'were'} given for a whole {kinds}"
        return f"{of_all} {given}, also to images of it that do not show the finding"


def wholes_of(label_from: pd.Series) -> pd.Series:
    """Return of each label, by where it comes from, what it was given for, one of Whole; null where it is of one image."""
    wholes = {origin: whole_of(origin) for origin in label_from.dropna().unique()}
    return label_from.map(wholes).astype("str")


def whole_labels(dataset: Snapshot, rows: npt.NDArray[np.int64]) -> WholeLabels:
    """Return how many of the labels that the rows (N,) have it is."""
    return WholeLabels.of(wholes_of(dataset.manifest["label_from"].iloc[rows].dropna()))
