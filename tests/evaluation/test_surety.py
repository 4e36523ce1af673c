import numpy as np
import pytest
from scipy.stats import ttest_ind

from fewscan.evaluation.surety import FALSE_ALARMS, Surety


def of(network: float, others: np.ndarray) -> Surety:
    return Surety(images=100, network=network, others=tuple(others))


def test_the_p_value_is_that_of_a_t_test_with_one_observation_on_one_side() -> None:
    others = np.array([0.90, 0.93, 0.91, 0.92, 0.95])
    for network in (0.85, 0.92, 0.99):
        expected = ttest_ind([network], others, alternative="greater").pvalue
        assert of(network, others).p_value == pytest.approx(expected)


@pytest.mark.slow
def test_a_network_like_the_others_is_called_surer_as_often_as_is_said() -> None:
    random = np.random.default_rng(0)
    means = random.normal(0.9, 0.02, (4000, 6))
    alarms = sum(of(row[0], row[1:]).surer for row in means)
    assert alarms == pytest.approx(4000 * FALSE_ALARMS, abs=3 * np.sqrt(4000 * FALSE_ALARMS))
    # One that is surer by five times what they differ by is mostly noticed; one that is less sure never is.
    assert np.mean([of(row[0] + 0.1, row[1:]).surer for row in means[:300]]) > 0.9
    assert not any(of(row[0] - 0.1, row[1:]).surer for row in means[:300])


def test_networks_that_do_not_differ_at_all_leave_no_room() -> None:
    same = np.full(5, 0.9)
    assert (of(0.9, same).p_value, of(0.91, same).p_value, of(0.89, same).p_value) == (1, 0, 1)


def test_a_network_that_is_surer_by_a_little_of_its_doubts_is_not_called_so() -> None:
    others = np.array([0.738, 0.740, 0.739, 0.737, 0.736])  # logistic regressions on the same features hardly differ
    doubts = 1 - others.mean()
    assert of(1 - 0.98 * doubts, others).p_value < FALSE_ALARMS
    assert not of(1 - 0.98 * doubts, others).surer
    assert of(1 - 0.9 * doubts, others).surer
