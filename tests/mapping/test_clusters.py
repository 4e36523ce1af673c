"""Clusters of a map are its hills, the largest first, few enough to be picked by number."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from fewscan.mapping.clusters import MOST_CLUSTERS, clusters


def test_heaps_that_lie_apart_are_found_the_largest_first() -> None:
    random = np.random.default_rng(0)
    sizes = [300, 200, 100, 50]
    of = np.repeat(np.arange(4), sizes)
    middles = np.array([[0.2, 0.2], [0.8, 0.3], [0.3, 0.8], [0.8, 0.8]])
    xy = (middles[of] + random.normal(scale=0.02, size=(len(of), 2))).astype(np.float32)
    found = clusters(xy)
    assert adjusted_rand_score(of, found) > 0.98
    counts = np.bincount(found)
    assert (np.diff(counts.astype(int)) <= 0).all()
    shuffled = random.permutation(len(xy))
    assert (clusters(xy[shuffled]) == found[shuffled]).all()


@pytest.mark.parametrize("count", [1, 2, 9, 5000])
def test_there_are_never_more_than_can_be_picked(count: int) -> None:
    found = clusters(np.random.default_rng(1).random((count, 2)).astype(np.float32))
    assert len(found) == count
    assert sorted(set(found.tolist())) == list(range(found.max() + 1))
    assert found.max() < MOST_CLUSTERS


def test_scans_at_one_place_are_one_cluster_and_none_are_none() -> None:
    assert clusters(np.full((7, 2), 0.5, np.float32)).tolist() == [0] * 7
    assert clusters(np.zeros((0, 2), np.float32)).tolist() == []
