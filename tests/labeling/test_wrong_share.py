"""At most how many labels are wrong: by draws of which every one is looked at, or many, as their answers come in."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.labeling.wrong_share import checks_needed, most_wrong


def ever_too_small(wrong: np.ndarray, labels: int, number: int, looks: range) -> bool:
    """Whether somebody who looks after so many answers of a draw, again and again, is ever told too small a number."""
    return any(most_wrong(wrong[:checks], labels) < number for checks in looks)


@pytest.mark.parametrize(("labels", "number"), [(70, 1), (20, 2), (14, 3)])
def test_of_all_draws_of_a_few_labels_at_most_one_in_twenty_ever_leads_astray(labels: int, number: int) -> None:
    astray = []
    for places in combinations(range(labels), number):
        wrong = np.isin(np.arange(labels), places)
        astray.append(ever_too_small(wrong, labels, number, range(labels + 1)))
    # Somebody is led astray, so this can fail; each draw is as likely as the others, so this is exact.
    assert 0 < np.mean(astray) <= 0.05


@pytest.mark.slow
def test_of_draws_of_many_labels_hardly_any_leads_astray_who_looks_again_and_again() -> None:
    random, labels, number = np.random.default_rng(0), 400, 40
    whole = np.arange(labels) < number
    astray = [ever_too_small(random.permutation(whole), labels, number, range(20, 110, 3)) for _ in range(200)]
    # Where 0.05 are led astray, 0.1 is passed in one of a thousand such tests; an exact bound for one look leads 0.13 astray.
    assert np.mean(astray) <= 0.1


def test_what_is_known_without_chance_is_said_exactly() -> None:
    assert most_wrong([], 50) == 50
    assert most_wrong([False, True, False], 3) == 1
    assert most_wrong([True] * 5, 5) == 5
    assert most_wrong([False] * 49, 50) <= 1


def test_seventy_right_ones_show_a_twentieth_of_many() -> None:
    assert most_wrong([False] * 70, 2000) <= 100
    assert most_wrong([False] * 50, 2000) > 100  # by chance alone all are right once in thirteen times
    assert most_wrong([*[False] * 70, True], 2000) > 100


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 200))
def test_a_right_one_never_speaks_for_more_wrong_ones_and_a_wrong_one_never_for_fewer(wrong: list[bool], more: int) -> None:
    labels = len(wrong) + more
    now = most_wrong(wrong, labels)
    assert sum(wrong) <= now <= labels - len(wrong) + sum(wrong)
    assert most_wrong([*wrong, False], labels) <= now <= most_wrong([*wrong, True], labels)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([False, False, False, True]), max_size=30), st.integers(1, 300), st.integers(0, 40))
def test_so_many_more_right_ones_show_it_and_one_fewer_does_not(wrong: list[bool], more: int, allowed: int) -> None:
    labels = len(wrong) + more
    needed = checks_needed(wrong, labels, allowed)
    if needed is None:
        assert sum(wrong) > allowed
        return
    assert most_wrong([*wrong, *[False] * needed], labels) <= allowed
    assert needed == 0 or most_wrong([*wrong, *[False] * (needed - 1)], labels) > allowed
