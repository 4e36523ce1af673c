"""What the label log says of every scan at one moment, as a page asks it: what holds, and who said what."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.labels.log import LabelLog, State

Bools = npt.NDArray[np.bool_]


class Said(NamedTuple):
    """What somebody says of a scan: a state, and where it is "label" the label."""

    state: State
    label: str | None

    @property
    def words(self) -> str:
        """The label, or the state's name."""
        return self.label if self.label is not None else self.state


@dataclass(frozen=True)
class Board:
    """The log up to `entry`: what holds of rows 0..N-1, and by row what each person says since the dataset last spoke of it."""

    entry: int
    holds: tuple[Said, ...]
    disputed: Bools
    voices: dict[int, dict[str, Said]]

    @classmethod
    def read(cls, log: LabelLog, count: int) -> "Board":
        """Read the log as it is now."""
        entry = log.last
        current = log.current(count, until=entry)
        voices: dict[int, dict[str, Said]] = {}
        said = log.voices(count)
        for row, state, label, who, number in said.itertuples(index=False):
            if number <= entry:
                voices.setdefault(row, {})[who] = Said(state, None if pd.isna(label) else label)
        labels = current["label"].astype(object).where(current["label"].notna(), None)
        holds = tuple(map(Said, current["state"], labels))
        return cls(entry, holds, current["disputed"].to_numpy(bool), voices)

    @property
    def answered(self) -> Bools:
        """(N,) of which rows anything holds, or is disputed."""
        said = np.array([said.state != "none" for said in self.holds], bool)
        return np.asarray(self.disputed | said, bool)

    @property
    def labels(self) -> npt.NDArray[np.object_]:
        """(N,) the label that holds, None where there is none."""
        return np.array([said.label for said in self.holds], object)

    def own(self, row: int, reviewer: str) -> Said | None:
        """Return what a person says of a row, None for nothing."""
        return self.voices.get(row, {}).get(reviewer)

    def others(self, row: int, reviewer: str) -> dict[str, Said]:
        """Return what other people say of a row."""
        return {who: said for who, said in self.voices.get(row, {}).items() if who != reviewer}
