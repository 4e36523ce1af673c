"""Step 2, search: the nearest vectors of every view of an image, put onto itself in all eight ways, by faiss.

Views are described batch by batch and only the nearest images are kept, of so many that ask at a time.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.candidates import CANDIDATE_COSINE, NEIGHBORS, Candidates
from fewscan.auditing.copies.checkpoint import Checkpoint
from fewscan.auditing.copies.describe import histograms
from fewscan.auditing.copies.described import Described, Halves, unknown_reach
from fewscan.auditing.copies.images import BATCH, Floats, Int64s, in_batches, read_gray
from fewscan.auditing.copies.index import Way, index_of, way_among
from fewscan.auditing.copies.placing import ENLARGED, SYMMETRIES, UNDONE_BY, VIEWS, WHOLE
from fewscan.faiss_library import faiss
from fewscan.images.stored import StoredImages

# Among how many a new image is looked for in the neighborhoods of known ones; and how many are looked at whose enlarged view is
# nearest to it, whoever else is nearer to them: those of a large set of copies have each other for neighbors.
FAR_NEIGHBORS = 32
NEAREST_ENLARGED = 4

# So often an image is looked for.
QUERIES = len(VIEWS) * len(SYMMETRIES)

# Up to so many images are too few to learn the projection from.
FEW_IMAGES = 256

# So many images ask at a time, which bounds the memory that their candidates take.
AT_A_TIME = 1 << 17


@dataclass(frozen=True)
class _Places:
    """Images, seen in one view, among which the nearest are looked for."""

    view: int
    numbers: Int64s
    index: faiss.Index


@dataclass(frozen=True)
class Searched:
    """The images of one search. Their numbers count those that are `new` first, then those `known`, which ask nobody.

    What is found is kept in the checkpoint.
    """

    pixels: StoredImages
    new: Described
    known: Described
    checkpoint: Checkpoint

    @property
    def rows(self) -> Int64s:
        """The row of every number."""
        return np.concatenate([self.new.rows, self.known.rows])

    def candidates(
        self, asked: Int64s, among: Int64s, workers: ThreadPoolExecutor, looked: Callable[[int], object]
    ) -> Iterator[Candidates]:
        """Yield, for each number in `asked`, which are new, its neighborhood in `among`, and in whose neighborhood it is.

        Neighbors are what its views are nearest to, and known ones with an enlarged view near to it. `among` is ascending.
        So many are yielded together as ask at a time. `looked` is told of how many more neighbors have been looked for.
        """
        around = _Around(self, asked, among)
        for some in in_batches(asked, AT_A_TIME):
            find = partial(around.neighbors, some, workers, looked)
            yield self.checkpoint.pairs(Candidates, [*self._decides, asked, among, some], find)

    def way(self, asked: int) -> Way:
        """Return how so many numbers are looked for among all."""
        return way_among(len(self.new) + len(self.known), asked * QUERIES)

    @cached_property
    def reach(self) -> Floats:
        """The cosine of the farthest image in every number's neighborhood, where it is known."""
        return np.concatenate([unknown_reach(self.new.rows), self.known.reach])

    @cached_property
    def _decides(self) -> tuple[npt.NDArray[Any], ...]:
        """What decides, with the images, who is near to whom."""
        projection = self.new.projection
        return projection.offset, projection.directions, self.new.rows, self.known.rows, self.known.reach

    def places(self, view: int, among: Int64s, queries: int) -> "_Places":
        """Return these images, seen in a view, as they are searched by so many queries."""
        return _Places(view, among, index_of(self._vectors(view, among), queries))

    def nearest(
        self,
        asked: Int64s,
        views: Sequence[int],
        places: "_Places",
        workers: ThreadPoolExecutor,
        looked: Callable[[int], object],
    ) -> Candidates:
        """Return whom in these places any view of those asked is nearest to, or in whose reach it is."""
        least_cosine = -1.0 if len(self.new) + len(self.known) <= FEW_IMAGES else CANDIDATE_COSINE

        def nearest(batch: Int64s) -> Candidates:
            seen = Candidates.joined(list(self._seen(batch, views, places)))
            other = (seen.partner != seen.asker) & (seen.partner >= 0) & (seen.cosine >= least_cosine)
            return seen.at(other).best_of_pairs().nearest(NEIGHBORS, self.reach)

        # Few images are shared out among the workers too.
        size = max(1, min(BATCH, -(-len(asked) // (os.cpu_count() or 1))))
        parts = []
        for part, batch in zip(workers.map(nearest, in_batches(asked, size)), in_batches(asked, size), strict=True):
            parts.append(part)
            looked(len(batch))
        return Candidates.joined(parts)

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


@dataclass(frozen=True)
class _Around:
    """Those among whom some images are looked for; made ready to be searched once somebody is."""

    searched: Searched
    asked: Int64s
    among: Int64s

    @cached_property
    def whole(self) -> _Places:
        return self.searched.places(WHOLE, self.among, len(self.asked) * QUERIES)

    @cached_property
    def enlarged(self) -> list[_Places]:
        older = self.among[self.among >= len(self.searched.new)]
        queries = len(self.asked) * len(SYMMETRIES)
        return [self.searched.places(view, older, queries) for view in ENLARGED] if len(older) else []

    def neighbors(self, some: Int64s, workers: ThreadPoolExecutor, looked: Callable[[int], object]) -> Candidates:
        """Return the neighborhoods of some of those that ask."""
        searched = self.searched
        near = searched.nearest(some, tuple(range(len(VIEWS))), self.whole, workers, looked)
        if not self.enlarged:
            return near
        parts = [searched.nearest(some, (WHOLE,), places, workers, _unheard) for places in self.enlarged]
        more = Candidates.joined(parts).best_of_pairs().nearest(NEAREST_ENLARGED, searched.reach)
        return Candidates.joined([near, more]).best_of_pairs()


def _unheard(number: int) -> None:
    """Tell nobody."""
