"""What the label log says of every scan at one moment, as a page asks it: what holds, and who said what."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.images.classes import BETWEEN_FINDINGS
from fewscan.labels.content import Stated
from fewscan.labels.log import LabelLog, State

Bools = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]


class Said(NamedTuple):
    """What somebody says of a scan: a state, and where it is "label" the label."""

    state: State
    label: str | None

    @property
    def words(self) -> str:
        """The label, or the state's name."""
        return self.label if self.label is not None else self.state

    def beside(self, other: "Said | None") -> "Said":
        """Return what is said by who said another thing at the same time; None: nobody did."""
        return self if other is None else Said("label", f"{other.words}{BETWEEN_FINDINGS}{self.words}")


@dataclass(frozen=True)
class Board:
    """The log up to `entry`: what holds of rows 0..N-1, and by row what each person says since the dataset last spoke of it.

    `tables`: by row what rows of a table say that contradict each other, by the table, where nobody has said anything since.
    """

    entry: int
    states: Objects
    labels: Objects  # None where there is none
    disputed: Bools
    voices: dict[int, dict[str, Said]]
    tables: dict[int, dict[str, Said]]

    @classmethod
    def read(cls, log: LabelLog, count: int) -> "Board":
        """Read the log as it is now."""
        entry = log.last
        current = log.current(count, until=entry)
        voices: dict[int, dict[str, Said]] = {}
        tables: dict[int, dict[str, Said]] = {}
        said = log.voices(count)
        said = said[said["entry"] <= entry]
        texts = (said[name].to_numpy(object, na_value=None) for name in ("state", "label", "who", "origin"))
        for row, state, label, who, origin in zip(said["row"].tolist(), *texts, strict=True):
            heard = (tables if who is None else voices).setdefault(row, {})
            heard[who or origin] = Said(state, label).beside(heard.get(who or origin))
        labels = current["label"].to_numpy(object, na_value=None)
        return cls(entry, current["state"].to_numpy(object), labels, current["disputed"].to_numpy(bool), voices, tables)

    def after(self, entries: Sequence[Stated]) -> "Board | None":
        """Return the board as it is after these entries; None where the log has to be read.

        It has where one takes another back, and where several are of one row, which may contradict each other. What is read
        is the same, and takes a hundred times as long.
        """
        if not entries:
            return self
        if any(entry.undoes for entry in entries) or len({entry.row for entry in entries}) < len(entries):
            return None
        states, labels, disputed, voices = self.states.copy(), self.labels.copy(), self.disputed.copy(), dict(self.voices)
        tables = dict(self.tables)
        for entry in entries:
            row, said = entry.row, Said(entry.state, entry.label)
            if row >= len(states):
                continue  # of a scan that was added meanwhile
            tables.pop(row, None)
            heard = voices.pop(row, {})
            heard = {} if entry.who is None or entry.settles else {**heard, entry.who: said}
            if heard:
                voices[row] = heard
            disputed[row] = len(set(heard.values())) > 1
            states[row], labels[row] = Said("none", None) if disputed[row] else said
        return Board(self.entry + len(entries), states, labels, disputed, voices, tables)

    @cached_property
    def answered(self) -> Bools:
        """(N,) of which rows anything holds, or is disputed."""
        return np.asarray(self.disputed | (self.states != "none"), bool)

    @cached_property
    def labeled(self) -> Bools:
        """(N,) which rows have a label."""
        return np.asarray(self.states == "label", bool)

    def holds(self, row: int) -> Said:
        """Return what holds of a row."""
        return Said(self.states[row], self.labels[row])

    def own(self, row: int, reviewer: str) -> Said | None:
        """Return what a person says of a row, None for nothing."""
        return self.voices.get(row, {}).get(reviewer)

    def others(self, row: int, reviewer: str) -> dict[str, Said]:
        """Return what other people say of a row, or a table that contradicts itself."""
        return {who: said for who, said in self.voices.get(row, self.tables.get(row, {})).items() if who != reviewer}

    def heard_of_others(self, reviewer: str) -> Int64s:
        """Return the rows of which others say something and this person nothing; not those that are disputed."""
        rows = np.array([row for row, said in self.voices.items() if reviewer not in said], np.int64)
        return rows[~self.disputed[rows]]

    def hides(self, row: int, reviewer: str) -> bool:
        """Return whether others have said something of a row that this reviewer, who has said nothing, is not to know."""
        heard = self.voices.get(row, {})
        return bool(heard) and reviewer not in heard

    def known_to(self, row: int, reviewer: str) -> Said | None:
        """Return what holds of a row as far as a reviewer may know it: what they or the dataset said."""
        holds = self.holds(row)
        return None if self.hides(row, reviewer) or holds.state == "none" else holds
