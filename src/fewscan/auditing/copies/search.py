"""Step 2, search: the nearest vectors of every view of an image, put onto itself in all eight ways, by faiss.

Views are described batch by batch and only the nearest images are kept, of so many that ask at a time.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property

import faiss
import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.describe import histograms
from fewscan.auditing.copies.described import Described, Halves, unknown_reach
from fewscan.auditing.copies.images import BATCH, Floats, Int64s, in_batches, read_gray
from fewscan.auditing.copies.index import Way, index_of, way_among
from fewscan.auditing.copies.placing import ENLARGED, SYMMETRIES, UNDONE_BY, VIEWS, WHOLE
from fewscan.images.stored import StoredImages

# How many images are looked at more closely for every image, the best of all its views: its neighborhood.
NEIGHBORS = 8
# Among how many a new image is looked for in the neighborhoods of known ones; and how many are looked at whose enlarged view is
# nearest to it, whoever else is nearer to them: those of a large set of copies have each other for neighbors.
FAR_NEIGHBORS = 32
NEAREST_ENLARGED = 4

# So often an image is looked for.
QUERIES = len(VIEWS) * len(SYMMETRIES)

# Vectors of one slice agree at least this much, unless there are too few images to learn the projection from.
CANDIDATE_COSINE = 0.55
FEW_IMAGES = 256

# So many images ask at a time, which bounds the memory that their candidates take.
AT_A_TIME = 1 << 17


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


@dataclass(frozen=True)
class _Places:
    """Images, seen in one view, among which the nearest are looked for."""

    view: int
    numbers: Int64s
    index: faiss.Index


@dataclass(frozen=True)
class Searched:
    """The images of one search. Their numbers count those that are `new` first, then those `known`, which ask nobody."""

    pixels: StoredImages
    new: Described
    known: Described

    @property
    def rows(self) -> Int64s:
        """The row of every number."""
        return np.concatenate([self.new.rows, self.known.rows])

    def candidates(self, asked: Int64s, among: Int64s, workers: ThreadPoolExecutor) -> Iterator[Candidates]:
        """Yield, for each number in `asked`, which are new, its neighborhood in `among`, and in whose neighborhood it is.

        Neighbors are what its views are nearest to, and known ones with an enlarged view near to it. `among` is ascending.
        So many are yielded together as ask at a time.
        """
        whole = self._places(WHOLE, among, len(asked) * QUERIES)
        older = among[among >= len(self.new)]
        enlarged = [self._places(view, older, len(asked) * len(SYMMETRIES)) for view in ENLARGED] if len(older) else []
        for some in in_batches(asked, AT_A_TIME):
            near = self._nearest(some, tuple(range(len(VIEWS))), whole, workers)
            if enlarged:
                parts = [self._nearest(some, (WHOLE,), places, workers) for places in enlarged]
                more = Candidates.joined(parts).best_of_pairs().nearest(NEAREST_ENLARGED, self._reach)
                near = Candidates.joined([near, more]).best_of_pairs()
            yield near

    def way(self, asked: int) -> Way:
        """Return how so many numbers are looked for among all."""
        return way_among(len(self.new) + len(self.known), asked * QUERIES)

    @cached_property
    def _reach(self) -> Floats:
        return np.concatenate([unknown_reach(self.new.rows), self.known.reach])

    def _places(self, view: int, among: Int64s, queries: int) -> "_Places":
        return _Places(view, among, index_of(self._vectors(view, among), queries))

    def _nearest(self, asked: Int64s, views: Sequence[int], places: "_Places", workers: ThreadPoolExecutor) -> Candidates:
        """Return whom in these places any view of those asked is nearest to, or in whose reach it is."""
        least_cosine = -1.0 if len(self.new) + len(self.known) <= FEW_IMAGES else CANDIDATE_COSINE

        def nearest(batch: Int64s) -> Candidates:
            seen = Candidates.joined(list(self._seen(batch, views, places)))
            other = (seen.partner != seen.asker) & (seen.partner >= 0) & (seen.cosine >= least_cosine)
            return seen.at(other).best_of_pairs().nearest(NEIGHBORS, self._reach)

        # Few images are shared out among the workers too.
        size = max(1, min(BATCH, -(-len(asked) // (os.cpu_count() or 1))))
        return Candidates.joined(list(workers.map(nearest, in_batches(asked, size))))

    def _seen(self, batch: Int64s, views: Sequence[int], among: "_Places") -> Iterator[Candidates]:
        """Yield whom every view of a batch is nearest to, in every symmetry."""
        kept = among.view
        gray = read_gray(self.pixels, self.new.rows[batch])
        most = min(FAR_NEIGHBORS if len(self.known) else NEIGHBORS + 1, len(among.numbers))
        partners_view = kept != WHOLE
        askers = np.tile(np.repeat(batch, most), len(SYMMETRIES))
        # The partner's view put onto itself is alike where this image is, put onto itself the other way around.
        symmetries = np.repeat(UNDONE_BY if partners_view else np.arange(len(SYMMETRIES)), len(batch) * most)
        for view in views:
            cosines, places = among.index.search(self.new.projection.in_all_symmetries(histograms(gray, VIEWS[view])), most)
            views_seen = np.full(places.size, kept if partners_view else view)
            partners = np.where(places >= 0, among.numbers[places], -1).ravel()
            is_first = np.full(places.size, partners_view)
            yield Candidates(askers, partners, views_seen, symmetries, is_first, cosines.ravel())

    def _vectors(self, view: int, numbers: Int64s) -> Halves:
        are_new = np.searchsorted(numbers, len(self.new))
        older = numbers[are_new:] - len(self.new)
        return np.concatenate([self.new.views[view][numbers[:are_new]], self.known.views[view][older]])
