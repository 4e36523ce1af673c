from collections.abc import Callable

import numpy as np
import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.by_source import source_scores
from tests.made import remade


@pytest.fixture(scope="module")
def dataset(make_dataset: Callable[..., Snapshot]) -> Snapshot:
    """40 images, every third of the source `b`, all others of `a`; two images a group."""
    made = make_dataset(40, groups=[row // 2 for row in range(40)])
    sources = ["b" if row % 3 == 0 else "a" for row in range(40)]
    return remade(made, made.manifest.assign(source=sources), sources=())


@pytest.mark.slow
def test_each_source_gets_the_score_of_its_own_images(dataset: Snapshot) -> None:
    rows = np.arange(4, 36)
    labels = dataset.labels[rows]
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), len(rows)).astype(np.float32)
    right = probabilities.argmax(axis=1) == labels
    found = {score.name: score for score in source_scores(dataset, rows, probabilities, labels)}
    assert set(found) == {"a", "b"}
    for name, score in found.items():
        own = (rows % 3 == 0) == (name == "b")
        assert score.images == own.sum()
        assert score.groups == len(np.unique(dataset.groups[rows[own]]))
        assert score.accuracy.value == pytest.approx(right[own].mean())
        by_class = [right[own & (labels == label)].mean() for label in np.unique(labels[own])]
        assert score.balanced_accuracy.value == pytest.approx(np.mean(by_class))
        assert score.accuracy.low is not None
        assert score.accuracy.high is not None
        assert score.accuracy.low < score.accuracy.value < score.accuracy.high
    assert sum(score.images * (score.accuracy.value or 0) for score in found.values()) == pytest.approx(right.sum())


def test_of_one_source_there_is_nothing_to_tell_apart(dataset: Snapshot) -> None:
    rows = np.arange(1, 40, 3)
    probabilities = np.full((len(rows), 4), 0.25, np.float32)
    assert source_scores(dataset, rows, probabilities, dataset.labels[rows]) == ()
