import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import binom, binomtest

from fewscan.errors import FewscanError
from fewscan.evaluation.held_out import HeldOut
from fewscan.labeling.asked import Asked
from fewscan.labeling.decisions import (
    acceptance_threshold,
    images_that_would_do,
    inclusion_thresholds,
    least_accepting_target,
    possible_classes,
    supports,
    wrong_at_most,
)
from fewscan.labeling.grounds import _inclusion
from fewscan.labeling.remedies import Remedies
from fewscan.splits.support import OUT_OF_DISTRIBUTION, TARGETS, images_needed, images_to_keep, least_target
from fewscan.splits.units import Units


@pytest.mark.parametrize(("target", "needed"), [(0.05, 67), (0.1, 33), (0.01, 339)])
def test_how_many_images_it_takes(target: float, needed: int) -> None:
    assert images_needed(target) == needed
    assert supports(0, needed, target)
    assert not supports(0, needed - 1, target)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 20), st.integers(1, 200), st.sampled_from([0.02, 0.05, 0.1]), st.sampled_from([1, 7]))
def test_a_rate_is_shown_where_the_exact_upper_bound_is_within_it(
    errors: int, more: int, target: float, candidates: int
) -> None:
    images = errors + more
    # One in ten may be wrong in all, over three sequences of tests and all candidates.
    interval = binomtest(errors, images, alternative="less").proportion_ci(1 - 0.1 / 3 / candidates, method="exact")
    assert supports(errors, images, target, candidates=candidates) == (interval.high <= target)


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


def at_most(events: int, draws: int, share: float) -> bool:
    """Whether so many events are no more than draws of that share explain, but for two in a hundred such tests."""
    return events <= draws * share + 2 * np.sqrt(draws * share * (1 - share))


def calibrated(random: np.random.Generator, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores uniform on [0.5, 1], right as often as they say: from a score c on, (1 - c) / 2 are wrong."""
    scores = random.uniform(0.5, 1, images).astype(np.float32)
    return scores, random.random(images) < scores


def hopeless(random: np.random.Generator, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores that say nothing, and 11 % of the calls wrong: at a target of 10 % every acceptance is a wrong one."""
    return random.random(images).astype(np.float32), random.random(images) < 0.89


@pytest.mark.slow
def test_over_all_draws_of_held_out_images_the_long_run_error_keeps_to_the_target_nine_times_in_ten() -> None:
    random = np.random.default_rng(0)
    found = [acceptance_threshold(*calibrated(random, 1000), 0.1) for _ in range(300)]
    accepting = [threshold for threshold in found if threshold is not None]
    assert len(accepting) > 150
    assert at_most(sum((1 - threshold) / 2 > 0.1 for threshold in accepting), 300, 0.1)
    # Batches hold more than the target at times, and more than is said of them in one of twenty, at the target itself.
    wrong = random.binomial(100, [(1 - threshold) / 2 for threshold in accepting])
    assert (wrong > 10).mean() > 0.1
    assert at_most(int((wrong > wrong_at_most(100, 0.1)).sum()), len(accepting), 0.15)
    assert at_most(int((random.binomial(100, 0.1, 2000) > wrong_at_most(100, 0.1)).sum()), 2000, 0.05)
    # Where acceptance is rare, those who see one are not nine times in ten right: here never.
    assert at_most(sum(acceptance_threshold(*hopeless(random, 1000), 0.1) is not None for _ in range(300)), 300, 0.1)


@pytest.mark.slow
def test_the_best_of_several_runs_keeps_the_promise_only_as_one_of_so_many() -> None:
    random = np.random.default_rng(0)
    broken = dict.fromkeys((1, 20), 0)
    for _ in range(100):
        runs = [hopeless(random, 300) for _ in range(20)]
        for candidates in broken:
            broken[candidates] += any(acceptance_threshold(*run, 0.1, candidates=candidates) is not None for run in runs)
    assert at_most(broken[20], 100, 0.1)
    assert broken[1] > 100 * 0.2


def test_where_patients_with_more_scans_are_harder_the_promise_is_per_patient() -> None:
    random = np.random.default_rng(0)

    def wrong(scores: np.ndarray, scans: np.ndarray) -> np.ndarray:
        return np.minimum(1, (1 - scores) * np.where(scans > 1, 1.5, 0.5))

    # Half of the patients have one scan and half nine; one scan of each is held out.
    grid = np.linspace(0.5, 1, 2001)
    per_patient = per_scan = 0
    for _ in range(200):
        scans = random.choice([1, 9], 1000)
        scores = random.uniform(0.5, 1, 1000).astype(np.float32)
        threshold = acceptance_threshold(scores, random.random(1000) >= wrong(scores, scans), 0.1)
        accepted = grid[grid >= (2 if threshold is None else threshold)]
        few, many = (wrong(accepted, np.full(len(accepted), size)).mean() if len(accepted) else 0 for size in (1, 9))
        per_patient += (few + many) / 2 > 0.1
        per_scan += (few + 9 * many) / 10 > 0.1
    assert at_most(per_patient, 200, 0.1)
    assert per_scan > 200 * 0.2


@pytest.mark.slow
def test_a_rare_class_is_covered_only_by_a_threshold_of_its_own() -> None:
    random = np.random.default_rng(0)

    def draw(images: int) -> tuple[np.ndarray, np.ndarray]:
        labels = random.choice(3, images, p=(0.5, 0.45, 0.05))
        logits = random.normal(0, 1, (images, 3)) + np.array([0.5, 0.5, -1.0])
        logits[np.arange(images), labels] += 1.5
        return softmax(logits, axis=1).astype(np.float32), labels

    pool, truth = draw(20_000)
    covered: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for _ in range(100):
        probabilities, labels = draw(400)
        own = probabilities[np.arange(400), labels]
        for per_class, shares in covered.items():
            possible = possible_classes(pool, inclusion_thresholds(own, labels, 3, 0.9, per_class=per_class))
            found = possible[np.arange(len(truth)), truth]
            shares.append(np.array([found.mean(), *(found[truth == label].mean() for label in range(3))]))
    over_all, within = (np.mean(covered[per_class], axis=0) for per_class in (False, True))
    assert 0.89 <= over_all[0] <= 0.92
    assert over_all[3] < 0.6
    assert (within[1:] >= 0.89).all()


def test_one_early_mistake_does_not_forbid_what_many_images_support() -> None:
    scores = np.linspace(1, 0.5, 1000, dtype=np.float32)
    correct = np.ones(1000, dtype=bool)
    correct[3] = False  # among the surest
    assert acceptance_threshold(scores, correct, 0.05) == pytest.approx(0.5)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=72, max_size=150))
