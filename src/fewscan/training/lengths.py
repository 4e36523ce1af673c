"""How long a training is: images, passes, steps and epochs, by what a method learns from and what an image costs it."""

import math
from typing import NamedTuple

from fewscan.learning.method import Method

# Of few images an epoch makes several passes, so that what is done once an epoch (probe, checkpoint, log) takes little time.
USUAL_EPOCHS = 100


def images_per_pass(labeled: int, unlabeled: int, batch_size: int, labeled_share: float | None = None) -> float:
    """Return how many images a pass of training takes, labeled and unlabeled together.

    labeled_share: how much of every batch is labeled, in (0, 1); a pass is then one over the unlabeled images. None, or
    all or nothing labeled: a pass is one over all images, and a batch holds labels in the proportion that the data have.
    """
    if labeled_share is None or not labeled or not unlabeled:
        return labeled + unlabeled
    return unlabeled * batch_size / (batch_size - labeled_in_batch(batch_size, labeled_share))


def steps_per_epoch(labeled: int, unlabeled: int, batch_size: int, labeled_share: float | None = None, passes: int = 1) -> int:
    """Return how many steps make an epoch of so many passes, with batches of about `batch_size` images."""
    return max(1, round(passes * images_per_pass(labeled, unlabeled, batch_size, labeled_share) / batch_size))


def labeled_in_batch(batch_size: int, labeled_share: float) -> int:
    """Return how many images of a batch are labeled: at least one, and not all."""
    return min(max(1, round(labeled_share * batch_size)), batch_size - 1)


def batch_size_without_unlabeled(labeled: int, unlabeled: int, batch_size: int, labeled_share: float | None = None) -> int:
    """Return how many images of a batch a method takes that leaves the unlabeled ones out: the labeled ones of it.

    It sees the same slices of labeled images as a method that takes them all, hence makes as many steps (but for rounding).
    """
    return max(2, round(labeled / steps_per_epoch(labeled, unlabeled, batch_size, labeled_share)))


def cost(method: type[Method]) -> float:
    """Return what an image of a batch costs, in forward and backward passes of one view; a forward pass alone is a third."""
    return (2.0 if method.two_views else 1.0) + (1 / 3 if method.guesses else 0.0)


def used(method: type[Method], unlabeled: int) -> int:
    """Return how many of the unlabeled images a method learns from: all or none."""
    return unlabeled if method.uses_unlabeled else 0


class Length(NamedTuple):
    """How long a training is."""

    epochs: int
    passes: int  # over the images, in an epoch


def length_of(
    training_images: int,
    method: type[Method],
    labeled: int,
    unlabeled: int,
    *,
    batch_size: int,
    labeled_share: float | None,
    passes: int | None,
    minimum_epochs: int,
) -> Length:
    """Return the length of a training on so many images, forward and back, counted as `cost` does.

    passes: those of an epoch, where they are asked for.
    """
    used_unlabeled = used(method, unlabeled)
    images = training_images / cost(method)
    if passes is None:
        passes = math.ceil(images / images_per_pass(labeled, used_unlabeled, batch_size, labeled_share) / USUAL_EPOCHS)
    steps = steps_per_epoch(labeled, used_unlabeled, batch_size, labeled_share, passes)
    return Length(max(minimum_epochs, math.ceil(images / (batch_size * steps))), passes)
