"""`propagation`: labels pass along neighbors, and a small classifier learns what they then say."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from fewscan.errors import FewscanError
from fewscan.learning.method import LabeledFeatures, Solution
from fewscan.learning.probe import Probe
from fewscan.learning.propagation import Propagation, passed_on
from fewscan.training.settings import RunSettings

CLASSES = ("a", "b")


def learned(kind: type[Probe | Propagation], labeled: LabeledFeatures, seed: int = 0, **settings: float) -> Solution:
    method = kind(kind.settings_type(**settings), labeled.features.shape[2], 64, torch.ones(2) / 2)
    return method.solve(labeled, seed)


def said(solution: Solution, features: np.ndarray) -> np.ndarray:
    return np.asarray(softmax(solution.logits(features), axis=1))


def heads(labels: int = 12, heads: int = 60, slices: int = 10) -> tuple[LabeledFeatures, np.ndarray, np.ndarray]:
    """Return a few labeled images, and features (N, 20) and classes of all: slices of a head look alike, each tells little.

    One feature tells the classes apart, with noise of its own in every slice; the others tell heads apart.
    """
    random = np.random.default_rng(0)
    of_head = np.repeat(np.arange(heads), slices)
    classes = of_head % 2
    features = random.normal(scale=3.0, size=(heads, 20))[of_head] + random.normal(scale=0.3, size=(heads * slices, 20))
    features[:, 0] = 2.0 * classes - 1 + random.normal(scale=1.5, size=len(classes))
    features = (100 * features + 30).astype(np.float32)
    few = np.arange(labels) * slices
    rest = np.setdiff1d(np.arange(len(classes)), few)
    ones = np.ones(labels)
    images = features[:, np.newaxis]
    labeled = LabeledFeatures(images[few], classes[few], few, ones, ones, ones > 0, CLASSES, unlabeled=images[rest])
    return labeled, features, classes


def test_what_slices_of_a_head_tell_together_is_more_than_each_tells_alone() -> None:
    labeled, features, classes = heads(40)
    probe, alone, passed_on = (
        (said(solution, features).argmax(axis=1) == classes).mean()
        for solution in (
            learned(Probe, labeled, strength=0.01),
            learned(Propagation, labeled, strength=0.01, steps=400, neighbor_share=0.0),
            learned(Propagation, labeled, strength=0.01, steps=400),
        )
    )
    assert passed_on > max(probe, alone) + 0.02


def test_what_is_shown_as_it_may_come_from_elsewhere_is_known_there() -> None:
    labeled, features, classes = heads(40)
    # Elsewhere the one telling feature is inverted, and another one says so.
    elsewhere = features.copy()
    elsewhere[:, 0] = 60 - elsewhere[:, 0]
    elsewhere[:, 1] += 10_000

    def of(rows: np.ndarray) -> np.ndarray:
        return np.stack([features[rows], features[rows], elsewhere[rows]], axis=1)

    few = labeled.groups
    also = labeled._replace(features=of(few), unlabeled=of(np.setdiff1d(np.arange(len(features)), few)))
    as_it_is = also.first_views(2)._replace(unlabeled=also.unlabeled[:, :2])
    blind, knows = (learned(Propagation, each, strength=0.01, steps=400) for each in (as_it_is, also))
    right = [
        [(said(each, shown).argmax(axis=1) == classes).mean() for shown in (features, elsewhere)] for each in (blind, knows)
    ]
    assert right[0][1] < 0.6 < 0.75 < right[1][1]
    assert right[1][0] > right[0][0] - 0.03


def test_the_seed_alone_decides_what_is_drawn() -> None:
    labeled, features, _ = heads()
    first, again, other = (said(learned(Propagation, labeled, seed, steps=20), features) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_features_in_other_units_and_one_that_never_changes_make_no_difference() -> None:
    labeled, features, _ = heads()
    before = said(learned(Propagation, labeled, steps=60), features)
    assert labeled.unlabeled is not None
    scaled = labeled._replace(features=labeled.features * 8 - 7, unlabeled=labeled.unlabeled * 8 - 7)
    np.testing.assert_allclose(said(learned(Propagation, scaled, steps=60), features * 8 - 7), before, atol=0.02)
    # One more column takes other numbers from the generator: held against itself, at two values of that column.
    more = [np.concatenate([part, np.full((*part.shape[:2], 1), 4.0, np.float32)], axis=2) for part in labeled[:1]]
    rest = np.concatenate([labeled.unlabeled, np.full((*labeled.unlabeled.shape[:2], 1), 4.0, np.float32)], axis=2)
    solution = learned(Propagation, labeled._replace(features=more[0], unlabeled=rest), steps=20)
    there, elsewhere = (np.column_stack([features, np.full(len(features), value, np.float32)]) for value in (4.0, 9.0))
    np.testing.assert_array_equal(said(solution, there), said(solution, elsewhere))


@pytest.mark.parametrize(
    "settings",
    [
        {"sharpening": 5e-324},
        {"neighbor_temperature": 1e-6},
        {"neighbor_temperature": 1e6},
        {"mixup_alpha": 1e-30},
        {"mixup_alpha": 1e6},
        {"neighbors": 1000},
        {"steps": 1},
        {"strength": 1e-30},
        {"strength": 1e30},
    ],
    ids=str,
)
def test_settings_at_their_limits_give_numbers(settings: dict[str, float]) -> None:
    labeled, features, _ = heads()
    assert np.isfinite(learned(Propagation, labeled, **{"steps": 5, "strength": 0.01} | settings).logits(features)).all()


@pytest.mark.parametrize("name", ["strength", "neighbor_temperature", "mixup_alpha", "sharpening"])
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_what_is_no_number_is_no_setting(name: str, value: str) -> None:
    with pytest.raises(FewscanError, match=f"method.{name}"):
        RunSettings.resolve({"name": "propagation", name: value}, "fewscan", {}, labeled=9, unlabeled=9)


def test_scans_that_are_all_the_same_are_called_alike() -> None:
    labeled, features, _ = heads()
    assert labeled.unlabeled is not None
    same = labeled._replace(features=np.ones_like(labeled.features), unlabeled=np.ones_like(labeled.unlabeled))
    shares = said(learned(Propagation, same, steps=20), np.ones_like(features[:2]))
    np.testing.assert_allclose(shares, 0.5, atol=0.2)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_targets_are_shares_and_known_ones_stay(share: float) -> None:
    random = np.random.default_rng(0)
    points, known = random.normal(size=(30, 5)).astype(np.float32), np.eye(3, dtype=np.float32)[random.integers(3, size=6)]
    guesses = softmax(random.normal(size=(30, 3)), axis=1)
    settings = Propagation.settings_type(neighbor_share=share)
    targets = passed_on(points, guesses, known, settings)
    np.testing.assert_array_equal(targets[:6], known)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-5)
    order = np.concatenate([np.arange(6), 6 + random.permutation(24)])
    np.testing.assert_allclose(passed_on(points[order], guesses[order], known, settings), targets[order], atol=1e-5)
    if share == 0:
        squared = guesses[6:] ** 2
        np.testing.assert_allclose(targets[6:], squared / squared.sum(axis=1, keepdims=True), atol=1e-5)


def test_an_image_is_no_neighbor_of_itself_and_copies_vote() -> None:
    points = np.repeat(np.eye(4, 3, dtype=np.float32), 2, axis=0)
    guesses = np.tile(np.array([[0.9, 0.1], [0.2, 0.8]]), (4, 1))
    settings = Propagation.settings_type(neighbor_share=1.0, neighbors=1, sharpening=1.0)
    targets = passed_on(points, guesses, np.empty((0, 2), np.float32), settings)
    # Of the first three pairs each says what its copy is guessed to be, but for what the softmax leaves to others.
    np.testing.assert_allclose(targets[:6], guesses[[1, 0, 3, 2, 5, 4]], atol=1e-3)


@pytest.mark.parametrize("unlabeled", [None, 0, 1])
def test_without_unlabeled_images_or_with_one_it_learns_from_the_labels(unlabeled: int | None) -> None:
    labeled, features, classes = heads(40)
    assert labeled.unlabeled is not None
    less = labeled._replace(unlabeled=None if unlabeled is None else labeled.unlabeled[:unlabeled])
    assert (said(learned(Propagation, less, steps=200), features).argmax(axis=1) == classes).mean() > 0.8
