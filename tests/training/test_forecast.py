import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewscan.training.forecast import WARM_UP_STEPS, Forecast, spoken_duration


class Clock:
    """Seconds that pass only where a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told(
    step_seconds: float, epochs: int, steps_an_epoch: int, *, done: int = 0, slow_start: float = 0.0, probe_seconds: float = 0.0
) -> list[tuple[int, float]]:
    """Return what a run of even steps was told, and after which step."""
    clock = Clock()
    forecast = Forecast(epochs * steps_an_epoch, done, clock)
    said = []
    clock.now += slow_start
    for step in range(done + 1, epochs * steps_an_epoch + 1):
        clock.now += step_seconds
        if (left := forecast.after(step)) is not None:
            said.append((step, left))
        if step % steps_an_epoch == 0:
            clock.now += probe_seconds
            if (left := forecast.after(step, epoch_ended=True)) is not None:
                said.append((step, left))
    return said


@given(
    step_seconds=st.floats(0.01, 20),
    epochs=st.integers(1, 60),
    steps_an_epoch=st.integers(1, 60),
    done_epochs=st.integers(0, 5),
    slow_start=st.floats(0, 60),
)
def test_an_even_pace_is_told_once_and_exactly(
    step_seconds: float, epochs: int, steps_an_epoch: int, done_epochs: int, slow_start: float
) -> None:
    done = done_epochs * steps_an_epoch
    epochs += done_epochs
    said = told(step_seconds, epochs, steps_an_epoch, done=done, slow_start=slow_start)
    assert len(said) <= 1
    for step, left in said:
        assert left == pytest.approx(step_seconds * (epochs * steps_an_epoch - step), rel=1e-6, abs=1e-6)
    if step_seconds * (epochs * steps_an_epoch - done - 5) > 60:
        assert said


def test_what_an_epoch_costs_besides_its_steps_is_counted() -> None:
    [(step, left)] = told(0.1, epochs=30, steps_an_epoch=20, probe_seconds=2.0)
    assert left == pytest.approx((600 - step) * (0.1 + 2.0 / 20), rel=0.1)


def test_no_pace_is_told_before_a_step_was_watched() -> None:
    # The first epoch ends with the steps of the warm-up, and what comes after them takes long.
    [(step, _)] = told(0.1, epochs=8, steps_an_epoch=WARM_UP_STEPS, probe_seconds=20.0)
    assert step > WARM_UP_STEPS


def test_a_long_epoch_is_not_waited_for() -> None:
    [(step, _)] = told(1.0, epochs=2, steps_an_epoch=1000)
    assert step < 50


def test_a_run_that_is_over_in_seconds_is_told_nothing() -> None:
    assert told(0.01, epochs=3, steps_an_epoch=10) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59, "59 s"), (60, "1 min"), (725, "12 min"), (3600, "1 h 0 min"), (12_000, "3 h 20 min")],
)
def test_durations_are_spoken(seconds: float, words: str) -> None:
    assert spoken_duration(seconds) == words
