"""What the search proposes: pairs of images that may be copies."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.images import Floats, Int64s
from fewscan.auditing.copies.placing import WHOLE

# How many images are looked at more closely for every image, the best of all its views: its neighborhood.
NEIGHBORS = 8
# Vectors of one slice agree at least this much, where the projection was learned from enough images.
CANDIDATE_COSINE = 0.55


@dataclass(frozen=True)
class Candidates:
    """Pairs (P,) that may be copies: `partner` is among the nearest of `asker`.

    What is alike is a view of `first` and the whole `second`; `view` and `symmetry` say which one, `cosine` how much.
    `partner_is_first` says whose view it is.
    """

    asker: Int64s
    partner: Int64s
    view: Int64s
    symmetry: Int64s
    partner_is_first: npt.NDArray[np.bool_]
    cosine: Floats

    @classmethod
    def whole(cls, first: Int64s, second: Int64s, symmetry: Int64s) -> "Candidates":
        """Return given pairs of whole images."""
        alike = np.ones(len(first), np.float32)
        return cls(first, second, np.full_like(first, WHOLE), symmetry, np.zeros(len(first), bool), alike)

    @classmethod
    def joined(cls, parts: Sequence["Candidates"]) -> "Candidates":
        """Return the pairs of several searches."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.asker)

    def at(self, chosen: npt.NDArray[np.generic] | slice) -> "Candidates":
        """Return some of the pairs."""
        return Candidates(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def first(self) -> Int64s:
        """Whose view it is."""
        return np.where(self.partner_is_first, self.partner, self.asker)

    @property
    def second(self) -> Int64s:
        """What the view looks like."""
        return np.where(self.partner_is_first, self.asker, self.partner)

    @property
    def compared(self) -> list[Int64s]:
        """What decides which of them are copies; how much alike the search found them no longer does."""
        return [self.first, self.second, self.view, self.symmetry]

    def best_of_pairs(self) -> "Candidates":
        """Return every pair once, as it looks most alike; ordered by asker, then by partner."""
        order = np.lexsort((-self.cosine, self.partner, self.asker))
        ends = np.column_stack([self.asker, self.partner])[order]
        _, best = np.unique(ends, axis=0, return_index=True)
        return self.at(order[best])

    def nearest(self, most: int, reach: Floats) -> "Candidates":
        """Return, of pairs ordered by asker, the `most` alike of every asker, and those within their partner's `reach`."""
        order = np.lexsort((-self.cosine, self.asker))
        _, start, count = np.unique(self.asker, return_index=True, return_counts=True)
        rank = np.arange(len(order)) - np.repeat(start, count)
        return self.at(order[(rank < most) | (self.cosine >= reach[self.partner])[order]])

    def reach(self, askers: int) -> Floats:
        """Return (askers,) the cosine of the last one in every asker's neighborhood, CANDIDATE_COSINE where it is not full."""
        alike = self.at(np.lexsort((-self.cosine, self.asker)))
        _, start, count = np.unique(alike.asker, return_index=True, return_counts=True)
        full = start[count >= NEIGHBORS] + NEIGHBORS - 1
        reached = np.full(askers, CANDIDATE_COSINE, np.float32)
        reached[alike.asker[full]] = alike.cosine[full]
        return reached