def test_images_of_one_score_are_accepted_together_and_order_does_not_matter(images: list[tuple[int, bool]]) -> None:
    scores = np.array([score / 20 for score, _ in images], dtype=np.float32)
    correct = np.array([right for _, right in images])
    threshold = acceptance_threshold(scores, correct, 0.2)
    assert acceptance_threshold(scores[::-1], correct[::-1], 0.2) == threshold
    if threshold is not None:
        accepted = scores >= threshold
        assert supports(int((~correct[accepted]).sum()), int(accepted.sum()), 0.2)


def test_the_right_class_is_among_the_possible_ones_as_often_as_promised() -> None:
    random = np.random.default_rng(0)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        probabilities = random.dirichlet(np.full(4, 0.5), count).astype(np.float32)
        # The network is wrong about itself: coverage must hold all the same.
        shares = 0.7 * probabilities.astype(np.float64) + 0.3 / 4
        labels = (shares.cumsum(axis=1) / shares.sum(axis=1, keepdims=True) > random.random((count, 1))).argmax(axis=1)
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


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300), st.sampled_from([1, 5]))
def test_the_least_target_is_the_first_at_which_anything_is_accepted(seed: int, images: int, candidates: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.uniform(0.3, 1, images).astype(np.float32)
    correct = random.random(images) < scores
    accepting = [
        percent
        for percent in range(1, 51)
        if acceptance_threshold(scores, correct, percent / 100, candidates=candidates) is not None
    ]
    least = least_accepting_target(scores, correct, candidates=candidates)
    assert least == (accepting[0] / 100 if accepting and accepting[0] / 100 in TARGETS else None)
    # Whoever asks for more gets it, too: no larger one is refused.
    assert accepting == list(range(min(accepting, default=51), 51))


def test_so_many_images_as_would_do_do() -> None:
    scores = np.linspace(0.99, 0.4, 60, dtype=np.float32)
    correct = np.ones(60, dtype=bool)
    assert images_that_would_do(scores, correct, 0.05) == pytest.approx(images_needed(0.05), rel=0.05)
    correct[[20, 30, 40, 50]] = False
    would_do = images_that_would_do(scores, correct, 0.05)
    assert would_do is not None
    times = -(-would_do // 60)
    assert acceptance_threshold(np.repeat(scores, times), np.repeat(correct, times), 0.05) is not None
    assert acceptance_threshold(scores, correct, 0.05) is None
    correct[::2] = False
    assert images_that_would_do(scores, correct, 0.05) is None


def test_what_is_kept_still_suffices_when_some_of_it_is_out_of_distribution() -> None:
    kept = images_to_keep(0.05)
    assert binom.cdf(kept - images_needed(0.05), kept, OUT_OF_DISTRIBUTION) >= 0.95
    assert binom.cdf(kept - 1 - images_needed(0.05), kept - 1, OUT_OF_DISTRIBUTION) < 0.95
    assert least_target(kept) == 0.05
    assert least_target(kept - 1) == 0.06
    assert least_target(1) is None


def test_fewer_runs_than_the_one_itself_cannot_have_been_chosen_among() -> None:
    with pytest.raises(FewscanError, match="--candidates counts this run too"):
        Asked(candidates=0)
    assert Asked(candidates=1).candidates == 1


def held_out(images: int, classes: int) -> HeldOut:
    """Images of the first two classes, each called rightly, one more surely than the next."""
    labels = np.arange(images) % 2
    logits = np.eye(classes, dtype=np.float32)[labels] * np.linspace(1, 4, images, dtype=np.float32)[:, None]
    return HeldOut(np.arange(images), np.arange(images), labels, logits)


def test_which_classes_are_possible_is_promised_for_all_scans_or_for_each_class_and_not_beyond_what_images_tell() -> None:
    names = ("glioma", "meningioma", "never seen")
    _, over_all = _inclusion(held_out(100, 3), names, Asked(coverage=0.9), 1)
    assert "--coverage-per-class" in over_all
    thresholds, within = _inclusion(held_out(100, 3), names, Asked(coverage=0.9, coverage_per_class=True), 5)
    assert "--coverage-per-class" not in within
    assert "never seen" in within
    assert (thresholds > 0).tolist() == [True, True, False]
    thresholds, few = _inclusion(held_out(3, 3), names, Asked(coverage=0.99), 1)
    assert not thresholds.any()
    assert "3" in few


def test_without_a_held_out_image_as_many_labels_help_as_the_error_asks_for() -> None:
    nothing = held_out(0, 2)
    assert Remedies.of(nothing, 0.05, 1, 0).labels == images_to_keep(0.05)
    assert Remedies.of(nothing, 0.05, 1, 500).labels is None
    # Further images of patients that are held out already would not do.
    assert "other patients" in Remedies.of(nothing, 0.05, 1, 0).words(("run",))


def test_where_images_are_too_few_as_many_more_are_asked_for_as_a_split_asks_for() -> None:
    # Of those that come, some will be out of distribution, as some of those that are there are.
    for odd in (0, 2):
        assert Remedies.of(held_out(60 - odd, 2), 0.05, 1, 0, odd).labels == images_to_keep(0.05) - 60
    assert Remedies.of(held_out(66, 2), 0.05, 1, 0, 5).labels is None
    assert Remedies.of(held_out(58, 2), 0.05, 1, 60, 2).folds is None


@pytest.mark.parametrize(("labels", "about"), [(3, "3"), (66, "66"), (128, "130"), (995, "1,000"), (5848, "5,900")])
def test_an_estimate_of_labels_has_two_digits_and_is_never_less(labels: int, about: str) -> None:
    assert f"about {about} more images" in Remedies(labels=labels).words(("run",))


@pytest.mark.parametrize(("tested", "nouns"), [(0, "patients"), (12, "patients"), (0, "distinct images")])
def test_it_is_said_of_what_more_are_needed_and_how_many_of_these_the_dataset_has(tested: int, nouns: str) -> None:
    units = Units(nouns[:-1], nouns, to_learn=44, to_hold_out=44, labeled=44 + tested, tested=tested, unlabeled=20)
    said = Remedies(labels=240).words(("run",), units)
    assert f"240 more {nouns}" in said
    assert "20 in the dataset" in said
    assert ("12" in said) == (tested == 12)
    assert ("copies" in said) == (nouns == "distinct images")
