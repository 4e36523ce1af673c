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
