"""Pairs of images that the audit holds together, on disk; and the groups, sets of copies and conflicts that follow."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fewscan.digests import known_content
from fewscan.errors import FewscanError
from fewscan.parquet import parquet_frame, typed
from fewscan.wording import command_line

PAIRS_FILE = "pairs.parquet"

Int64s = npt.NDArray[np.int64]
# How two images are known to belong together: copies by the file's bytes, by pixels, by likeness; or probably one head's.
PairKind = Literal["bytes", "pixels", "near", "head"]
PAIR_DTYPES = {
    "row_a": "int64",
    "row_b": "int64",
    "kind": "str",
    "similarity": "float64",
    # How the second lies beside the first, as `images.turns.Turn`; null where an earlier version did not note it.
    "mirrored": "bool",
    "turned": "Int64",
    "inverted": "boolean",
}
NOTED_LATER = ("turned", "inverted")


class Grouping(NamedTuple):
    """(N,) the number, from 0, of each row's set of copies, and of its group: what must stay together; -1 for no number."""

    copy_sets: Int64s
    groups: Int64s


def no_pairs() -> pd.DataFrame:
    """Return a table of pairs without any."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in PAIR_DTYPES.items()})


def as_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return a table as PAIR_DTYPES, with null for what an earlier version did not note.

    Raises what pandas does where any other column is missing or holds something else.
    """
    return typed(pairs.assign(**{name: pd.NA for name in NOTED_LATER if name not in pairs}), PAIR_DTYPES)


def as_told(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return a table as Python's own numbers and names, None where there is none."""
    return pairs.astype(object).where(pairs.notna(), None)


def as_parquet(pairs: pd.DataFrame) -> tuple[bytes, str]:
    """Return pairs, with the columns of PAIR_DTYPES, as they are stored, and the SHA-256 of that."""
    content: bytes = as_pairs(pairs).to_parquet(index=False)
    return content, hashlib.sha256(content).hexdigest()


def read_pairs(folder: Path, sha256s: Sequence[str]) -> pd.DataFrame:
    """Read `pairs.parquet`, which has one of these SHA-256s; raises FewscanError where it is missing, damaged or another."""
    path = folder / PAIRS_FILE
    anew = f"run '{command_line('audit', folder, '--overwrite')}'"
    content = known_content(path, sha256s, anew)
    try:
        return as_pairs(parquet_frame(content))
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError):
        raise FewscanError(f"{path} is damaged: {anew}") from None


def among(pairs: pd.DataFrame, rows: Int64s) -> pd.DataFrame:
    """Return the pairs of which both images are among `rows`."""
    return pairs[np.isin(ends(pairs), rows).all(axis=1)]


def grouping(pairs: pd.DataFrame, patients: Sequence[str | None], rows: Int64s) -> Grouping:
    """Return the sets of copies and the groups of `rows`, by the pairs among them and by patients (N,), None where unknown."""
    both = ends(pairs)
    own = np.isin(both, rows).all(axis=1)
    copies = both[own & np.asarray(pairs["kind"].array != "head")]
    links = [both[own], same_patient([patients[row] for row in rows.tolist()], rows)]
    return Grouping(numbered(len(patients), rows, copies), numbered(len(patients), rows, np.concatenate(links)))


def conflicts(
    pairs: pd.DataFrame, labels: Sequence[str | None], patients: Sequence[str | None], rows: Int64s
) -> list[tuple[int, ...]]:
    """Return the rows of every set of copies among `rows` that carry more than one label.

    Near copies of one patient, or in one file, are no reason for one label: neighboring slices of a head look alike, and a
    lesion ends somewhere. labels, patients: (N,), None where there is none.
    """
    own = pairs if pairs.empty else among(pairs[pairs["kind"] != "head"], rows)
    if own.empty:
        return []
    of_one = [
        kind == "near" and patients[a] is not None and patients[a] == patients[b]
        for a, b, kind in zip(own["row_a"], own["row_b"], own["kind"], strict=True)
    ]
    alike = own[~np.array(of_one, bool)]
    sets = members_of(numbered(len(labels), rows, ends(alike)), rows)
    named = ((members, {labels[row] for row in members.tolist()} - {None}) for members in sets)
    return [tuple(members.tolist()) for members, names in named if len(names) > 1]


def ends(pairs: pd.DataFrame) -> Int64s:
    """Return (P, 2) the rows of pairs."""
    return np.column_stack([pairs[name].to_numpy(np.int64) for name in ("row_a", "row_b")])


def same_patient(patients: Sequence[str | None], rows: Int64s) -> Int64s:
    """Return (P, 2) links between `rows` of one patient, whichever sources these are in; patients: of these rows."""
    return np.array(linked_to_first(rows, patients), np.int64).reshape(-1, 2)


def linked_to_first(rows: Int64s, keys: Sequence[str | None]) -> list[tuple[int, int]]:
    """Return (first row with the key, other row with it) for every other row; None is no key."""
    first: dict[str, int] = {}
    keyed = ((row, key) for row, key in zip(rows.tolist(), keys, strict=True) if key is not None)
    return [(known, row) for row, key in keyed if (known := first.setdefault(key, row)) != row]


def components(count: int, pairs: Int64s) -> Int64s:
    """Return (count,) the connected component, from 0, of every row; `pairs` is (P, 2) row numbers."""
    if not len(pairs):
        return np.arange(count)
    # Takes as long to load as all else that opening a dataset needs.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def numbered(count: int, rows: Int64s, links: Int64s) -> Int64s:
    """Return (count,) the component of every row, numbered from 0 among `rows`; -1 for all others."""
    numbers = np.full(count, -1)
    numbers[rows] = np.unique(components(count, links)[rows], return_inverse=True)[1]
    return numbers


def members_of(numbers: Int64s, rows: Int64s) -> list[Int64s]:
    """Return the rows of every number that more than one of `rows` has."""
    order = rows[np.argsort(numbers[rows], kind="stable")]
    borders = np.flatnonzero(np.diff(numbers[order])) + 1
    return [members for members in np.split(order, borders) if len(members) > 1]


def names_in(column: pd.Series | pd.api.extensions.ExtensionArray) -> list[str | None]:
    """Return a column of names, None where one is missing."""
    names: list[str | None] = column.to_numpy(object, na_value=None).tolist()
    return names
