"""Which rows a step trains on: a function of seed and epoch alone, so that a resumed run draws what it would have drawn."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return how many steps pass once over all images, with batches of about `batch_size`."""
    return max(1, round(images / batch_size))


def epoch_batches(labeled: Rows, unlabeled: Rows, batch_size: int, seed: int, epoch: int) -> Iterator[Rows]:
    """Yield the row numbers of every step of an epoch.

    An epoch is one pass over the labelled and one over the unlabelled rows, in step: each step takes a slice of both, so
    that every batch holds the same share of labels. Where there are more steps than labelled rows, these are passed over
    again until every step has one.
    """
    random = np.random.default_rng((seed, epoch))
    steps = steps_per_epoch(len(labeled) + len(unlabeled), batch_size)
    passes = -(-steps // len(labeled))
    shuffled = np.concatenate([random.permutation(labeled) for _ in range(passes)])
    rest = random.permutation(unlabeled)
    for labeled_slice, rest_slice in zip(np.array_split(shuffled, steps), np.array_split(rest, steps), strict=True):
        yield np.concatenate([labeled_slice, rest_slice])
