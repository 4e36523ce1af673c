"""Intervals against known answers, and how often they hold the truth where the truth is known."""

import numpy as np
import pytest
from scipy.stats import binomtest

from fewscan.evaluation.intervals import Interval, Rows, Score, bootstrap
from fewscan.evaluation.metrics import calibration_error, scores, weights


def mean_of(values: np.ndarray) -> Score:
    return lambda positions: {"mean": float(values[positions].mean())}


def interval(values: np.ndarray, groups: Rows, resamples: int = 200, seed: int = 0) -> Interval:
    return bootstrap(mean_of(values), groups, resamples=resamples, seed=seed)["mean"]


def ends(found: Interval) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


@pytest.mark.slow
@pytest.mark.parametrize(("right", "count"), [(308, 308), (0, 20), (6, 6), (320, 400), (3, 10), (99, 100)])
def test_the_interval_of_independent_images_is_the_exact_one(right: int, count: int) -> None:
    exact = binomtest(right, count).proportion_ci(0.95, "exact")
    found = interval((np.arange(count) < right).astype(float), np.arange(count), resamples=4000)
    assert found.value == pytest.approx(right / count)
    assert ends(found) == pytest.approx((exact.low, exact.high), abs=0.006)


def test_copies_in_one_group_do_not_make_the_interval_narrower() -> None:
    values = (np.random.default_rng(1).random(40) < 0.7).astype(float)
    low, high = ends(interval(values, np.arange(40)))
    low_of_copies, high_of_copies = ends(interval(np.repeat(values, 10), np.repeat(np.arange(40), 10)))
    assert low_of_copies == pytest.approx(low, abs=0.02)
    assert high_of_copies == pytest.approx(high, abs=0.02)
    assert low_of_copies > ends(interval(np.repeat(values, 10), np.arange(400)))[0] - 0.2
    assert high_of_copies - low_of_copies > 2 * np.diff(ends(interval(np.repeat(values, 10), np.arange(400))))[0]


def test_groups_that_never_fail_could_have_failed_as_a_whole() -> None:
    exact = binomtest(15, 15).proportion_ci(0.95, "exact")
    low, high = ends(interval(np.ones(300), np.repeat(np.arange(15), 20)))
    assert low <= exact.low
    assert high == 1


@pytest.mark.parametrize("patients", [1, 2])
def test_too_few_groups_are_named_so_and_have_no_interval(patients: int) -> None:
    found = interval((np.arange(40) < 30).astype(float), np.arange(40) % patients)
    assert (found.value, found.low, found.high) == (0.75, None, None)
    assert found.percent == "75.0 % [too few groups for an interval]"


@pytest.mark.slow
@pytest.mark.parametrize(("patients", "alike", "share"), [(5, 0.3, 0.9), (15, 0.3, 0.95), (40, 0.1, 0.8), (60, 0.0, 0.99)])
def test_intervals_of_shares_hold_the_truth(patients: int, alike: float, share: float) -> None:
    """The whole grid is `benchmarks/coverage.py`; of 100 draws at 95 %, 90 and fewer hold it once in fifty times by chance."""
    random = np.random.default_rng(patients)
    held = 0
    for _ in range(100):
        groups = np.repeat(np.arange(patients), random.integers(2, 9, patients))
        a, b = (part * (1 - alike) / alike for part in (share, 1 - share)) if alike else (share * 1e9, (1 - share) * 1e9)
        hits = (random.random(len(groups)) < random.beta(a, b, patients)[groups]).astype(float)
        low, high = ends(interval(hits, groups, resamples=60))
        held += low <= share <= high
    assert held > 90


