"""What the page's model says: learned from the labels of now, scored on scans that nobody chose and it has not learned from."""

from dataclasses import replace

import numpy as np
import pytest

from fewscan.reviewing.app import Review
from fewscan.reviewing.board import Said
from fewscan.reviewing.desk import Desk
from fewscan.reviewing.opinion import Lesson, learned
from fewscan.reviewing.seeing import Seen, pixel_features

CLASSES = ("a", "b", "c")


def lesson(separation: float, labels: int = 60, scored: int = 30, seed: int = 0, wrong: float = 0.0) -> Lesson:
    """Three Gaussian classes in 8 dimensions, of whose labels a share is drawn anew."""
    random = np.random.default_rng(seed)
    truth = random.integers(3, size=200)
    features = (separation * np.eye(3, 8)[truth] + random.normal(size=(200, 8))).astype(np.float32)
    said = np.full(200, -1)
    said[:labels] = np.where(random.random(labels) < wrong, random.integers(3, size=labels), truth[:labels])
    return Lesson(labels, features, said, CLASSES, np.arange(200), np.arange(scored), features.std(axis=0))


def test_classes_that_lie_apart_are_called_rightly() -> None:
    opinion = learned(lesson(12))
    assert opinion is not None
    assert opinion.probabilities.sum(axis=1) == pytest.approx(1)
    truth = np.random.default_rng(0).integers(3, size=200)
    assert (opinion.probabilities.argmax(axis=1) == truth).mean() > 0.99
    assert opinion.accuracy is not None
    assert opinion.accuracy.value == pytest.approx(1)


@pytest.mark.slow
def test_labels_by_chance_score_as_chance_since_no_scan_is_scored_by_who_learned_from_it() -> None:
    scores = [learned(lesson(0, labels=90, scored=60, seed=seed)) for seed in range(8)]
    values = [opinion.accuracy.value for opinion in scores if opinion is not None and opinion.accuracy is not None]
    assert len(values) == 8
    assert np.mean(values) == pytest.approx(1 / 3, abs=0.1)


def test_one_class_teaches_nothing_and_few_drawn_scans_score_nothing() -> None:
    one = lesson(3)
    assert learned(replace(one, labels=np.minimum(one.labels, 0))) is None
    few = learned(lesson(3, scored=9))
    assert few is not None
    assert few.accuracy is None


@pytest.mark.parametrize("classes", [2, 4, 8])
def test_drawn_scans_of_many_classes_with_few_each_are_scored(classes: int) -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), 16 // classes)
    features = (9 * np.eye(classes, 16)[labels] + random.normal(size=(16, 16))).astype(np.float32)
    names = tuple(f"class {number}" for number in range(classes))
    opinion = learned(Lesson(1, features, labels, names, np.arange(16), np.arange(16), features.std(axis=0)))
    assert opinion is not None
    assert opinion.accuracy is not None
    assert opinion.accuracy.value > 0.4


def test_copies_and_their_groups_are_held_out_together() -> None:
    random = np.random.default_rng(0)
    features = np.repeat(random.normal(size=(40, 30)), 2, axis=0).astype(np.float32)  # each twice, and no class in them
    labels = np.repeat(random.integers(2, size=40), 2)
    rows = np.arange(80)
    alone = Lesson(1, features, labels, ("a", "b"), rows, rows[::2], features.std(axis=0))
    together = replace(alone, groups=rows // 2)
    peeking, honest = learned(alone), learned(together)
    assert peeking is not None
    assert honest is not None
    assert peeking.accuracy is not None
    assert honest.accuracy is not None
    assert peeking.accuracy.value - honest.accuracy.value > 0.15


@pytest.mark.slow
def test_nothing_is_learned_from_scans_that_test_validate_or_are_in_dispute(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk: Desk = review.desk
    for row in range(12):
        desk.decide([row], Said("label", ("glioma", "meningioma")[row % 2]), "Ada", {})
    desk.decide([0], Said("unsure", None), "Grace", {})
    eligible = desk.eligible.copy()
    eligible[1] = False
    monkeypatch.setitem(desk.__dict__, "eligible", eligible)
    review.tutor.take(Seen(pixel_features(desk.dataset.pixels), "pixels", None))
    opinion = review.tutor.learn()
    assert opinion is not None
    assert opinion.labels == 10
    assert 1 not in {one.row for one in review.tutor.order(desk.board())}


@pytest.mark.slow
@pytest.mark.parametrize("taught", [False, True])
def test_no_accuracy_is_said_on_features_that_have_learned_from_the_labels(review: Review, taught: bool) -> None:
    desk = review.desk
    for row in range(34):
        desk.decide([row], Said("label", ("glioma", "meningioma")[row % 2]), "Ada", {})
    front = min(len(desk.random_order), 20)
    desk.__dict__["sample"] = np.isin(np.arange(desk.count), desk.random_order[:front])
    for row in desk.random_order[:front]:
        desk.decide([int(row)], Said("label", ("glioma", "meningioma")[row % 2]), "Ada", {})
    review.tutor.take(Seen(pixel_features(desk.dataset.pixels), "pixels", None, taught))
    opinion = review.tutor.learn()
    assert opinion is not None
    assert (opinion.accuracy is None) == taught


@pytest.mark.slow
def test_components_of_pixels_keep_alike_what_is_alike() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, size=(30, 1, 40, 40), dtype=np.uint8)
    brighter = (pixels // 2 + 60).astype(np.uint8)
    features = pixel_features(np.concatenate([pixels, brighter]))
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (distance.argmin(axis=1) == (np.arange(60) + 30) % 60).all()


def test_a_feature_that_hardly_varies_among_labels_decides_nothing_of_scans_in_which_it_does() -> None:
    random = np.random.default_rng(0)
    truth = np.tile([0, 1], 100)
    features = np.stack([3.0 * truth + random.normal(size=200), 20 * random.normal(size=200)], axis=1).astype(np.float32)
    features[:10, 1] = 0.01 * truth[:10]  # by chance it tells the labels apart
    labels = np.where(np.arange(200) < 10, truth, -1)
    lesson = Lesson(1, features, labels, ("a", "b"), np.arange(200), np.zeros(0, np.int64), features[:10].std(axis=0))
    by_all = learned(replace(lesson, deviation=features.std(axis=0)))
    by_labels = learned(lesson)
    assert by_all is not None
    assert by_labels is not None
    right_by_all, right_by_labels = ((one.probabilities.argmax(axis=1) == truth).mean() for one in (by_all, by_labels))
    assert right_by_all > 0.85
    assert right_by_labels < 0.7


def test_scans_that_judge_do_not_tell_how_much_a_feature_varies(review: Review) -> None:
    desk: Desk = review.desk
    eligible = desk.eligible.copy()
    eligible[::3] = False
    desk.__dict__["eligible"] = eligible
    features = np.ones((desk.count, 3), np.float32)
    features[~eligible] *= 1000
    review.tutor.take(Seen(features, "made", None))
    assert (review.tutor._deviation == 0).all()
