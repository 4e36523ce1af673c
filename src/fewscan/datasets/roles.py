"""A split on disk: the role of every row that there was, frozen; and which part a row is in, given the labels of today.

A role says what a row is for, whether it has a label or not. What becomes of later labels and of later images follows from it.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fewscan.datasets.descriptions import SPLITS, SplitDescription
from fewscan.digests import known_content
from fewscan.errors import FewscanError
from fewscan.parquet import parquet_content, parquet_table

Int64s = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]

# labeled, unlabeled: to learn from, with a label as soon as there is one. hidden: to learn from, its label being beyond the
# budget for ever. validation, test: judges as soon as it has a label that may. left out: for nothing. open: what its group is
# for, when the row can be used: the split has not dealt with it, as with images that came later.
Role = Literal["labeled", "unlabeled", "hidden", "validation", "test", "left out", "open"]
LEARNING: tuple[Role, ...] = ("labeled", "unlabeled", "hidden")
JUDGING: tuple[Role, ...] = ("validation", "test")

_META = b"fewscan"


class Moment(NamedTuple):
    """What rows are when their parts are asked for."""

    labels: Int64s  # (N,) class, -1 for none
    usable: npt.NDArray[np.bool_]  # (N,)
    conflict: npt.NDArray[np.bool_]  # (N,) copies carry another label
    groups: Int64s  # (N,) -1 where nobody has looked
    copy_sets: Int64s  # (N,) likewise
    only_teaches: npt.NDArray[np.bool_]  # (N,) the label judges nothing

    @property
    def judging(self) -> npt.NDArray[np.bool_]:
        """(N,) which rows have a label that may judge."""
        return (self.labels >= 0) & ~self.only_teaches


class StoredSplit(NamedTuple):
    """A split as it was drawn: what is said of it, and the role of each of its first rows."""

    description: SplitDescription
    roles: Texts

    @classmethod
    def of(cls, description: SplitDescription, parts: Texts, moment: Moment, given: Texts | None = None) -> Self:
        """Freeze a split that was just drawn; parts: (N,) one of SPLITS each, or None for what is left out.

        given: (N,) what the data came with, where that is kept: images given for `test` or `validation` wait for their label,
        but for those whose group stands on another side as well.
        What is in no part since it has no label, cannot be used or is in conflict stays open: its group says what it is for
        when that changes. What is left out for its size stays left out.
        """
        roles = np.array([part or "left out" for part in parts], dtype=object)
        roles[(roles == "unlabeled") & (moment.labels >= 0)] = "hidden"
        if description.grouped:
            is_open = pd.isna(parts) & (~moment.judging | moment.conflict | ~moment.usable)
            roles[is_open] = "open"
            if given is not None:
                judging = is_open & np.isin(given, JUDGING)
                barred = moment.conflict | np.isin(moment.copy_sets, list(_judged(roles, moment)))
                roles[judging] = given[judging]
                sides = _roles_of_groups(roles, moment.groups, judging)
                barred |= np.isin(moment.groups, [group for group, role in sides.items() if role == "left out"])
                roles[judging & barred] = "left out"
        return cls(description, roles)

    def parts(self, moment: Moment) -> tuple[Texts, Int64s]:
        """Return (N,) the part of every row, None for none, and the open rows that would tie what judges to what teaches.

        N may be more than the split's rows: an added image whose group tests never teaches.
        """
        roles, tying = self._settled(moment)
        labeled = moment.labels >= 0
        parts = np.full(len(roles), None, dtype=object)
        for role in LEARNING:
            parts[roles == role] = "unlabeled"
        parts[np.isin(roles, ("labeled", "unlabeled")) & labeled] = "labeled"
        for role in JUDGING:
            parts[(roles == role) & moment.judging] = role
        # The test set that the data came with stays whole; of all others images in conflict are left out.
        kept = np.zeros(len(roles), bool)
        kept[: len(self.roles)] = (self.roles == "test") & (self.description.given_leaks is not None)
        parts[~moment.usable | (moment.conflict & ~kept & self.description.grouped)] = None
        return parts, tying

    def roles_now(self, moment: Moment) -> Texts:
        """Return (N,) what every row is for, also of one that has no label yet, or came later."""
        return self._settled(moment)[0]

    def _settled(self, moment: Moment) -> tuple[Texts, Int64s]:
        """Return (N,) the roles, open ones by their groups, and which of these rows tie two sides: those are left out.

        In a group that judges an open row does so, too, unless a copy of it does already.
        """
        came_later = len(moment.labels) - len(self.roles)
        roles = np.concatenate([self.roles, np.full(came_later, "open", dtype=object)])
        is_open = roles == "open"
        if not self.description.grouped:
            roles[is_open] = "unlabeled"
            return roles, np.zeros(0, np.int64)
        of_groups = _roles_of_groups(roles, moment.groups, is_open)
        judged = _judged(roles, moment)
        tying = []
        for row in np.flatnonzero(is_open).tolist():
            role = of_groups.get(int(moment.groups[row]), "unlabeled")
            if role == "left out":
                tying.append(row)
            elif role in JUDGING and int(moment.copy_sets[row]) in judged:
                role = "left out"
            elif role in JUDGING and moment.judging[row]:
                judged.add(int(moment.copy_sets[row]))
            roles[row] = role
        return roles, np.array(tying, np.int64)

    def as_parquet(self) -> tuple[bytes, str]:
        """Return the split as it is stored, and the SHA-256 of that."""
        table = pa.table({"role": pa.array(self.roles.tolist(), pa.string()).dictionary_encode()})
        content = parquet_content(table, {_META: self.description.model_dump_json()})
        return content, hashlib.sha256(content).hexdigest()

    @classmethod
    def read(cls, path: Path, sha256s: Sequence[str], otherwise: str) -> Self:
        """Read a split, which has one of these SHA-256s; `otherwise` is what helps where it is missing, damaged or another.

        Raises FewscanError then.
        """
        content = known_content(path, sha256s, otherwise)
        try:
            table = parquet_table(content)
            description = SplitDescription.parse(json.loads(table.schema.metadata[_META]), where=path.name)
            return cls(description, np.array(table["role"].to_pylist(), dtype=object))
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            raise FewscanError(f"{path} is damaged: {otherwise}") from None


def split_fingerprint(parts: Texts) -> str:
    """Return a SHA-256 over which row is in which part, (N,) one of SPLITS each, or missing."""
    return hashlib.sha256(",".join(np.where(pd.isna(parts), "-", parts)).encode()).hexdigest()


def fingerprint_of_test_set(identity: str, rows: Int64s) -> str:
    """Return what tells a test set from all others: the dataset's identity, and the numbers of its rows."""
    return hashlib.sha256(f"{identity} {','.join(map(str, rows.tolist()))}".encode()).hexdigest()


