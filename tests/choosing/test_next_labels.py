"""What the next labels are likely to bring: less and less, never less than chance, never more than there is to gain."""

import pytest

from fewscan.choosing.forecast import next_gain
from fewscan.evaluation.intervals import Interval

NOW = Interval(value=0.7, low=0.6, high=0.8)


def test_the_more_labels_there_are_the_less_twenty_more_bring() -> None:
    said = [next_gain(NOW, labels) for labels in (20, 40, 80, 160, 320, 100_000)]
    values = [one.value for one in said if one is not None and one.value is not None]
    widths = [one.high - one.low for one in said if one is not None and one.high is not None and one.low is not None]
    assert len(values) == len(widths) == 6
    assert values == sorted(values, reverse=True)
    assert widths == sorted(widths, reverse=True)
    assert values[-1] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("labels", [1, 20, 500])
@pytest.mark.parametrize("value", [0.2, 0.7, 0.99, 1.0])
def test_no_more_is_promised_than_there_is_to_gain(labels: int, value: float) -> None:
    said = next_gain(Interval(value=value, low=value - 0.1, high=1.0), labels)
    assert said is not None
    assert said.value is not None
    assert said.low is not None
    assert said.high is not None
    assert said.low <= said.value <= said.high
    assert said.value <= 1 - value
    assert said.high <= 1.1 - value + 1e-9


def test_where_accuracy_is_not_known_nothing_is_said() -> None:
    assert next_gain(Interval(value=None, low=None, high=None), 100) is None
    assert next_gain(Interval(value=0.5, low=None, high=None), 100) is None
