import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from fewscan.labeling.decisions import (
    acceptance_threshold,
    error_bound,
    images_needed,
    inclusion_threshold,
    possible_classes,
)


@pytest.mark.parametrize(("target", "needed"), [(0.05, 67), (0.1, 33), (0.01, 339)])
def test_how_many_images_it_takes(target: float, needed: int) -> None:
    assert images_needed(target) == needed
    assert error_bound(0, needed) <= target < error_bound(0, needed - 1)


@given(st.integers(0, 20), st.integers(1, 200))
def test_the_bound_is_where_so_few_errors_become_unlikely(errors: int, more: int) -> None:
    images = errors + more
    # One in ten may be wrong in all, and there are three sequences of tests.
    assert binom.cdf(errors, images, error_bound(errors, images)) == pytest.approx(0.1 / 3, abs=1e-6)


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
    confidences = np.linspace(0.4, 1, 66, dtype=np.float32)
    assert acceptance_threshold(confidences, np.ones(66, dtype=bool), 0.05) is None
    confidences = np.linspace(0.4, 1, 67, dtype=np.float32)
    assert acceptance_threshold(confidences, np.ones(67, dtype=bool), 0.05) == pytest.approx(0.4)
    confidences = np.linspace(0.4, 1, 200, dtype=np.float32)
    assert acceptance_threshold(confidences, np.arange(200) < 195, 0.05) is None


def test_the_promise_is_kept_over_many_draws() -> None:
    """With validation and new scans drawn alike, the accepted error passes the target in at most 10 % of draws (and noise)."""
    random = np.random.default_rng(0)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        confidences = random.uniform(0.5, 1, count).astype(np.float32)
        return confidences, random.random(count) < confidences

    broken = kept = 0
    for _ in range(300):
        threshold = acceptance_threshold(*draw(1000), 0.1)
        if threshold is not None:
            # Wrong with probability 1 - c, c uniform on [threshold, 1].
            broken += (1 - threshold) / 2 > 0.1
            kept += 1
    assert kept > 150
    assert broken <= 300 * 0.1 + 2 * np.sqrt(300 * 0.1 * 0.9)


def test_one_early_mistake_does_not_forbid_what_many_images_support() -> None:
    scores = np.linspace(1, 0.5, 1000, dtype=np.float32)
    correct = np.ones(1000, dtype=bool)
    correct[3] = False  # among the surest
    assert acceptance_threshold(scores, correct, 0.05) == pytest.approx(0.5)


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=72, max_size=150))
def test_images_of_one_score_are_accepted_together_and_order_does_not_matter(images: list[tuple[int, bool]]) -> None:
    scores = np.array([score / 20 for score, _ in images], dtype=np.float32)
    correct = np.array([right for _, right in images])
    threshold = acceptance_threshold(scores, correct, 0.2)
    assert acceptance_threshold(scores[::-1], correct[::-1], 0.2) == threshold
    if threshold is not None:
        accepted = scores >= threshold
        assert error_bound(int((~correct[accepted]).sum()), int(accepted.sum())) <= 0.2


def test_the_right_class_is_among_the_possible_ones_as_often_as_promised() -> None:
    random = np.random.default_rng(0)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        probabilities = random.dirichlet(np.full(4, 0.5), count).astype(np.float32)
        # The network is wrong about itself: coverage must hold all the same.
        shares = 0.7 * probabilities.astype(np.float64) + 0.3 / 4
        labels = np.array([random.choice(4, p=row / row.sum()) for row in shares])
        return probabilities, labels

    covered = []
    for _ in range(200):
        probabilities, labels = draw(100)
        threshold = inclusion_threshold(probabilities[np.arange(100), labels], 0.8)
        probabilities, labels = draw(200)
        covered.append(possible_classes(probabilities, threshold)[np.arange(200), labels].mean())
    # The most probable class is always among them, so it may be more.
    assert 0.79 <= np.mean(covered) <= 0.86


def test_the_inclusion_threshold_is_the_right_rank_and_few_images_leave_all_classes_possible() -> None:
    own = np.arange(1, 20, dtype=np.float32) / 20
    # Of 19 images, 18 = ceil(20 * 0.9) have a probability at or above it.
    assert inclusion_threshold(own, 0.9) == pytest.approx(0.1)
    assert inclusion_threshold(own[:8], 0.9) is None
    assert possible_classes(np.array([[0.9, 0.1]], dtype=np.float32), None).all()
    assert possible_classes(np.array([[0.3, 0.2, 0.5]], dtype=np.float32), 0.6).tolist() == [[False, False, True]]
