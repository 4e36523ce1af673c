"""Which images belong together: exact copies, near copies and slices of one head, among all images or only of new ones.

What was found among images that were looked at before stays as it is: new images join, and by them groups grow together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.auditing.copies import NOT_KEPT, Checkpoint, Described, describe_images, find_copies_of
from fewscan.auditing.copies.index import Way
from fewscan.auditing.heads import describe_slices, same_head_pairs
from fewscan.datasets.pairs import as_pairs, components, ends, linked_to_first, names_in, no_pairs, numbered
from fewscan.images.stored import StoredImages
from fewscan.images.turns import Turn

Int64s = npt.NDArray[np.int64]
UPRIGHT = Turn()._asdict()
Describe = Callable[[Int64s, Described | None], Described]


@dataclass(frozen=True)
class Before:
    """What is known of the first `rows` images: their pairs, and where it is kept how they are described."""

    rows: int
    pairs: pd.DataFrame
    copies: Described | None
    slices: Described | None


NOTHING_BEFORE = Before(0, no_pairs(), None, None)


@dataclass(frozen=True)
class More:
    """Descriptions of images: `whole` for all of them, `new` for those that were not described before, or all that are."""

    whole: Described
    new: Described
    anew: bool  # whether those described before were described in another way now, too


@dataclass(frozen=True)
class Found:
    """All pairs of images that belong together, with the columns PAIR_DTYPES, and how images are described."""

    pairs: pd.DataFrame
    copies: More
    slices: More | None
    way: Way  # how near copies of the new ones were looked for


def find_pairs(
    pixels: StoredImages,
    manifest: pd.DataFrame,
    rows: Int64s,
    *,
    similarity: float,
    same_head: bool,
    before: Before = NOTHING_BEFORE,
    checkpoint: Checkpoint = NOT_KEPT,
) -> Found:
    """Return the pairs of `rows` (N,): those found `before`, and those that hold one of the images since.

    `pixels` (N, C, S, S) and `manifest` are of all images. similarity: the least likeness, in [0.8, 1], of near copies.
    same_head: whether slices that are probably of one head are pairs, too. checkpoint: what a search that was stopped
    had done, and where it is kept.
    """
    old = before.pairs[before.pairs["row_b"] < before.rows]
    exact = exact_pairs(manifest, rows)
    _, first = np.unique(components(len(manifest), ends(exact))[rows], return_index=True)
    # Near copies are looked for among one of every set of exact ones.
    distinct = rows[np.sort(first)]
    describe = partial(describe_images, pixels, checkpoint=checkpoint)
    copies = _described(distinct, before.rows, before.copies, describe)
    known = copies.whole.of(distinct[distinct < before.rows])
    linked = ends(old[old["kind"] == "near"])
    near, new, way = find_copies_of(pixels, copies.new, known, linked, similarity=similarity, checkpoint=checkpoint)
    copies = More(Described.joined([known, new]), new, copies.anew)
    nearly = pd.DataFrame(vars(near)).assign(kind="near", similarity=near.similarity.round(4))
    of_copies = _joined([old[old["kind"] != "head"], exact[exact["row_b"] >= before.rows], nearly])
    of_copies = of_copies.sort_values(["row_a", "row_b"], kind="stable")
    if not same_head:
        return Found(_joined([of_copies]), copies, None, way)
    sets = numbered(len(manifest), rows, ends(of_copies))
    slices = _described(rows, before.rows, before.slices, lambda some, like: describe_slices(pixels, some, sets, like))
    heads = same_head_pairs(slices.whole, manifest, sets)
    heads = heads[heads[:, 1] >= before.rows]
    of_heads = pd.DataFrame({"row_a": heads[:, 0], "row_b": heads[:, 1]}).assign(kind="head", similarity=0.0, **UPRIGHT)
    return Found(_joined([of_copies, old[old["kind"] == "head"], of_heads]), copies, slices, way)


def exact_pairs(manifest: pd.DataFrame, rows: Int64s) -> pd.DataFrame:
    """Pair every image with the first one that has the same bytes, or else the same pixels.

    The slices of one file have its bytes in common, and are no copies: images have the same bytes where their files have, and
    they show the same.
    """
    pixels = manifest["pixels_sha256"].iloc[rows]
    kinds = (("bytes", manifest["sha256"].iloc[rows] + pixels), ("pixels", pixels))
    parts = []
    for kind, column in kinds:
        linked = np.array(linked_to_first(rows, names_in(column)), np.int64).reshape(-1, 2)
        parts.append(pd.DataFrame({"row_a": linked[:, 0], "row_b": linked[:, 1]}).assign(kind=kind))
    found = pd.concat(parts, ignore_index=True).drop_duplicates(["row_a", "row_b"])
    return as_pairs(found.assign(similarity=1.0, **UPRIGHT))


def _described(rows: Int64s, known: int, kept: Described | None, describe: Describe) -> More:
    """Describe those of `rows` that are not among the first `known`, as these were, where that is kept and not outgrown."""
    if known and kept is not None and not kept.outgrown_by(len(rows)):
        kept = kept.of(rows)
        new = describe(rows[rows >= known], kept)
        return More(Described.joined([kept, new]), new, anew=False)
    whole = describe(rows, None)
    return More(whole, whole.of(rows[rows >= known]), anew=True)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat([as_pairs(part) for part in filled], ignore_index=True) if filled else no_pairs()
