"""Whether one method is better than another by more than chance: a paired test on the same test images."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import permutation_test

Shares = npt.NDArray[np.float64]

RESAMPLES = 9999


def paired_p_value(hits_a: Shares, hits_b: Shares, groups: npt.NDArray[np.int64], *, seed: int = 0) -> float:
    """Return the two-sided p-value of a paired permutation test on the difference between two methods' accuracies.

    hits_a, hits_b: (N,) in [0, 1], how often each test image was called right, over the seeds. groups: (N,); images of one
    group are swapped together, since they do not count as independent. Exact where all swaps can be counted; otherwise at
    least 1 / (RESAMPLES + 1). Source: Good 2005, "Permutation, parametric, and bootstrap tests of hypotheses", section 3.6.
    """
    _, index = np.unique(groups, return_inverse=True)
    sums_a, sums_b = (np.bincount(index, weights=hits) for hits in (hits_a, hits_b))
    if len(sums_a) < 2 or np.array_equal(sums_a, sums_b):
        return 1.0
    result = permutation_test(
        (sums_a, sums_b),
        lambda a, b, axis: (a - b).sum(axis=axis),
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=1000,
        rng=np.random.default_rng(seed),
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
