"""Find images that show the same slice, however it was processed, turned, mirrored, cropped or written on.

Four steps, each for the few images or pairs that the step before leaves over: describe.py, search.py, align.py, compare.py.
The search only proposes pairs; whether they are copies is decided by comparing the aligned images.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.align import Aligned, align
from fewscan.auditing.copies.candidates import NEIGHBORS, Candidates
from fewscan.auditing.copies.checkpoint import NOT_KEPT, Checkpoint
from fewscan.auditing.copies.compare import likeness
from fewscan.auditing.copies.described import Described, describe
from fewscan.auditing.copies.images import BATCH, Floats, Int64s, in_batches
from fewscan.auditing.copies.index import Way
from fewscan.auditing.copies.pairs import CopyPairs
from fewscan.auditing.copies.placing import turn_of
from fewscan.auditing.copies.search import AT_A_TIME, Searched
from fewscan.datasets.pairs import components
from fewscan.errors import FewscanError
from fewscan.images.stored import StoredImages
from fewscan.one_thread import libraries_of_one_thread
from fewscan.progress import progress_bar

# On 4,575 real scans copies are above it; neighboring slices of one head, and different heads, below (docs/audit.md).
DEFAULT_SIMILARITY = 0.86
# Below this nearly all pairs are two heads, so no less can be asked for.
LEAST_SIMILARITY = 0.8
# Candidates that are compared before what was found is kept: some ten seconds' work.
KEPT_AT_ONCE = 128 * BATCH


class Copies(NamedTuple):
    """Pairs of copies, how the new images are described, with their reach, and how they were looked for."""

    pairs: CopyPairs
    described: Described
    way: Way  # how the new ones were looked for


def find_copies(pixels: StoredImages, *, rows: Int64s | None = None, similarity: float = DEFAULT_SIMILARITY) -> CopyPairs:
    """Return the pairs of images whose likeness after alignment is at least `similarity`.

    `pixels` is (N, C, S, S) uint8 and may be memory-mapped; color is read as its mean. `rows` (R,) are the images to look
    among, all by default. A pair is looked for through changes of contrast, brightness, gamma, sharpness, size, crop border,
    padding and JPEG quality, through histogram equalization, inversion, mirroring, turns of up to 15 degrees, by a quarter and
    by a half, and burnt-in text. Of a large set of copies not every pair is named, but every member is joined to the set by
    some pair. Blank images are never copies. The same input gives the same pairs. Raises FewscanError for a similarity outside
    LEAST_SIMILARITY to 1.
    """
    rows = np.arange(len(pixels)) if rows is None else np.sort(rows)
    return find_copies_of(pixels, describe_images(pixels, rows), similarity=similarity).pairs


def describe_images(
    pixels: StoredImages, rows: Int64s, like: Described | None = None, checkpoint: Checkpoint = NOT_KEPT
) -> Described:
    """Describe `rows`, ascending, to find copies of them, now or later: as others were described, or by what they are.

    checkpoint: what an audit that was stopped had done, and where it is kept.
    """
    learned = () if like is None else (like.projection.offset, like.projection.directions)
    with workers_of_one_thread() as workers:
        return checkpoint.described([rows, *learned], lambda: describe(pixels, rows, workers, like))


def find_copies_of(
    pixels: StoredImages,
    new: Described,
    known: Described | None = None,
    known_pairs: Int64s | None = None,
    *,
    similarity: float = DEFAULT_SIMILARITY,
    checkpoint: Checkpoint = NOT_KEPT,
) -> Copies:
    """Return the pairs among `new` images, and between them and those `known`; as `find_copies` does for all.

    known: images that were described alike; only their descriptors are read, and the pixels of what is compared more closely.
    known_pairs: (P, 2) rows of the known ones that are copies of each other, so that large sets of them are one.
    checkpoint: what an audit that was stopped had done, and where it is kept.
    """
    if not LEAST_SIMILARITY <= similarity <= 1:
        raise FewscanError(f"the similarity cannot be {similarity}: choose one from {LEAST_SIMILARITY} to 1")
    searched = Searched(pixels, new, new.of(new.rows[:0]) if known is None else known, checkpoint)
    rows = searched.rows
    linked = _numbers_of(rows, np.zeros((0, 2), np.int64) if known_pairs is None else known_pairs)
    tried = np.zeros(0, np.int64)
    found: list[CopyPairs] = []
    reach = None
    members, asked = np.arange(len(rows)), np.arange(len(new)) if len(rows) > 1 else np.zeros(0, np.int64)
    with progress_bar() as bar, workers_of_one_thread() as workers:
        looking = bar.add_task("looking for neighbors", total=None, numbers="")
        comparing = bar.add_task("comparing pairs", total=None, numbers="")
        while len(asked):
            reached = np.full(len(new), -1, np.float32)
            neighbors: list[Int64s] = []
            bar.reset(looking, total=len(asked))
            around = searched.candidates(asked, np.sort(members), workers, partial(bar.advance, looking))
            for part, candidates in enumerate(around, start=1):
                bar.update(looking, completed=min(part * AT_A_TIME, len(asked)))
                reached = np.maximum(reached, candidates.reach(len(new)))
                neighbors.append(np.column_stack([candidates.asker, candidates.partner]))
                fresh, tried = _not_tried(candidates, tried, len(rows))
                bar.update(comparing, total=len(tried))
                for some in _in_parts(fresh, KEPT_AT_ONCE):
                    compare = partial(_copies_among, pixels, rows, some, similarity, workers)
                    found.append(checkpoint.pairs(CopyPairs, [rows, *some.compared], compare))
                    bar.advance(comparing, len(some))
            reach = reached if reach is None else reach
            sets = components(len(rows), np.concatenate([linked, _ends(CopyPairs.joined(found))]))
            # Whoever saw few sets in its neighborhood saw a large one, and looks beyond it among one member of each: a new one
            # where there is one, since these have the lowest numbers.
            _, members = np.unique(sets, return_index=True)
            asked = _crowded(np.concatenate(neighbors), sets, members) if len(members) < len(sets) else asked[:0]
        bar.update(looking, visible=False)
    described = new if reach is None else replace(new, reach=reach)
    return Copies(CopyPairs.joined(found).in_order(rows), described, searched.way(len(new)))


def _numbers_of(rows: Int64s, pairs: Int64s) -> Int64s:
    """Return the places in `rows` of pairs (P, 2) of them; without those that are not there."""
    order = np.argsort(rows)
    places = np.minimum(np.searchsorted(rows, pairs, sorter=order), len(rows) - 1)
    numbers = order[places]
    return np.asarray(numbers[(rows[numbers] == pairs).all(axis=1)], np.int64)


def are_copies(pixels: StoredImages, first: Int64s, second: Int64s, symmetry: Int64s) -> npt.NDArray[np.bool_]:
    """Return (P,) whether given pairs of images are copies: whether their likeness is at least DEFAULT_SIMILARITY.

    first, second: (P,) numbers of the images; symmetry: (P,) which of `placing.SYMMETRIES` of the first looks like the second.
    """
    candidates = Candidates.whole(first, second, symmetry)
    numbers = np.arange(len(pixels))

    def found(places: Int64s) -> npt.NDArray[np.bool_]:
        copies = np.zeros(len(places), bool)
        aligned, alike = _compared(pixels, numbers, candidates.at(places), enough=DEFAULT_SIMILARITY)
        copies[aligned.which] = alike >= DEFAULT_SIMILARITY
        return copies

    with workers_of_one_thread() as workers:
        return np.concatenate([np.zeros(0, bool), *workers.map(found, in_batches(np.arange(len(first))))])


def _ends(pairs: CopyPairs) -> Int64s:
    return np.column_stack([pairs.row_a, pairs.row_b])


def _not_tried(candidates: Candidates, tried: Int64s, count: int) -> tuple[Candidates, Int64s]:
    """Return the candidates that are new, each pair once, in the order of their first images; and all pairs tried so far."""
    low, high = np.minimum(candidates.asker, candidates.partner), np.maximum(candidates.asker, candidates.partner)
    keys = low * count + high
    _, once = np.unique(keys, return_index=True)
    fresh = np.sort(once[~np.isin(keys[once], tried)])
    return candidates.at(fresh), np.concatenate([tried, keys[fresh]])


def _in_parts(candidates: Candidates, size: int) -> Iterator[Candidates]:
    for start in range(0, len(candidates), size):
        yield candidates.at(slice(start, start + size))


def _crowded(neighbors: Int64s, sets: Int64s, members: Int64s) -> Int64s:
    """Return the members of the sets in which some image has a full neighborhood of few sets; neighbors: (P, 2)."""
    asker, partner = neighbors.T
    seen = np.unique(asker * len(sets) + sets[partner]) // len(sets)
    distinct, full = np.bincount(seen, minlength=len(sets)), np.bincount(asker, minlength=len(sets)) >= NEIGHBORS
    return members[np.unique(sets[full & (distinct <= NEIGHBORS // 2)])]


def _copies_among(
    pixels: StoredImages, rows: Int64s, candidates: Candidates, similarity: float, workers: ThreadPoolExecutor
) -> CopyPairs:
    """Return the copies among the candidates, compared BATCH at a time."""
    batches = _in_parts(candidates, BATCH)
    return CopyPairs.joined(list(workers.map(lambda batch: _copies_in(pixels, rows, batch, similarity), batches)))


def _copies_in(pixels: StoredImages, rows: Int64s, candidates: Candidates, similarity: float) -> CopyPairs:
    aligned, score = _compared(pixels, rows, candidates)
    first, second = candidates.first[aligned.which], candidates.second[aligned.which]
    turns = [turn_of(placing) for placing in aligned.placings]
    mirrored, turned = np.array([one.mirrored for one in turns], bool), np.array([one.turned for one in turns], np.int64)
    return CopyPairs(first, second, score, mirrored, turned, aligned.signs < 0).at(score >= similarity)


def _compared(pixels: StoredImages, rows: Int64s, candidates: Candidates, enough: float = np.inf) -> tuple[Aligned, Floats]:
    """Return the candidates that could be aligned, and their likeness, as `likeness` does."""
    aligned = align(pixels, rows, candidates)
    first = aligned.signs[:, None, None] * aligned.first
    return aligned, likeness(first, aligned.second, aligned.inside, enough)


@contextmanager
def workers_of_one_thread() -> Iterator[ThreadPoolExecutor]:
    """Threads that each compute whole batches; NumPy, faiss and OpenCV let go of the interpreter meanwhile."""
    with libraries_of_one_thread(), ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        yield workers
