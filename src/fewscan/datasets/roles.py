"""A split on disk: the role of every row that there was, frozen; and which part a row is in, given the labels of today.

A role says what a row is for, whether it has a label or not. What becomes of later labels and of later images follows from it.
"""

import hashlib
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fewscan.datasets.descriptions import SPLITS, SplitDescription
from fewscan.errors import FewscanError

Int64s = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]

# labeled, unlabeled: to learn from, with a label as soon as there is one. hidden: to learn from, its label being beyond the
# budget for ever. validation, test: judges as soon as it has a label. left out: for nothing.
Role = Literal["labeled", "unlabeled", "hidden", "validation", "test", "left out"]
LEARNING: tuple[Role, ...] = ("labeled", "unlabeled", "hidden")

_META = b"fewscan"


class Moment(NamedTuple):
    """What rows are when their parts are asked for."""

    labels: Int64s  # (N,) class, -1 for none
    usable: npt.NDArray[np.bool_]  # (N,)
    conflict: npt.NDArray[np.bool_]  # (N,) copies carry another label
    groups: Int64s  # (N,) -1 where nobody has looked
    copy_sets: Int64s  # (N,) likewise


class StoredSplit(NamedTuple):
    """A split as it was drawn: what is said of it, and the role of each of its first rows."""

    description: SplitDescription
    roles: Texts

    @classmethod
    def of(cls, description: SplitDescription, parts: Texts, moment: Moment, given: Texts | None = None) -> Self:
        """Freeze a split that was just drawn; parts: (N,) one of SPLITS each, or None for what is left out.

        given: (N,) what the data came with, where that is kept: images given for `test` or `validation` wait for their label.
        What waits for a label in a group that tests will test, unless a copy of it does so already; what is left out for its
        size stays left out; and what was left out since people disagree is learned from when they agree.
        """
        roles = np.array([part or "left out" for part in parts], dtype=object)
        roles[(roles == "unlabeled") & (moment.labels >= 0)] = "hidden"
        if description.grouped:
            waiting = pd.isna(parts) & ((moment.labels < 0) | moment.conflict | ~moment.usable)
            of_groups = _roles_of_groups(roles, moment.groups)
            of_copies = set(moment.copy_sets[np.isin(roles, ("test", "validation"))].tolist()) - {-1}
            for row in np.flatnonzero(waiting).tolist():
                role = of_groups.get(int(moment.groups[row]), "unlabeled")
                if given is not None and given[row] in ("test", "validation"):
                    role = given[row]
                is_copy = int(moment.copy_sets[row]) in of_copies or (moment.conflict[row] and description.given_leaks)
                roles[row] = "left out" if role in ("test", "validation") and is_copy else role
        return cls(description, roles)

    def parts(self, moment: Moment) -> tuple[Texts, Int64s]:
        """Return (N,) the part of every row, None for none, and the added rows that would tie what judges to what teaches.

        N may be more than the split's rows: an added image whose group tests never teaches.
        """
        roles, tying = self._of_all(moment)
        labeled = moment.labels >= 0
        parts = np.full(len(roles), None, dtype=object)
        for role in LEARNING:
            parts[roles == role] = "unlabeled"
        parts[np.isin(roles, ("labeled", "unlabeled")) & labeled] = "labeled"
        for role in ("validation", "test"):
            parts[(roles == role) & labeled] = role
        # The test set that the data came with stays whole; of all others images in conflict are left out.
        kept = roles == "test" if self.description.given_leaks else np.zeros(len(roles), bool)
        parts[~moment.usable | (moment.conflict & ~kept & self.description.grouped)] = None
        return parts, tying

    def _of_all(self, moment: Moment) -> tuple[Texts, Int64s]:
        known, count = len(self.roles), len(moment.labels)
        roles = np.concatenate([self.roles, np.full(count - known, "unlabeled", dtype=object)])
        if not self.description.grouped or count == known:
            return roles, np.zeros(0, np.int64)
        of_groups = _roles_of_groups(self.roles, moment.groups[:known])
        copies = set(moment.copy_sets[:known].tolist()) - {-1}
        tying = []
        for row in range(known, count):
            role = of_groups.get(int(moment.groups[row]), "unlabeled") if moment.groups[row] >= 0 else "unlabeled"
            if role == "left out":
                tying.append(row)
            is_copy = role in ("test", "validation") and int(moment.copy_sets[row]) in copies
            roles[row] = "left out" if is_copy else role
        return roles, np.array(tying, np.int64)

    def as_parquet(self) -> tuple[bytes, str]:
        """Return the split as it is stored, and the SHA-256 of that."""
        table = pa.table({"role": pa.array(self.roles.tolist(), pa.string()).dictionary_encode()})
        buffer = BytesIO()
        pq.write_table(table.replace_schema_metadata({_META: self.description.model_dump_json()}), buffer)
        return buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()

    @classmethod
    def read(cls, path: Path, sha256s: Sequence[str]) -> Self:
        """Read a split, which has one of these SHA-256s; raises FewscanError where it is missing, damaged or another."""
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() not in sha256s:
                raise FewscanError(
                    f"{path} was changed or damaged since fewscan wrote it: put back what it was, or draw it again"
                )
            table = pq.read_table(BytesIO(content))
            description = SplitDescription.parse(json.loads(table.schema.metadata[_META]), where=path.name)
            return cls(description, np.array(table["role"].to_pylist(), dtype=object))
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            raise FewscanError(f"{path} is missing or damaged: draw the split again") from None


def split_fingerprint(parts: pd.Series) -> str:
    """Return a SHA-256 over which row is in which part."""
    return hashlib.sha256(",".join(parts.fillna("-")).encode()).hexdigest()


def fingerprint_of_test_set(identity: str, rows: Int64s) -> str:
    """Return what tells a test set from all others: the dataset's identity, and the numbers of its rows."""
    return hashlib.sha256(f"{identity} {','.join(map(str, rows.tolist()))}".encode()).hexdigest()


def counts_of(parts: Texts) -> dict[str, int]:
    """Return how many rows each of SPLITS has."""
    return {part: int((parts == part).sum()) for part in SPLITS}


def _roles_of_groups(roles: Texts, groups: Int64s) -> dict[int, Role]:
    """Return what further members of a group are for; `left out` where it stands on both sides of a border already."""
    found: dict[int, Role] = {}
    for role, group in zip(roles.tolist(), groups.tolist(), strict=True):
        mine: Role = "unlabeled" if role in LEARNING else role
        if group < 0 or mine == "left out":
            continue
        found[group] = mine if found.get(group, mine) == mine else "left out"
    return found
