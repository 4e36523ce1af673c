"""New scans that as a whole look otherwise are noticed; scans like those learned from are not, but for chance."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.shift import CHANCE, LEAST_SHARE, shift
from fewscan.evaluation.typicality import Gate
from fewscan.splits.split import split


def gate(labeled: np.ndarray, limit: float = -1.0) -> Gate:
    """A gate that knows of typicalities alone."""
    typicality: Any = SimpleNamespace(limit=limit)
    return Gate(typicality, np.arange(len(labeled)), labeled, labeled)


def test_the_share_is_that_of_all_pairs_ties_counting_half() -> None:
    learned_from, new = np.array([0.0, 1, 2, 3]), np.array([0.0, -1, 2.5])
    less = (new[:, None] < learned_from).mean() + (new[:, None] == learned_from).mean() / 2
    found = shift(new, gate(learned_from))
    assert found is not None
    assert found.scans == 3
    assert found.less_typical == pytest.approx(less)


@pytest.mark.slow
def test_scans_drawn_like_those_learned_from_are_hardly_ever_called_others() -> None:
    random = np.random.default_rng(0)
    found = [shift(random.standard_t(4, 200), gate(random.standard_t(4, 500))) for _ in range(600)]
    p_values = np.array([each.p_value for each in found if each is not None])
    assert len(p_values) == 600
    assert np.quantile(p_values, [0.05, 0.5, 0.95]) == pytest.approx([0.05, 0.5, 0.95], abs=0.05)
    assert sum(each.noticed for each in found if each is not None) <= 3


def test_what_moves_every_scan_by_less_than_a_limit_is_noticed_of_many_and_more_typical_ones_never() -> None:
    random = np.random.default_rng(1)
    usual = gate(random.normal(size=1000), limit=-3.0)
    moved = random.normal(size=300) - 0.5
    assert (moved < usual.limit).mean() < 0.02
    found, few, better = shift(moved, usual), shift(moved[:5], usual), shift(moved + 1, usual)
    assert found is not None
    assert found.noticed
    assert found.less_typical > LEAST_SHARE
    assert few is not None
    assert not few.noticed
    assert better is not None
    assert not better.noticed


def test_a_million_scans_that_hardly_differ_are_not_called_others() -> None:
    random = np.random.default_rng(2)
    found = shift(random.normal(size=200_000) - 0.1, gate(random.normal(size=20_000)))
    assert found is not None
    assert found.p_value < CHANCE
    assert not found.noticed


@pytest.mark.slow
def test_the_labeled_images_are_those_that_a_gate_compares_with_one_a_group(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = split(make_dataset(80, groups=[row // 2 for row in range(80)]), labeled=24, test=8, validation=0.25)
    found = Gate.of(dataset)
    rows = dataset.rows("labeled", "validation")
    assert len(found.labeled) == len(np.unique(dataset.groups[rows]))
    assert set(found.labeled) <= set(found.of_images(dataset.pixels[rows], rows))


def test_where_nobody_can_know_nothing_is_said() -> None:
    assert shift(np.zeros(0), gate(np.zeros(5))) is None
    assert shift(np.zeros(9), gate(np.zeros(0), limit=-np.inf)) is None
