"""The random sample: nobody chooses it, and it needs no mark."""

import numpy as np
import pytest

from fewscan.choosing.random_sample import random_order, random_sample
from fewscan.choosing.scans import Scans
from fewscan.choosing.suggest import answered, choose, honest_rows


def alone(count: int) -> np.ndarray:
    return np.arange(count)


def test_every_group_stands_in_the_order_once_by_one_of_its_eligible_rows() -> None:
    groups = np.array([7, 7, 2, 5, 2, 9])
    eligible = np.array([True, True, True, True, True, False])
    order = random_order(groups, eligible)
    assert sorted(groups[order].tolist()) == [2, 5, 7]
    assert eligible[order].all()


def test_large_groups_stand_no_further_ahead_and_each_scan_of_a_group_is_as_likely() -> None:
    # Groups of three rows and of one, in turn.
    groups = np.repeat(np.arange(4000), np.tile([3, 1], 2000))
    order = random_order(groups, np.ones(len(groups), bool))
    sizes = np.bincount(groups)
    assert abs(np.mean(sizes[groups[order[:1000]]] == 3) - 0.5) < 0.05
    first_row = np.searchsorted(groups, np.arange(4000))
    of_three = order[sizes[groups[order]] == 3]
    places = np.bincount(of_three - first_row[groups[of_three]], minlength=3)
    assert (np.abs(places / 2000 - 1 / 3) < 0.05).all()


def test_scans_that_come_later_leave_the_order_of_the_others() -> None:
    before = random_order(alone(50), np.ones(50, bool))
    after = random_order(alone(80), np.ones(80, bool))
    assert after[after < 50].tolist() == before.tolist()


def test_the_sample_ends_before_the_first_scan_without_an_answer() -> None:
    order = np.array([4, 2, 0, 1, 3])
    said = np.array([False, True, True, True, True])
    assert random_sample(order, said).tolist() == [4, 2]
    assert random_sample(order, np.ones(5, bool)).tolist() == order.tolist()


@pytest.mark.slow
def test_accuracy_on_the_random_sample_is_that_of_the_pile_though_others_were_chosen_for_being_hard() -> None:
    """A model is right on 70 % of the scans; whoever labels takes the ones it is unsure of, which it is wrong on more often."""
    random = np.random.default_rng(0)
    estimates, of_all_labels = [], []
    for _ in range(50):
        count = 400
        right = random.random(count) < 0.7
        points = random.normal(size=(count, 2)).astype(np.float32)
        # What the model knows of its own mistakes; rows come in any order, as this one has no meaning.
        sure = np.where(right, 0.75, 0.6) + random.uniform(0, 0.2, count)
        probabilities = np.stack([sure, 1 - sure], axis=1)
        labels = np.full(count, -1)
        order = random_order(alone(count), np.ones(count, bool))
        for _ in range(2):
            scans = Scans(points, alone(count), labels, labels < 0, np.zeros(count, bool), order)
            chosen = choose(scans, 60, probabilities=probabilities, strategy="uncertain", random_share=0.25)
            labels[[one.row for one in chosen]] = 0
        scans = Scans(points, alone(count), labels, labels < 0, np.zeros(count, bool), order)
        estimates.append(right[honest_rows(scans)].mean())
        of_all_labels.append(right[answered(scans)].mean())
        assert len(honest_rows(scans)) >= 30
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - 0.7) < 3 * error + 0.01
    assert np.mean(of_all_labels) < 0.6
