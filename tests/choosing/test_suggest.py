"""Which scans are suggested: what clusters, groups, labels and probabilities ask for."""

import numpy as np
import pytest

from fewscan.choosing.random_sample import random_order
from fewscan.choosing.scans import Scans, reduced
from fewscan.choosing.suggest import STRATEGIES, Strategy, choose
from fewscan.choosing.typical import typical
from fewscan.choosing.uncertain import margin
from fewscan.errors import FewscanError

CLUSTERS = 6


def clustered(size: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points in clusters far from each other, and which each is in."""
    random = np.random.default_rng(seed)
    of = np.repeat(np.arange(CLUSTERS), size)
    return (10 * np.eye(CLUSTERS)[of] + random.normal(scale=0.3, size=(len(of), CLUSTERS))).astype(np.float32), of


def scans_of(points: np.ndarray, **known: np.ndarray) -> Scans:
    """Scans of which nothing is known but what is said here."""
    count = len(points)
    labels = known.get("labels", np.full(count, -1))
    groups = known.get("groups", np.arange(count))
    is_open = known.get("open", labels < 0)
    order = random_order(groups, is_open | (labels >= 0))
    return Scans(points, groups, labels, is_open, known.get("disputed", np.zeros(count, bool)), order)


def test_without_labels_every_cluster_gives_one_scan_near_its_center() -> None:
    points, of = clustered()
    chosen = choose(scans_of(points), CLUSTERS, random_share=0)
    rows = np.array([one.row for one in chosen])
    assert sorted(of[rows].tolist()) == list(range(CLUSTERS))
    for row in rows:
        own = points[of == of[row]]
        distances = np.linalg.norm(own - own.mean(axis=0), axis=1)
        assert np.linalg.norm(points[row] - own.mean(axis=0)) == pytest.approx(distances.min(), rel=1e-4)


def test_with_labels_the_clusters_without_one_come_first_the_largest_ahead() -> None:
    points, of = clustered()
    kept = np.concatenate([np.flatnonzero(of == cluster)[: 10 + 3 * cluster] for cluster in range(CLUSTERS)])
    points, of = points[kept], of[kept]
    labels = np.full(len(of), -1)
    for cluster in (0, 2, 5):
        labels[np.flatnonzero(of == cluster)[0]] = 0
    chosen = choose(scans_of(points, labels=labels), 3, random_share=0, strategy="typical")
    assert [int(of[one.row]) for one in chosen] == [4, 3, 1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_never_two_of_a_group_and_never_one_that_is_not_open(strategy: Strategy) -> None:
    points, _ = clustered()
    random = np.random.default_rng(1)
    groups = random.integers(0, 60, len(points))
    labels = np.where(random.random(len(points)) < 0.2, random.integers(0, 2, len(points)), -1)
    is_open = (labels < 0) & (random.random(len(points)) < 0.8)
    scans = scans_of(points, groups=groups, labels=labels, open=is_open)
    probabilities = random.dirichlet([1, 1, 1], len(points))
    rows = [one.row for one in choose(scans, 30, probabilities=probabilities, strategy=strategy, random_share=0.3)]
    assert len(rows) == 30
    assert len(set(groups[rows].tolist())) == 30
    assert is_open[rows].all()


def test_groups_with_a_label_come_when_no_others_are_left() -> None:
    points, _ = clustered(2)
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3])
    labels = np.full(12, -1)
    labels[[0, 4]] = 0
    scans = scans_of(points, groups=groups, labels=labels)
    assert {int(groups[one.row]) for one in choose(scans, 2, random_share=0)} == {2, 3}
    assert {int(groups[one.row]) for one in choose(scans, 4, random_share=0)} == {0, 1, 2, 3}


@pytest.mark.parametrize("strategy", ["auto", "typical", "uncertain"])
def test_the_last_groups_without_a_label_come_before_any_that_has_one(strategy: Strategy) -> None:
    points, _ = clustered()
    fresh, pairs = 9, (len(points) - 9) // 2 * 2
    groups = np.concatenate([np.arange(fresh), fresh + np.arange(pairs) // 2])
    labels = np.full(len(groups), -1)
    labels[fresh::2] = np.arange(pairs // 2) % 2
    scans = scans_of(points[: len(groups)], groups=groups, labels=labels)
    probabilities = np.random.default_rng(0).dirichlet([1, 1], len(groups))
    rows = [one.row for one in choose(scans, fresh + 3, probabilities=probabilities, strategy=strategy, random_share=0)]
    assert sorted(rows[:fresh]) == list(range(fresh))
    assert len(rows) == fresh + 3


def test_uncertain_ones_are_those_where_two_classes_are_as_likely_spread_over_the_clusters() -> None:
    points, of = clustered()
    unsure = np.zeros(len(points), bool)
    unsure[np.concatenate([np.flatnonzero(of == cluster)[:5] for cluster in range(CLUSTERS)])] = True
    probabilities = np.where(unsure[:, np.newaxis], [0.5, 0.5], [0.99, 0.01])
    chosen = choose(scans_of(points), CLUSTERS, probabilities=probabilities, strategy="uncertain", random_share=0)
    rows = [one.row for one in chosen]
    assert unsure[rows].all()
    assert sorted(of[rows].tolist()) == list(range(CLUSTERS))


def test_margins_are_1_where_two_classes_are_as_likely_and_0_where_one_is_certain() -> None:
    assert margin(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.6, 0.3, 0.1]])).tolist() == pytest.approx([1, 0, 0.7])


def test_disputed_scans_come_first_and_the_random_share_is_of_the_rest_and_spread_over_it() -> None:
    points, _ = clustered()
    disputed = np.zeros(len(points), bool)
    disputed[[3, 70]] = True
    chosen = choose(scans_of(points, disputed=disputed), 42, random_share=0.25)
    kinds = [one.kind for one in chosen]
    assert [one.row for one in chosen[:2]] == [3, 70]
    assert kinds[:2] == ["disputed"] * 2
    assert kinds.count("random") == 10
    # Whoever stops half-way has half of them.
    assert kinds[2:22].count("random") == 5


def test_the_random_ones_are_the_next_of_the_random_order() -> None:
    points, _ = clustered()
    scans = scans_of(points)
    first = [one.row for one in choose(scans, 10, strategy="random")]
    assert first == scans.random_order[:10].tolist()
    labels = scans.labels.copy()
    labels[first[:4]] = 0
    again = choose(scans_of(points, labels=labels), 20, random_share=0.5)
    assert [one.row for one in again if one.kind == "random"] == scans.random_order[4:14].tolist()


def test_the_same_arguments_give_the_same_scans() -> None:
    points, _ = clustered()
    one, other = (choose(scans_of(points), 20, seed=3) for _ in range(2))
    assert one == other


def test_scans_that_are_all_alike_are_suggested_as_far_as_they_go() -> None:
    points = np.ones((8, 3), np.float32)
    assert len(choose(scans_of(points), 5)) == 5
    assert len(choose(scans_of(points), 50)) == 8
    assert len(typical(points, np.array([], np.int64), np.arange(8), 0)) == 0


def test_what_cannot_be_done_is_refused() -> None:
    scans = scans_of(clustered()[0])
    with pytest.raises(FewscanError, match="needs a model"):
        choose(scans, 5, strategy="uncertain")
    with pytest.raises(FewscanError, match="strategy 'best'"):
        choose(scans, 5, strategy="best")  # type: ignore[arg-type]
    with pytest.raises(FewscanError, match=r"1\.5"):
        choose(scans, 5, random_share=1.5)


def test_reduced_features_tell_clusters_apart_whatever_unit_a_feature_has() -> None:
    points, of = clustered()
    features = np.concatenate([points, np.ones((len(points), 2), np.float32)], axis=1)
    features[:, 0] *= 1000
    small = reduced(features)
    assert np.linalg.norm(small, axis=1) == pytest.approx(np.ones(len(small)), abs=1e-5)
    likeness = small @ small.T
    same = of[:, np.newaxis] == of
    assert likeness[same].min() > likeness[~same].max()
