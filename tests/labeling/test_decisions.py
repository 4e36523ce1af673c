import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewscan.labeling.decisions import acceptance_threshold, error_bound, images_needed


@pytest.mark.parametrize(("target", "needed"), [(0.05, 59), (0.1, 29), (0.01, 299)])
def test_how_many_images_it_takes(target: float, needed: int) -> None:
    assert images_needed(target) == needed
    assert error_bound(0, needed) <= target < error_bound(0, needed - 1)


@given(st.integers(0, 20), st.integers(1, 200))
def test_the_bound_is_where_so_few_errors_become_unlikely(errors: int, more: int) -> None:
    from scipy.stats import binom

    images = errors + more
    assert binom.cdf(errors, images, error_bound(errors, images)) == pytest.approx(0.05, abs=1e-6)


def test_all_right_accepts_all() -> None:
    confidences = np.linspace(0.5, 1, 100, dtype=np.float32)
    assert acceptance_threshold(confidences, np.ones(100, dtype=bool), 0.05) == pytest.approx(0.5)


def test_mistakes_among_the_least_confident_are_sent_to_review() -> None:
    confidences = np.linspace(0.4, 1, 200, dtype=np.float32)
    correct = np.arange(200) >= 60  # the 60 least confident are wrong
    threshold = acceptance_threshold(confidences, correct, 0.05)
    assert threshold is not None
    accepted = confidences >= threshold
    assert accepted.sum() >= 140
    assert (~correct[accepted]).mean() <= 0.05


def test_too_few_images_or_confident_mistakes_support_nothing() -> None:
    confidences = np.linspace(0.4, 1, 58, dtype=np.float32)
    assert acceptance_threshold(confidences, np.ones(58, dtype=bool), 0.05) is None
    confidences = np.linspace(0.4, 1, 200, dtype=np.float32)
    assert acceptance_threshold(confidences, np.arange(200) < 195, 0.05) is None


def test_the_promise_is_kept_over_many_draws() -> None:
    """With validation and new scans drawn alike, the accepted error passes the target in at most 5 % of draws (and noise)."""
    random = np.random.default_rng(0)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        confidences = random.uniform(0.5, 1, count).astype(np.float32)
        return confidences, random.random(count) < confidences

    broken = 0
    for _ in range(300):
        threshold = acceptance_threshold(*draw(300), 0.1)
        if threshold is not None:
            # Wrong with probability 1 - c, c uniform on [threshold, 1].
            broken += (1 - threshold) / 2 > 0.1
    assert broken <= 300 * 0.05 + 2 * np.sqrt(300 * 0.05 * 0.95)
