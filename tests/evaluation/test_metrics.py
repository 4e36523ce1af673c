import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics

from fewscan.evaluation.class_decisions import class_decisions
from fewscan.evaluation.intervals import NOT_DEFINED
from fewscan.evaluation.metrics import (
    CALIBRATION_BINS,
    auroc,
    confusion,
    decision_shares,
    error_by_share,
    reliability,
    score_intervals,
    scores,
)


def drawn(images: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(classes, size=images)])
    logits = random.normal(size=(len(labels), classes)) + 1.5 * np.eye(classes)[labels]
    # Rounded, so that there are ties.
    return torch.tensor(logits).mul(2).round().div(2).softmax(dim=1).float().numpy(), labels


@pytest.mark.slow
@given(st.integers(5, 60), st.integers(2, 5), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_scores_are_those_of_scikit_learn(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    predicted = probabilities.argmax(axis=1)
    ours = scores(probabilities, labels)
    one_against_rest = [sklearn_metrics.roc_auc_score(labels == k, probabilities[:, k]) for k in range(classes)]
    theirs = {
        "accuracy": sklearn_metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(labels, predicted),
        "auroc": np.mean(one_against_rest),
    }
    for k in range(classes):
        theirs[f"sensitivity/{k}"] = sklearn_metrics.recall_score(labels == k, predicted == k)
        theirs[f"specificity/{k}"] = sklearn_metrics.recall_score(labels != k, predicted != k)
        precision = sklearn_metrics.precision_score(labels == k, predicted == k, zero_division=np.nan)
        theirs[f"predictive_value/{k}"] = precision
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(float(value), abs=1e-6, nan_ok=True), name
    assert (confusion(probabilities, labels) == sklearn_metrics.confusion_matrix(labels, predicted)).all()


@given(st.integers(5, 60), st.integers(2, 5), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_calibration_error_is_that_of_a_plain_loop(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    surest = probabilities.max(axis=1).astype(float)
    right = probabilities.argmax(axis=1) == labels
    error = 0.0
    for number in range(CALIBRATION_BINS):
        low, high = number / CALIBRATION_BINS, (number + 1) / CALIBRATION_BINS
        inside = (surest >= low) & ((surest < high) | (high == 1))
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - surest[inside].mean())
    assert scores(probabilities, labels)["calibration_error"] == pytest.approx(error, abs=1e-5)


def test_known_answers() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], dtype=np.float32)
    labels = np.array([0, 0, 1, 1])
    result = scores(probabilities, labels)
    assert result["accuracy"] == 0.75
    assert result["sensitivity/1"] == 0.5
    assert result["specificity/1"] == 1.0
    assert result["auroc"] == 1.0
    assert confusion(probabilities, labels).tolist() == [[2, 0], [1, 1]]


def test_a_class_without_images_has_no_score_and_spoils_no_mean() -> None:
    probabilities, labels = drawn(40, 3, 0)
    kept = labels != 2
    result = scores(probabilities[kept], labels[kept])
    assert np.isnan(result["sensitivity/2"])
    assert np.isnan(auroc(probabilities[kept], labels[kept])[2])
    assert np.isfinite(result["balanced_accuracy"])
    assert np.isfinite(result["auroc"])


def test_one_class_alone_has_no_auroc() -> None:
    result = scores(np.array([[0.9, 0.1], [0.4, 0.6]], dtype=np.float32), np.array([0, 0]))
    assert np.isnan(result["auroc"])
    assert result["accuracy"] == 0.5


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 60))
def test_reliability_and_decision_curve_are_those_of_plain_loops(seed: int, images: int) -> None:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(3), images).astype(np.float32)
    labels = random.integers(0, 3, images)
    bins = reliability(probabilities, labels)
    sums = np.zeros((3, CALIBRATION_BINS))
    for row, label in zip(probabilities.astype(np.float64), labels, strict=True):
        place = min(int(row.max() * CALIBRATION_BINS), CALIBRATION_BINS - 1)
        sums[:, place] += (1, row.max(), row.argmax() == label)
    np.testing.assert_allclose(np.array(bins), sums, atol=1e-6)

    scores, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    shares, errors = error_by_share(scores, correct)
    ranked = sorted(range(images), key=lambda image: -scores[image])
    for accepted in range(1, images + 1):
        wrong = sum(not correct[image] for image in ranked[:accepted])
        assert shares[accepted - 1] == pytest.approx(accepted / images)
        assert errors[accepted - 1] == pytest.approx(wrong / accepted)


def test_shares_of_decisions_are_counted_along_the_last_axis_and_where_nothing_is_accepted_none_is_wrong_or_right() -> None:
    wrong, accepted, odd = (np.array(each, bool) for each in ([1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 1, 0]))
    alone = {name: float(value) for name, value in decision_shares(wrong, accepted, odd).items()}
    assert alone == {"out_of_distribution": 0.25, "accepted": 0.5, "wrong_accepted": 0.5}
    both = decision_shares(np.stack([wrong, wrong]), np.stack([accepted, np.zeros(4, bool)]), np.stack([odd, odd]))
    np.testing.assert_array_equal(both["accepted"], [0.5, 0])
    np.testing.assert_array_equal(both["wrong_accepted"], [0.5, np.nan])


def test_where_each_image_is_of_its_own_group_a_predictive_value_has_the_exact_interval_of_the_images_called_so() -> None:
    probabilities, labels = drawn(60, 2, 3)
    groups = np.arange(len(labels))
    found = score_intervals(probabilities, probabilities, labels, groups)
    called = probabilities.argmax(axis=1) == 1
    hits, images = int((labels[called] == 1).sum()), int(called.sum())
    exact = binomtest(hits, images).proportion_ci(0.95, method="exact")
    interval = found["predictive_value/1"]
    assert interval.value == pytest.approx(hits / images)
    assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high), abs=0.01)
    # A class that nobody is called has none.
    never = np.column_stack([probabilities, np.zeros(len(labels), np.float32)])
    assert score_intervals(never, never, labels, groups)["predictive_value/2"] == NOT_DEFINED


def test_what_becomes_of_each_class_is_counted_with_the_interval_over_groups() -> None:
    labels = np.repeat([0, 1], [60, 30])
    right, accepted = np.ones(90, bool), np.ones(90, bool)
    right[60:66] = False  # six of the second class are called the first
    accepted[63:75] = False  # of these three are not accepted
    alone = class_decisions(accepted, right, labels, np.arange(90), ("a", "b", "never seen"))
    assert list(alone) == ["a", "b"]
    assert (alone["a"].images, alone["a"].accepted, alone["a"].missed, alone["a"].review) == (60, 60, 0, 0)
    assert (alone["b"].images, alone["b"].accepted, alone["b"].missed, alone["b"].review) == (30, 15, 3, 12)
    exact = binomtest(3, 30).proportion_ci(0.95, method="exact")
    share = alone["b"].missed_share
    assert (share.value, share.low, share.high) == pytest.approx((0.1, exact.low, exact.high), abs=0.03)
    # Three of one patient say less than three of three.
    of_patients = class_decisions(accepted, right, labels, np.arange(90) // 3, ("a", "b"))["b"].missed_share
    assert of_patients.high is not None
    assert share.high is not None
    assert of_patients.high > share.high
    assert class_decisions(np.zeros(90, bool), right, labels, np.arange(90), ("a", "b")) == {}
