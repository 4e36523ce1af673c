"""Pairs of copies, as the search for them finds them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.images import Floats, Int64s


@dataclass(frozen=True)
class CopyPairs:
    """Pairs of copies: `row_a < row_b` (P,), `similarity` (P,) in [-1, 1], and how b lies beside a, as `images.turns.Turn`.

    `mirrored` (P,) and `inverted` (P,) say whether, `turned` (P,) by 0, 90, 180 or 270 degrees.
    """

    row_a: Int64s
    row_b: Int64s
    similarity: Floats
    mirrored: npt.NDArray[np.bool_]
    turned: Int64s
    inverted: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.row_a)

    def at(self, chosen: npt.NDArray[np.generic]) -> "CopyPairs":
        """Return some of the pairs, by number or by mask."""
        return CopyPairs(*(getattr(self, column.name)[chosen] for column in fields(self)))

    def in_order(self, rows: Int64s) -> "CopyPairs":
        """Return pairs of numbers as pairs of these `rows`, the lower one first."""
        a, b = rows[self.row_a], rows[self.row_b]
        # A mirrored image that is turned becomes the other one by the same turn.
        back = np.where((a > b) & ~self.mirrored, -self.turned % 360, self.turned)
        ordered = replace(self, row_a=np.minimum(a, b), row_b=np.maximum(a, b), turned=back)
        return ordered.at(np.lexsort((ordered.row_b, ordered.row_a)))

    @classmethod
    def joined(cls, parts: Sequence["CopyPairs"]) -> "CopyPairs":
        """Return the pairs of several searches."""
        none = cls(*(np.zeros(0, kind) for kind in (np.int64, np.int64, np.float32, bool, np.int64, bool)))
        return cls(*(np.concatenate([getattr(part, one.name) for part in [none, *parts]]) for one in fields(none)))