def fingerprint_of_groups(groups: Int64s) -> str:
    """Return what tells which rows are in one group, (N,) numbers, -1 for a row by itself, from all other groupings."""
    alone = np.where(groups < 0, -1 - np.arange(len(groups)), groups)
    return hashlib.sha256(pd.factorize(alone)[0].astype("<i8").tobytes()).hexdigest()


def counts_of(parts: Texts) -> dict[str, int]:
    """Return how many rows each of SPLITS has."""
    return {part: int((parts == part).sum()) for part in SPLITS}


def _judged(roles: Texts, moment: Moment) -> set[int]:
    """Return the sets of copies that judge already."""
    return set(moment.copy_sets[np.isin(roles, JUDGING)].tolist()) - {-1}


def _roles_of_groups(roles: Texts, groups: Int64s, asked: npt.NDArray[np.bool_]) -> dict[int, Role]:
    """Return what the groups of some rows are for, by all their rows but open ones; `left out` on both sides of a border."""
    telling = np.isin(groups, groups[asked]) & (groups >= 0) & ~np.isin(roles, ("open", "left out"))
    found: dict[int, Role] = {}
    for role, group in zip(roles[telling].tolist(), groups[telling].tolist(), strict=True):
        mine: Role = "unlabeled" if role in LEARNING else role
        found[group] = mine if found.get(group, mine) == mine else "left out"
    return found
