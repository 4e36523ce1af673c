"""The paired test and the correction, against counts by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind
from sklearn.metrics import balanced_accuracy_score

from fewscan.comparison.significance import (
    RESAMPLES,
    class_weights,
    holm,
    methods_p_value,
    paired_p_value,
    random_effects_p_value,
    seeds_p_value,
)


def exact_p_value(hits_a: np.ndarray, hits_b: np.ndarray, groups: np.ndarray, weights: np.ndarray | float = 1.0) -> float:
    """Every way to swap whole groups, counted one by one."""
    names = np.unique(groups)
    differences = [float((weights * (hits_a - hits_b))[groups == name].sum()) for name in names]
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


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6), st.integers(0, 2)), min_size=2, max_size=20))
@settings(max_examples=30, deadline=None)
def test_of_balanced_accuracy_it_equals_that_of_all_swaps_weighted_by_class(images: list[tuple[bool, bool, int, int]]) -> None:
    hits_a, hits_b = (np.array([image[side] for image in images], dtype=np.float64) for side in (0, 1))
    groups, labels = (np.array([image[side] for image in images]) for side in (2, 3))
    weights = class_weights(labels)
    for hits in (hits_a, hits_b):
        called = np.where(hits == 1, labels, -1)
        with warnings.catch_warnings(action="ignore"):  # -1 is no class
            assert (weights * hits).mean() == pytest.approx(balanced_accuracy_score(labels, called))
    expected = exact_p_value(hits_a, hits_b, groups, weights)
    assert seeds_p_value(hits_a[None], hits_b[None], groups, weights) == pytest.approx(expected, abs=1e-9)


def test_classes_of_one_size_give_balanced_accuracy_the_p_value_of_accuracy() -> None:
    random = np.random.default_rng(5)
    first, second = drawn(random, 3, 0.03, gap=0.05)
    groups, labels = np.arange(150) // 2, random.permutation(np.arange(150) % 3)
    weights = class_weights(labels)
    assert methods_p_value(first, second, groups, weights) == pytest.approx(methods_p_value(first, second, groups))
    assert methods_p_value(first, second, groups, weights) < 1
    assert random_effects_p_value(first, second, groups, weights) == pytest.approx(
        random_effects_p_value(first, second, groups)
    )


def test_that_groups_are_of_a_rare_class_is_no_difference_between_seeds_or_groups() -> None:
    """Networks that call one share of every group right differ by that share alone: nothing varies, whatever images weigh."""
    labels = np.repeat([0, 1], [90, 10])
    groups = np.arange(100) // 2
    hits_a, hits_b = np.ones((2, 100)), np.tile([1.0, 0.0], (2, 50))
    assert random_effects_p_value(hits_a, hits_b, groups, class_weights(labels)) == pytest.approx(0)


@pytest.mark.slow
def test_false_claims_of_balanced_accuracy_stay_at_their_rate_with_a_rare_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fewscan.comparison.significance.RESAMPLES", 99)
    random = np.random.default_rng(6)
    labels = np.repeat([0, 1], [140, 10])
    weights = class_weights(labels)
    claims = [methods_p_value(*drawn(random, 3, 0.03), np.arange(150), weights) < 0.05 for _ in range(100)]
    assert np.mean(claims) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 100)
    # In the rare class alone, 8 of 10 images are 40 points of balanced accuracy, and 5 of accuracy.
    better, worse = np.ones((3, 150)), np.where(np.arange(150) < 142, 1.0, 0.0) * np.ones((3, 1))
    assert methods_p_value(better, worse, np.arange(150), weights) < 0.05


@pytest.mark.slow
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


def test_false_claims_stay_at_their_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two networks of one accuracy: at the level 0.05 about one in twenty tests claims a difference."""
    monkeypatch.setattr("fewscan.comparison.significance.RESAMPLES", 199)
    random = np.random.default_rng(1)
    p_values = [
        paired_p_value(*(random.random((2, 60)) < 0.7).astype(float), np.arange(60), seed=trial) for trial in range(120)
    ]
    assert np.mean([p_value < 0.05 for p_value in p_values]) <= 0.1


def drawn(random: np.random.Generator, seeds: int, spread: float, gap: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Two methods of `seeds` networks on 150 images, some harder than others; a method's networks vary by `spread`."""
    image = random.normal(0, 0.15, 150)
    network = np.array([gap, 0]).reshape(2, 1, 1) + random.normal(0, spread, (2, seeds, 1))
    first, second = random.random((2, seeds, 150)) < (0.75 + image + network).clip(0, 1)
    return first.astype(float), second.astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 5])
def test_false_claims_about_methods_stay_at_their_rate_where_seeds_differ(seeds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a spread of 3 points over seeds the test of networks alone claims a difference far more often."""
    random = np.random.default_rng(2)
    pairs = [drawn(random, seeds, 0.03) for _ in range(200)]
    monkeypatch.setattr("fewscan.comparison.significance.RESAMPLES", 199)
    claims = [methods_p_value(*pair, np.arange(150)) < 0.05 for pair in pairs]
    # The expected 10 of 200, and two standard errors.
    assert np.mean(claims) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)
    of_networks = [paired_p_value(*(hits.mean(axis=0) for hits in pair), np.arange(150)) < 0.05 for pair in pairs]
    assert np.mean(of_networks) > 0.1


def test_a_difference_larger_than_images_and_seeds_explain_is_seen() -> None:
    random = np.random.default_rng(3)
    assert methods_p_value(*drawn(random, 5, 0.01, gap=0.12), np.arange(150)) < 0.01
    same = drawn(random, 3, 0.01)[0]
    assert methods_p_value(same, same, np.arange(150)) == 1


def test_the_variance_is_that_of_the_analysis_of_variance_by_hand() -> None:
    """Seeds that differ and images that do not: the t-test of the seeds' means, which SciPy has."""
    random = np.random.default_rng(4)
    hits_a, hits_b = (np.where(np.arange(200) < right, 1.0, 0.0) for right in ([[150], [160], [140]], [[120], [131], [125]]))
    shuffled = [np.stack([random.permutation(row) for row in hits]) for hits in (hits_a, hits_b)]
    expected = ttest_ind(hits_a.mean(axis=1), hits_b.mean(axis=1), equal_var=False).pvalue
    assert methods_p_value(*shuffled, np.arange(200)) == pytest.approx(expected, rel=0.2)


def test_few_groups_never_give_a_smaller_p_value_than_all_their_swaps() -> None:
    right, wrong = np.ones((2, 12)), np.zeros((2, 12))
    assert methods_p_value(right, wrong, np.arange(12) // 4) == pytest.approx(0.25)
    assert methods_p_value(right, wrong, np.zeros(12, dtype=np.int64)) == 1


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
