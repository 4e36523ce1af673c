"""Whether one method is better than another with statistical significance, on the same test images and the same seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import permutation_test
from scipy.stats import t as student

from fewscan.seeds import stream

Shares = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]
Labels = npt.NDArray[Any]

RESAMPLES = 9999
ROUNDED = 9  # decimals of a sum over images of what an image counts


def class_weights(labels: Labels) -> Shares:
    """Return (N,) how much each image of labels (N,) counts where all classes count alike; of mean 1.

    The mean of hits by these weights is the balanced accuracy, over the classes that have images.
    """
    _, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(len(labels) / (len(counts) * counts[index]), dtype=np.float64)


def seeds_p_value(hits_a: Shares, hits_b: Shares, groups: Groups, weights: Shares | None = None) -> float:
    """Return the p-value of two methods' networks of S seeds, hits (S, N): of the methods, or of one seed of the networks.

    weights: (N,) how much each image counts, of mean 1; without them all alike, and the difference is that of accuracies.
    """
    if len(hits_a) > 1:
        return methods_p_value(hits_a, hits_b, groups, weights)
    return paired_p_value(hits_a[0], hits_b[0], groups, weights)


def methods_p_value(hits_a: Shares, hits_b: Shares, groups: Groups, weights: Shares | None = None) -> float:
    """Return the two-sided p-value of the difference between two methods' scores, for other test images and other seeds.

    hits_a, hits_b: (S, N) in {0, 1}, whether the network of each of S >= 2 seeds called each test image right; a score is their
    mean by weights (N,), as in `seeds_p_value`. groups: (N,); images of one group do not count as independent. It is that of
    `random_effects_p_value`, but never below that of the networks' means alone, which is exact for few groups.
    """
    networks = paired_p_value(hits_a.mean(axis=0), hits_b.mean(axis=0), groups, weights)
    return max(networks, random_effects_p_value(hits_a, hits_b, groups, weights))


def random_effects_p_value(hits_a: Shares, hits_b: Shares, groups: Groups, weights: Shares | None = None) -> float:
    """Return the p-value of a t-test whose variance sums that of groups and that of each method's seeds; 0 where it has none.

    hits_a, hits_b: (S, N), S >= 2; groups, weights: (N,), as in `methods_p_value`. Variances are those of a two-way
    random-effects analysis of variance, degrees of freedom Satterthwaite's.
    Source: Obuchowski and Rockette 1995 and Hillis 2007, "A comparison of denominator degrees of freedom methods for multiple
    observer ROC studies", with seeds for readers. How often it claims too much: `benchmarks/coverage.py`.
    """
    seeds = len(hits_a)
    sums_a, sums_b = _group_sums(hits_a, groups, weights), _group_sums(hits_b, groups, weights)
    number = sums_a.shape[1]
    if number < 2:
        return 1.0
    # What one group's images say beside the method's mean: that they are many, or of a rare class, must not count as a
    # difference. Beside the mean of their own class they would vary less: this errs on the side of no claim, and gives classes
    # of one size the p-value of accuracy.
    (sizes,) = _group_sums(np.ones((1, len(groups))), groups, weights)
    beside_a, beside_b = (sums - sizes * (sums.sum() / (seeds * sizes.sum())) for sums in (sums_a, sums_b))
    (of_seeds_a, rest_a), (of_seeds_b, rest_b) = _mean_squares(beside_a), _mean_squares(beside_b)
    of_groups = max(0.0, seeds * (beside_a - beside_b).mean(axis=0).var(ddof=1) - rest_a - rest_b)
    parts = np.array([of_seeds_a, of_seeds_b, of_groups])
    if not parts.any():
        return 0.0
    freedom = parts.sum() ** 2 / (parts**2 / [seeds - 1, seeds - 1, number - 1]).sum()
    deviation = np.sqrt(parts.sum() / (seeds * number))
    return float(2 * student.sf(abs((sums_a - sums_b).mean()) / deviation, freedom))


def _group_sums(hits: Shares, groups: Groups, weights: Shares | None) -> Shares:
    """Return (S, G) the sums of (S, N), by their weights, over the images of each group."""
    _, index = np.unique(groups, return_inverse=True)
    counted = hits if weights is None else hits * weights
    return np.stack([np.bincount(index, weights=row) for row in counted])


def _mean_squares(values: Shares) -> tuple[float, float]:
    """Return of (S, G) the mean squares of seeds and of what neither seed nor group explains."""
    seeds, number = values.shape
    of_seed, of_group = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    rest = values - of_seed - of_group + values.mean()
    return number * float(of_seed.var(ddof=1)), float((rest**2).sum()) / ((seeds - 1) * (number - 1))


def paired_p_value(hits_a: Shares, hits_b: Shares, groups: Groups, weights: Shares | None = None, *, seed: int = 0) -> float:
    """Return the two-sided p-value of a paired permutation test on the difference between two networks' scores.

    It holds for other test images, not for networks of other seeds. hits_a, hits_b: (N,) in [0, 1], how often each test image
    was called right; weights: (N,), as in `seeds_p_value`. groups: (N,); images of one group are swapped together, since they
    are not independent. Exact where all swaps can be counted; otherwise at least 1 / (RESAMPLES + 1).
    Source: Good 2005, "Permutation, parametric, and bootstrap tests of hypotheses", section 3.6.
    """
    sums_a, sums_b = _group_sums(np.stack([hits_a, hits_b]), groups, weights)
    if len(sums_a) < 2 or np.array_equal(sums_a, sums_b):
        return 1.0
    result = permutation_test(
        (sums_a, sums_b),
        # Swaps that come to the same count as such, however their fractions were added up.
        lambda a, b, axis: (a - b).sum(axis=axis).round(ROUNDED),
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=1000,
        rng=stream(seed, "permutations").numpy(),
    )
    return float(result.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, in the given order: the chance of one false claim among all stays bounded.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=lambda position: p_values[position])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[position]))
        corrected[position] = largest
    return corrected
