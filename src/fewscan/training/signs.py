"""Signs of collapse in what a network says of images: pure functions of its outputs, once an epoch."""

import math

import torch
from torch import Tensor

from fewscan.models.network import Outputs

# A column lives where its deviation over the images is above this share of its own size. In our trained networks those that
# live vary by a tenth or more, others by nothing; of a deep encoder without normalization that begins with PyTorch's first
# weights, and does not learn, half of the features vary by less than this or not at all.
LIVE_DEVIATION = 1e-3

# Fewer images than this outside the commonest class cannot tell a network that learns from one that guesses: the limit of
# chance would lie at an accuracy that learning reaches late.
FEWEST_OTHERS = 20

# One-sided 95 % of a normal distribution. Of guesses one epoch in twenty lies above; a symptom asks for many epochs in a row.
LIMIT_DEVIATIONS = 1.645


def signs(outputs: Outputs, labels: Tensor | None) -> dict[str, float | None]:
    """Return what `training.symptoms` reads an epoch by, of N images as they are; shares and accuracies in [0, 1].

    outputs: of these images; labels: (N,) int64 >= 0, None where they have none. `live_features`, `live_projections`: share of
    columns of h and of z that live. With labels besides: `commonest_prediction`, `commonest_label`: share of the images that
    have the commonest call, the commonest label. `labeled_accuracy`, `chance_limit`: share of right calls, and what guessing
    would reach. None where too few images are there to say.
    """
    life = {"live_features": live_share(outputs.h), "live_projections": live_share(outputs.z)}
    if labels is None:
        return life
    calls = outputs.logits.argmax(dim=1)
    return {
        **life,
        "commonest_prediction": commonest_share(calls),
        "commonest_label": commonest_share(labels),
        "labeled_accuracy": float((calls == labels).float().mean()),
        "chance_limit": chance_limit(calls, labels),
    }


def live_share(columns: Tensor) -> float | None:
    """Return the share of columns of (N, D) that vary over the rows, in [0, 1]; None of fewer than two rows.

    Every column is measured by its own size, so that a few large ones do not make the others look dead.
    """
    if len(columns) < 2:
        return None
    values = columns.double()
    size = values.square().mean(dim=0).sqrt()
    return float((values.std(dim=0, correction=0) > LIVE_DEVIATION * size).double().mean())


def commonest_share(classes: Tensor) -> float:
    """Return the share that the commonest class has among (N,) int64 class numbers, in (0, 1]."""
    return float(torch.bincount(classes).max() / len(classes))


def chance_limit(calls: Tensor, labels: Tensor) -> float | None:
    """Return the accuracy that 95 of 100 guesses do not exceed, in [0, 1]; None of too few images to tell chance by.

    calls, labels: (N,) int64. A guess makes the same calls, but of images drawn at random. Unequal classes are therefore
    taken into account: of labels that are nine tenths one class, calling all by it is no better than chance.
    """
    images = len(labels)
    if images - int(torch.bincount(labels).max()) < FEWEST_OTHERS:
        return None
    mean, deviation = hits_by_chance(calls, labels)
    # In float32, as accuracies are: calls of one class alone lie on the limit, and rounding must not lift them above it.
    return float((torch.tensor(mean + LIMIT_DEVIATIONS * deviation) / images).clamp(max=1))


def hits_by_chance(calls: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return mean and deviation of the number of right calls where `calls` are shuffled over the images.

    calls, labels: (N,) int64, N >= 2. With a_k calls and b_k labels of class k, mean = sum a_k b_k / N; the variance is the sum
    of those and of the covariances of the multivariate hypergeometric distribution that a table with fixed margins follows.
    """
    images = len(labels)
    classes = int(torch.stack([calls, labels]).max()) + 1
    called, labeled = (torch.bincount(numbers, minlength=classes).double() for numbers in (calls, labels))
    pairs = called * labeled
    own = (pairs * (images - called) * (images - labeled)).sum()
    between = pairs.sum().square() - pairs.square().sum()
    return float(pairs.sum() / images), math.sqrt(float(own + between) / (images**2 * (images - 1)))
