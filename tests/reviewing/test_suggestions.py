"""What the page plans to ask for next: what is left of its plan first, and nothing like what comes anyway."""

import numpy as np
import pytest

from fewscan.choosing.scans import Scans
from fewscan.choosing.suggest import Suggestion
from fewscan.reviewing.suggestions import EVERY, PLANNED, mixed, planned

CLUSTERS, EACH = PLANNED + PLANNED // (EVERY - 1), 6


@pytest.fixture
def scans() -> Scans:
    """So many tight clusters as scans are planned and drawn in between."""
    random = np.random.default_rng(0)
    count = CLUSTERS * EACH
    points = np.repeat(random.normal(size=(CLUSTERS, 8)), EACH, axis=0) + 1e-3 * random.normal(size=(count, 8))
    nothing = np.zeros(count, bool)
    return Scans(
        points.astype(np.float32), np.arange(count), np.full(count, -1), ~nothing, nothing, np.arange(count)[:: EACH + 1]
    )


def clusters(rows: list[int]) -> list[int]:
    return [row // EACH for row in rows]


def sampled(scans: Scans, count: int) -> np.ndarray:
    return np.isin(np.arange(len(scans.labels)), scans.random_order[:count])


def test_with_what_is_drawn_in_between_every_cluster_is_asked_for_once(scans: Scans) -> None:
    drawn = scans.random_order[: CLUSTERS - PLANNED]
    rows = [one.row for one in planned(scans, sampled(scans, len(drawn)), None)]
    assert sorted(clusters([*rows, *drawn.tolist()])) == list(range(CLUSTERS))


def test_what_is_left_of_a_plan_is_asked_for_first_and_nothing_like_it_besides(scans: Scans) -> None:
    nobody = sampled(scans, 0)
    left = planned(scans, nobody, None)[: CLUSTERS - PLANNED]
    again = planned(scans, nobody, None, left)
    assert again[: len(left)] == left
    assert sorted(clusters([one.row for one in again])) == list(range(CLUSTERS))


def test_what_has_an_answer_is_left_no_more(scans: Scans) -> None:
    plan = planned(scans, sampled(scans, 0), None)
    answered = [one.row for one in plan[:-3]]
    labels, open_ = scans.labels.copy(), scans.open.copy()
    labels[answered], open_[answered] = 0, False
    again = planned(scans._replace(labels=labels, open=open_), sampled(scans, 0), None, plan)
    assert again[:3] == plan[-3:]
    assert len({one.row for one in again} - set(answered)) == len(again) == 3 + PLANNED


def test_what_tells_how_good_the_model_is_is_never_chosen(scans: Scans) -> None:
    sample = sampled(scans, 10)
    assert not sample[[one.row for one in planned(scans, sample, None)]].any()


@pytest.mark.parametrize("answers", [0, EVERY - 1])
def test_of_a_long_plan_every_open_scan_comes_once_whatever_is_in_both(scans: Scans, answers: int) -> None:
    order = scans.random_order
    plan = [Suggestion(row, "typical", "") for row in [*order[:6].tolist(), *range(1, 3 * PLANNED)]]
    sample = sampled(scans, 3 * PLANNED)
    rows = [one.row for one in mixed(plan, scans.open, order, sample, answers)]
    assert sorted(rows) == np.flatnonzero(scans.open).tolist()
    assert rows[EVERY - 1 - answers] in order[:6]
