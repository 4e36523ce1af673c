"""The paired test and the correction, against counts by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.comparison.significance import RESAMPLES, holm, paired_p_value


def exact_p_value(hits_a: np.ndarray, hits_b: np.ndarray, groups: np.ndarray) -> float:
    """Every way to swap whole groups, counted one by one."""
    names = np.unique(groups)
    differences = [float((hits_a - hits_b)[groups == name].sum()) for name in names]
    observed = sum(differences)
    sums = [
        sum(-value if number >> position & 1 else value for position, value in enumerate(differences))
        for number in range(2 ** len(names))
    ]
    above = sum(value >= observed - 1e-9 for value in sums) / len(sums)
    below = sum(value <= observed + 1e-9 for value in sums) / len(sums)
    return min(1.0, 2 * min(above, below))


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=2, max_size=20))
@settings(max_examples=30, deadline=None)
def test_the_p_value_equals_that_of_all_swaps_of_groups(images: list[tuple[bool, bool, int]]) -> None:
    hits_a, hits_b = (np.array([image[side] for image in images], dtype=np.float64) for side in (0, 1))
    groups = np.array([image[2] for image in images])
    assert paired_p_value(hits_a, hits_b, groups) == pytest.approx(exact_p_value(hits_a, hits_b, groups), abs=1e-9)


def test_a_large_difference_is_seen_and_none_is_not() -> None:
    random = np.random.default_rng(0)
    good, bad = (random.random(300) < share for share in (0.9, 0.6))
    groups = np.arange(300)
    assert paired_p_value(good.astype(float), bad.astype(float), groups) <= 2 / (RESAMPLES + 1)
    assert paired_p_value(good.astype(float), good.astype(float), groups) == 1
    assert paired_p_value(good.astype(float), random.permutation(good).astype(float), groups) > 0.05


def test_copies_of_one_image_are_no_further_evidence() -> None:
    hits_a, hits_b = np.array([1.0, 1, 1, 0]), np.array([0.0, 0, 0, 1])
    once = paired_p_value(hits_a, hits_b, np.arange(4))
    repeated = paired_p_value(hits_a.repeat(50), hits_b.repeat(50), np.arange(4).repeat(50))
    assert repeated == pytest.approx(once)


def test_false_claims_stay_at_their_rate() -> None:
    """Two methods of one accuracy: at the level 0.05 about one in twenty tests claims a difference."""
    random = np.random.default_rng(1)
    p_values = [
        paired_p_value(*(random.random((2, 60)) < 0.7).astype(float), np.arange(60), seed=trial) for trial in range(120)
    ]
    assert np.mean([p_value < 0.05 for p_value in p_values]) <= 0.1


def test_holm_by_hand() -> None:
    # Smallest first: 0.01 * 4, 0.02 * 3, then 0.03 * 2 and 0.04 * 1, neither below the one before.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for (p_value, after), (other, other_after) in zip(
        zip(p_values, corrected, strict=True), reversed(list(zip(p_values, corrected, strict=True))), strict=True
    ):
        assert p_value <= after <= 1
        if p_value < other:
            assert after <= other_after
