"""The probe is the logistic regression that scikit-learn makes of standardized features, of a strength that labels choose."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fewscan.errors import FewscanError
from fewscan.learning import logistic_regression
from fewscan.learning.logistic_regression import STRENGTHS, USUAL_STRENGTH, folds
from fewscan.learning.method import LabeledFeatures, Solution
from fewscan.learning.probe import Probe, ProbeSettings

CLASSES = ("a", "b", "c")


def made(images: int = 60, classes: int = 3, noise: float = 1.0, views: int = 2, seed: int = 0) -> LabeledFeatures:
    """Features of classes around centers of their own, on scales as different as those of networks."""
    random = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    centers = random.normal(size=(3, 12))
    features = centers[labels][:, None] + noise * random.normal(size=(images, views, 12))
    features = features * np.logspace(-2, 2, 12) + 3
    ones = np.ones(images)
    return LabeledFeatures(features.astype(np.float32), labels, np.arange(images), ones, ones, ones > 0, CLASSES)


def solved(labeled: LabeledFeatures, strength: float | None = None, seed: int = 0) -> Solution:
    method = Probe(ProbeSettings(strength=strength), labeled.features.shape[2], 8, torch.ones(3) / 3)
    return method.solve(labeled, seed)


def said(solution: Solution, features: np.ndarray) -> np.ndarray:
    return softmax(features.astype(np.float64) @ solution.weight.T + solution.bias, axis=1)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_the_solution_is_scikit_learns(classes: int, strength: float) -> None:
    labeled = made(classes=classes)._replace(classes=CLASSES[:classes])
    views = labeled.features.reshape(-1, 12)
    targets = np.repeat(labeled.labels, 2)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000, tol=1e-8))
    pipeline.fit(views.astype(np.float64), targets, logisticregression__sample_weight=np.full(len(targets), 0.5))
    np.testing.assert_allclose(said(solved(labeled, strength), views), pipeline.predict_proba(views), atol=2e-3)


def test_a_feature_that_hardly_varies_among_the_labels_is_no_larger_than_among_all_scans() -> None:
    labeled = made()
    views = labeled.features.reshape(-1, 12).astype(np.float64)
    among_all = (3 * views.std(axis=0)).astype(np.float32)
    pipeline = LogisticRegression(C=0.1, max_iter=5000, tol=1e-8)
    scaled = (views - views.mean(axis=0)) / among_all
    pipeline.fit(scaled, np.repeat(labeled.labels, 2), sample_weight=np.full(len(views), 0.5))
    found = said(solved(labeled._replace(deviation=among_all), 0.1), views)
    np.testing.assert_allclose(found, pipeline.predict_proba(scaled), atol=2e-3)
    # Where it varies more among the labels, these say how much.
    less = said(solved(labeled._replace(deviation=among_all / 100), 0.1), views)
    np.testing.assert_allclose(less, said(solved(labeled, 0.1), views), atol=1e-6)


def test_the_order_of_images_and_a_feature_that_never_changes_make_no_difference() -> None:
    labeled = made()
    order = np.random.default_rng(1).permutation(60)
    constant = np.concatenate([labeled.features, np.full((60, 2, 1), 7.3, np.float32)], axis=2)
    before = said(solved(labeled, 0.1), labeled.features[:, 0])
    for other in (labeled.take(order), labeled._replace(features=constant)):
        kept = other.features[:, 0] if other.features.shape[2] == 13 else labeled.features[:, 0]
        np.testing.assert_allclose(said(solved(other, 0.1), kept), before, atol=2e-3)


def test_what_an_image_weighs_is_how_often_it_counts() -> None:
    labeled = made(30)
    twice = labeled.take(np.concatenate([np.arange(30), np.arange(10)]))
    heavier = labeled._replace(weights=np.where(np.arange(30) < 10, 2.0, 1.0))
    features = labeled.features[:, 0]
    np.testing.assert_allclose(said(solved(twice, 0.1), features), said(solved(heavier, 0.1), features), atol=2e-3)


@pytest.mark.slow
@given(
    st.integers(2, 5), st.integers(0, 10), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=12, max_size=40)
)
@settings(max_examples=30, deadline=None)
def test_no_group_is_on_both_sides_of_a_fold(count: int, seed: int, images: list[tuple[int, int]]) -> None:
    labels, groups = (np.array(column) for column in zip(*images, strict=True))
    if len(np.unique(groups)) < count or np.bincount(labels).max() < count:
        return
    for learned, held_out in folds(labels, groups, count, seed):
        assert not np.isin(groups[held_out], groups[learned]).any()


@pytest.mark.slow
def test_labels_that_copy_each_other_within_groups_choose_no_weak_penalty() -> None:
    """Of pure noise every image comes four times: held out one by one it would be known by heart, so the weakest would win."""
    noise = made(10, noise=30.0, views=1)
    copies = noise.take(np.repeat(np.arange(10), 4))
    grouped = solved(copies).numbers["strength"]
    alone = solved(copies._replace(groups=np.arange(40))).numbers["strength"]
    assert grouped < alone == STRENGTHS[-1]


@pytest.mark.slow
def test_the_choice_follows_the_seed_alone() -> None:
    labeled = made(noise=2.0)
    first, again = solved(labeled, seed=1), solved(labeled, seed=1)
    assert first.numbers == again.numbers
    np.testing.assert_array_equal(first.weight, again.weight)


def test_a_class_without_labels_is_never_called() -> None:
    solution = solved(made(40, classes=2), 1.0)
    features = np.random.default_rng(5).normal(0, 300, (500, 12)) * np.logspace(-2, 2, 12)
    assert (said(solution, features)[:, 2] <= 1 / 41).all()


@pytest.mark.slow
def test_few_labels_say_what_is_done() -> None:
    labeled = made(6)
    lone = labeled._replace(groups=labeled.labels)
    solution = solved(lone)
    assert solution.numbers == {"strength": USUAL_STRENGTH}
    assert "a, b and c" in solution.lines[0]
    one_lone = made(60)
    one_lone = one_lone._replace(groups=np.where(one_lone.labels == 1, 1000, one_lone.groups))
    solution = solved(one_lone)
    assert "b" in solution.lines[0]
    assert solution.numbers["cross_validated_accuracy"] > 0.5


def test_one_class_is_refused() -> None:
    labeled = made(20, classes=1)
    with pytest.raises(FewscanError, match="'a'"):
        solved(labeled)


def test_a_regression_that_has_not_settled_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic_regression, "MOST_STEPS", 1)
    assert any("did not converge" in line for line in solved(made(), strength=1.0).lines)
    monkeypatch.undo()
    assert solved(made(), strength=1.0).lines == ()
