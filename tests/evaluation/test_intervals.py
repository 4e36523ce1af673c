import numpy as np
import pytest

from fewscan.evaluation.intervals import Interval, bootstrap
from fewscan.evaluation.metrics import calibration_error


def mean_of(values: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda positions: {"mean": float(values[positions].mean())}


def test_the_value_is_the_score_of_the_whole_and_lies_in_its_interval() -> None:
    values = np.random.default_rng(0).random(50)
    interval = bootstrap(mean_of(values), np.arange(50))["mean"]
    assert interval.value == pytest.approx(values.mean())
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < values.mean() < interval.high


def test_the_interval_of_independent_images_is_the_known_one() -> None:
    values = (np.arange(400) < 320).astype(float)
    interval = bootstrap(mean_of(values), np.arange(400), resamples=4000)["mean"]
    deviation = np.sqrt(0.8 * 0.2 / 400)
    assert interval.low == pytest.approx(0.8 - 1.96 * deviation, abs=0.006)
    assert interval.high == pytest.approx(0.8 + 1.96 * deviation, abs=0.006)


def test_copies_in_one_group_do_not_make_the_interval_narrower() -> None:
    values = np.random.default_rng(1).random(40)
    alone = bootstrap(mean_of(values), np.arange(40))["mean"]
    copied = bootstrap(mean_of(np.repeat(values, 10)), np.repeat(np.arange(40), 10))["mean"]
    assert copied.low == pytest.approx(alone.low)
    assert copied.high == pytest.approx(alone.high)
    naive = bootstrap(mean_of(np.repeat(values, 10)), np.arange(400))["mean"]
    assert naive.low > copied.low  # type: ignore[operator]


def test_an_interval_that_resampling_raises_is_moved_back_around_its_score() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 300)
    right = np.where(labels == 1, 0.8, 0.2) + random.normal(0, 0.1, 300)
    probabilities = np.stack([1 - right, right], axis=1).clip(0.01, 0.99).astype(np.float32)

    def error(positions: np.ndarray) -> dict[str, float]:
        return {"error": calibration_error(probabilities[positions], labels[positions])}

    plain = bootstrap(error, np.arange(300))["error"]
    moved = bootstrap(error, np.arange(300), raised_by_resampling=("error",))["error"]
    assert moved.value == plain.value
    assert plain.low is not None
    assert moved.low is not None
    assert 0 <= moved.low < plain.low
    assert moved.low < moved.value < moved.high  # type: ignore[operator]
    assert moved.high - moved.low == pytest.approx(plain.high - plain.low)  # type: ignore[operator]


def test_a_difference_is_said_in_points() -> None:
    assert Interval(value=0.0312, low=-0.01, high=0.05).points == "3.1 points [-1.0, 5.0]"


def test_it_repeats_by_seed() -> None:
    values = np.random.default_rng(0).random(30)
    assert bootstrap(mean_of(values), np.arange(30)) == bootstrap(mean_of(values), np.arange(30))
    assert bootstrap(mean_of(values), np.arange(30), seed=1) != bootstrap(mean_of(values), np.arange(30))


def test_a_score_that_is_not_defined_has_no_interval() -> None:
    interval = bootstrap(lambda positions: {"auroc": float("nan")}, np.arange(5))["auroc"]
    assert (interval.value, interval.low, interval.high) == (None, None, None)
    assert interval.percent == "not defined"