def opinions(random: np.random.Generator, count: int, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of four classes, and labels, of a network that is surer than right by `gap`."""
    sure = 0.25 + 0.75 * random.beta(6, 1, count)
    probabilities = np.repeat(((1 - sure) / 3)[:, None], 4, axis=1).astype(np.float32)
    probabilities[:, 0] = sure
    right = random.random(count) < np.clip(sure - gap, 0, 1)
    return probabilities, np.where(right, 0, random.integers(1, 4, count))


@pytest.mark.slow
@pytest.mark.parametrize(("gap", "least"), [(0.0, 53), (0.1, 53)])
def test_the_interval_of_a_calibration_error_holds_the_true_one(gap: float, least: int) -> None:
    random = np.random.default_rng(5)
    truth = calibration_error(*opinions(random, 400_000, gap))
    held, values = 0, []
    for _ in range(60):
        p, y = opinions(random, 250, gap)
        found = bootstrap(
            lambda q, p=p, y=y: {"e": calibration_error(p[q], y[q])},  # type: ignore[misc]
            np.arange(250),
            raised_by_resampling=("e",),
            resamples=60,
        )["e"]
        low, high = ends(found)
        held += low <= truth <= high
        values.append(found.value)
        assert found.value is not None
        assert low <= found.value <= high
    assert held >= least
    # Chance alone raises the plain error of a calibrated network to 0.038.
    assert np.mean(values) == pytest.approx(truth, abs=0.02)


@pytest.mark.slow
def test_resamples_without_a_class_say_nothing_and_many_of_them_mean_too_few_groups() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [60, 60, 6])
    probabilities = random.dirichlet((1, 1, 1), len(labels)).astype(np.float32)
    probabilities[np.arange(len(labels)), labels] += 0.5

    def score(positions: Rows) -> dict[str, float]:
        return scores(probabilities[positions], labels[positions], np.arange(3))

    def found(groups: Rows) -> dict[str, Interval]:
        return bootstrap(score, groups, weights=weights(labels, 3), resamples=200)

    six_rare = found(np.arange(len(labels)))
    assert six_rare["balanced_accuracy"].low is not None
    two_rare = found(np.where(labels == 2, -(np.arange(len(labels)) % 2), np.arange(len(labels)) + 1))
    for name in ("balanced_accuracy", "auroc", "sensitivity/2"):
        assert two_rare[name].value is not None
        assert two_rare[name].low is None
    for name in ("accuracy", "sensitivity/0"):
        assert two_rare[name].low is not None


def test_a_perfect_rare_class_leaves_doubt_in_what_rests_on_it() -> None:
    labels = np.repeat([0, 1], [290, 10])
    perfect = np.eye(2, dtype=np.float32)[labels]
    found = bootstrap(
        lambda q: scores(perfect[q], labels[q], np.arange(2)), np.arange(300), weights=weights(labels, 2), resamples=100
    )
    assert ends(found["accuracy"])[0] > 0.98
    assert ends(found["sensitivity/1"])[0] == pytest.approx(binomtest(10, 10).proportion_ci().low)
    assert ends(found["sensitivity/1"])[0] < ends(found["balanced_accuracy"])[0] < ends(found["accuracy"])[0]


def test_a_difference_may_be_negative_and_keeps_a_width() -> None:
    assert Interval(value=0.0312, low=-0.01, high=0.05).points == "3.1 points [-1.0, 5.0]"
    assert Interval(value=-0.0004, low=-0.0003, high=0.05).points == "0.0 points [0.0, 5.0]"  # and not -0.0
    found = bootstrap(mean_of(np.zeros(300)), np.arange(300), differences=("mean",), resamples=50)["mean"]
    assert ends(found) == pytest.approx((-3.69 / 300, 3.69 / 300), abs=1e-4)
    values = np.random.default_rng(0).choice([-1.0, 0, 1], 300, p=[0.1, 0.8, 0.1])
    low, high = ends(bootstrap(mean_of(values), np.arange(300), differences=("mean",), resamples=2000)["mean"])
    half = 1.96 * values.std() / np.sqrt(300)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.008)


def test_it_repeats_by_seed() -> None:
    values = np.random.default_rng(0).random(30)
    groups = np.arange(30) // 2
    assert interval(values, groups) == interval(values, groups)
    assert interval(values, groups, seed=1) != interval(values, groups)


def test_a_score_that_is_not_defined_has_no_interval() -> None:
    found = bootstrap(lambda positions: {"auroc": float("nan")}, np.arange(5), resamples=5)["auroc"]
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.percent == "not defined"


def test_an_error_that_chance_raises_has_no_interval_of_two_patients() -> None:
    random = np.random.default_rng(0)
    p, y = random.dirichlet(np.ones(2), 30), random.integers(0, 2, 30)
    found = bootstrap(lambda q: {"e": calibration_error(p[q], y[q])}, np.arange(30) % 2, raised_by_resampling=("e",))["e"]
    assert (found.low, found.high) == (None, None)
    assert found.value is not None
