"""Whether one method is better than another with statistical significance, on the same test images and the same seeds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import permutation_test
from scipy.stats import t as student

from fewscan.seeds import stream

Shares = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]

RESAMPLES = 9999


def seeds_p_value(hits_a: Shares, hits_b: Shares, groups: Groups) -> float:
    """Return the p-value of two methods' networks of S seeds, hits (S, N): of the methods, or of one seed of the networks."""
    return methods_p_value(hits_a, hits_b, groups) if len(hits_a) > 1 else paired_p_value(hits_a[0], hits_b[0], groups)


def methods_p_value(hits_a: Shares, hits_b: Shares, groups: Groups) -> float:
    """Return the two-sided p-value of the difference between two methods' accuracies, for other test images and other seeds.

    hits_a, hits_b: (S, N) in {0, 1}, whether the network of each of S >= 2 seeds called each test image right. groups: (N,);
    images of one group do not count as independent. It is that of `random_effects_p_value`, but never below that of the
    networks' means alone, which is exact for few groups.
    """
    networks = paired_p_value(hits_a.mean(axis=0), hits_b.mean(axis=0), groups)
    return max(networks, random_effects_p_value(hits_a, hits_b, groups))


def random_effects_p_value(hits_a: Shares, hits_b: Shares, groups: Groups) -> float:
    """Return the p-value of a t-test whose variance sums that of groups and that of each method's seeds; 0 where it has none.

    hits_a, hits_b: (S, N), S >= 2; groups: (N,). Variances are those of a two-way random-effects analysis of variance, degrees
    of freedom Satterthwaite's.
    Source: Obuchowski and Rockette 1995 and Hillis 2007, "A comparison of denominator degrees of freedom methods for multiple
    observer ROC studies", with seeds for readers. How often it claims too much: `benchmarks/coverage.py`.
    """
    seeds = len(hits_a)
    sums_a, sums_b = _group_sums(hits_a, groups), _group_sums(hits_b, groups)
    number = sums_a.shape[1]
    if number < 2:
        return 1.0
    # What one group's images say beside the method's mean: their size alone must not count as a difference.
    sizes = np.unique(groups, return_counts=True)[1]
    beside_a, beside_b = sums_a - sizes * hits_a.mean(), sums_b - sizes * hits_b.mean()
    (of_seeds_a, rest_a), (of_seeds_b, rest_b) = _mean_squares(beside_a), _mean_squares(beside_b)
    of_groups = max(0.0, seeds * (beside_a - beside_b).mean(axis=0).var(ddof=1) - rest_a - rest_b)
    parts = np.array([of_seeds_a, of_seeds_b, of_groups])
    if not parts.any():
        return 0.0
    freedom = parts.sum() ** 2 / (parts**2 / [seeds - 1, seeds - 1, number - 1]).sum()
    deviation = np.sqrt(parts.sum() / (seeds * number))
    return float(2 * student.sf(abs((sums_a - sums_b).mean()) / deviation, freedom))


def _group_sums(hits: Shares, groups: Groups) -> Shares:
    """Return (S, G) the sums of (S, N) over the images of each group."""
    _, index = np.unique(groups, return_inverse=True)
    return np.stack([np.bincount(index, weights=row) for row in hits])


def _mean_squares(values: Shares) -> tuple[float, float]:
    """Return of (S, G) the mean squares of seeds and of what neither seed nor group explains."""
    seeds, number = values.shape
    of_seed, of_group = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    rest = values - of_seed - of_group + values.mean()
    return number * float(of_seed.var(ddof=1)), float((rest**2).sum()) / ((seeds - 1) * (number - 1))


def paired_p_value(hits_a: Shares, hits_b: Shares, groups: Groups, *, seed: int = 0) -> float:
    """Return the two-sided p-value of a paired permutation test on the difference between two networks' accuracies.

    It holds for other test images, not for networks of other seeds. hits_a, hits_b: (N,) in [0, 1], how often each test image
    was called right. groups: (N,); images of one group are swapped together, since they are not independent. Exact where all
    swaps can be counted; otherwise at least 1 / (RESAMPLES + 1).
    Source: Good 2005, "Permutation, parametric, and bootstrap tests of hypotheses", section 3.6.
    """
    sums_a, sums_b = _group_sums(hits_a[np.newaxis], groups)[0], _group_sums(hits_b[np.newaxis], groups)[0]
    if len(sums_a) < 2 or np.array_equal(sums_a, sums_b):
        return 1.0
    result = permutation_test(
        (sums_a, sums_b),
        lambda a, b, axis: (a - b).sum(axis=axis),
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
