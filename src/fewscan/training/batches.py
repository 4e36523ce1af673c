"""Which rows a step trains on: a function of seed and epoch alone, so that a resumed run draws what it would have drawn."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.seeds import stream
from fewscan.training.lengths import labeled_in_batch, steps_per_epoch
from fewscan.training.shuffling import Buffer, shuffled

Rows = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """The rows of a step."""

    labeled: Rows
    unlabeled: Rows


def epoch_batches(
    labeled: Rows,
    unlabeled: Rows,
    classes: npt.NDArray[np.int64],
    batch_size: int,
    seed: int,
    epoch: int,
    *,
    labeled_share: float | None = None,
    class_balance: float = 0.0,
    passes: int = 1,
    buffer: Buffer | None = None,
) -> Iterator[Batch]:
    """Yield the rows of every step of an epoch.

    Each step takes a slice of the unlabeled rows and one of the labeled ones, over which it passes again until every step has
    its share (see `images_per_pass`); where no row is labeled a step has none. classes: the class of each of `labeled`.
    class_balance: 0 for classes as they are labeled, 1 for equally many of each, in between for shares
    n ** (1 - class_balance) of classes with n labels. buffer: None to shuffle all images among each other; else labeled and
    unlabeled ones, and with class_balance those of each class, have their share of it.
    """
    random = stream(seed, "batches", epoch).numpy()
    steps, count = _drawn(len(labeled), len(unlabeled), batch_size, labeled_share, passes)
    others = passes * len(unlabeled)
    of_labeled, of_others = (buffer and buffer.part(part / max(1, count + others)) for part in (count, others))
    if class_balance:
        drawn = _balanced(random, labeled, classes, count, class_balance, of_labeled)
    else:
        drawn = _passes(random, labeled, count, of_labeled)
    rest = _passes(random, unlabeled, others, of_others)
    for labeled_slice, rest_slice in zip(np.array_split(drawn, steps), np.array_split(rest, steps), strict=True):
        yield Batch(labeled_slice, rest_slice)


def smallest_batch(labeled: int, unlabeled: int, batch_size: int, labeled_share: float | None = None, passes: int = 1) -> int:
    """Return how many images the smallest batch of an epoch has."""
    steps, count = _drawn(labeled, unlabeled, batch_size, labeled_share, passes)
    return count // steps + passes * unlabeled // steps


def _drawn(labeled: int, unlabeled: int, batch_size: int, labeled_share: float | None, passes: int) -> tuple[int, int]:
    """Return how many steps an epoch has, and how many labeled rows these take together."""
    steps = steps_per_epoch(labeled, unlabeled, batch_size, labeled_share, passes)
    if labeled_share is None or not labeled or not unlabeled:
        return steps, max(passes, -(-steps // max(1, labeled))) * labeled
    return steps, steps * labeled_in_batch(batch_size, labeled_share)


def _passes(random: np.random.Generator, rows: Rows, count: int, buffer: Buffer | None) -> Rows:
    """Return `count` of `rows`: one pass in random order after the other."""
    passes = [shuffled(random, rows, buffer) for _ in range(-(-count // max(1, len(rows))))]
    return np.concatenate(passes or [rows])[:count]


def _balanced(
    random: np.random.Generator,
    rows: Rows,
    classes: npt.NDArray[np.int64],
    count: int,
    balance: float,
    buffer: Buffer | None,
) -> Rows:
    """Return `count` of `rows` in which the classes have their shares, each spread evenly from the first to the last."""
    present, sizes = np.unique(classes, return_counts=True)
    shares = sizes ** (1.0 - balance)
    quotas = np.diff(np.round(count * np.cumsum(shares) / shares.sum()).astype(np.int64), prepend=0)
    drawn = [
        _passes(random, rows[classes == name], quota, buffer and buffer.part(quota / max(1, count)))
        for name, quota in zip(present, quotas, strict=True)
    ]
    # Of a class with q images one lies in each q-th part of the way.
    places = [(np.arange(quota) + random.random(quota)) / quota for quota in quotas]
    order = np.argsort(np.concatenate([np.empty(0), *places]), kind="stable")
    return np.concatenate([rows[:0], *drawn])[order]
