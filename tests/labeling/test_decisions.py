import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from fewscan.labeling.decisions import (
    acceptance_threshold,
    error_bound,
    images_needed,
    inclusion_thresholds,
    possible_classes,
    wrong_at_most,
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
        threshold = inclusion_thresholds(probabilities[np.arange(100), labels], labels, 4, 0.8, per_class=False)
        probabilities, labels = draw(200)
        covered.append(possible_classes(probabilities, threshold)[np.arange(200), labels].mean())
    # The most probable class is always among them, so it may be more.
    assert 0.79 <= np.mean(covered) <= 0.86


def test_the_inclusion_threshold_is_the_right_rank_and_few_images_leave_all_classes_possible() -> None:
    own = np.arange(1, 20, dtype=np.float32) / 20
    labels = np.arange(19) % 2
    # Of 19 images, 18 = ceil(20 * 0.9) have a probability at or above it.
    assert inclusion_thresholds(own, labels, 2, 0.9, per_class=False) == pytest.approx([0.1, 0.1])
    assert inclusion_thresholds(own[:8], labels[:8], 2, 0.9, per_class=False).tolist() == [0, 0]
    # By class: 10 images of class 0, of which 9 = ceil(11 * 0.8) are at 0.15 or above, and 9 of class 1, 8 of them at 0.2.
    assert inclusion_thresholds(own, labels, 3, 0.8, per_class=True) == pytest.approx([0.15, 0.2, 0])
    assert possible_classes(np.array([[0.9, 0.1]], dtype=np.float32), np.zeros(2, dtype=np.float32)).all()
    high = np.full(3, 0.6, dtype=np.float32)
    assert possible_classes(np.array([[0.3, 0.2, 0.5]], dtype=np.float32), high).tolist() == [[False, False, True]]


def test_a_run_among_many_needs_as_much_more_as_bonferroni_says() -> None:
    assert [images_needed(0.05, candidates=runs) for runs in (1, 5, 20)] == [67, 98, 125]
    assert binom.cdf(3, 200, float(error_bound(3, 200, candidates=5))) == pytest.approx(0.1 / 3 / 5, abs=1e-6)
    confidences = np.linspace(0.5, 1, 100, dtype=np.float32)
    right = np.ones(100, dtype=bool)
    assert acceptance_threshold(confidences, right, 0.05, candidates=5) == pytest.approx(0.5)
    assert acceptance_threshold(confidences, right, 0.05, candidates=20) is None


def test_how_many_may_be_wrong_in_a_batch() -> None:
    for accepted, target in ((1, 0.05), (100, 0.05), (1000, 0.1)):
        wrong = wrong_at_most(accepted, target)
        assert binom.cdf(wrong, accepted, target) >= 0.95
        assert wrong == 0 or binom.cdf(wrong - 1, accepted, target) < 0.95
    assert wrong_at_most(0, 0.05) == 0
