"""Two dimensions: what is alike lies side by side, the same every time."""

import numpy as np
import pytest

from fewscan.mapping.coordinates import coordinates


def clustered(size: int = 25, clusters: int = 4) -> tuple[np.ndarray, np.ndarray]:
    of = np.repeat(np.arange(clusters), size)
    noise = np.random.default_rng(0).normal(scale=0.3, size=(len(of), 12))
    return (np.eye(12)[of] * 8 + noise).astype(np.float32), of


def in_own_cluster(xy: np.ndarray, of: np.ndarray) -> float:
    """How often the nearest other scan is of the same cluster."""
    distances = np.linalg.norm(xy[:, np.newaxis] - xy, axis=2)
    np.fill_diagonal(distances, np.inf)
    return float(np.mean(of[distances.argmin(axis=1)] == of))


@pytest.mark.slow
def test_clusters_stay_together_and_the_map_fills_its_square() -> None:
    features, of = clustered()
    found = coordinates(features)
    assert in_own_cluster(found.xy, of) == 1
    assert found.xy.min(axis=0).tolist() == [0, 0]
    assert found.xy.max(axis=0).tolist() == [1, 1]
    assert "t-SNE" in found.way


@pytest.mark.slow
def test_the_same_features_lie_at_the_same_places() -> None:
    features, _ = clustered(10)
    assert (coordinates(features).xy == coordinates(features).xy).all()


@pytest.mark.slow
def test_of_many_scans_some_are_placed_and_the_others_lie_among_those_like_them_which_is_said() -> None:
    features, of = clustered(40)
    found = coordinates(features, most=60)
    assert in_own_cluster(found.xy, of) > 0.98
    assert "60 scans, drawn at random" in found.way


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_few_scans_and_scans_that_are_all_alike_have_places_too(count: int) -> None:
    for features in (clustered()[0][:count], np.ones((count, 12), np.float32)):
        xy = coordinates(features).xy
        assert xy.shape == (count, 2)
        assert np.isfinite(xy).all()
        assert (xy >= 0).all()
        assert (xy <= 1).all()
