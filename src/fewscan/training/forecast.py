"""How long a training will take: told once, as soon as it has run long enough to know."""

import time
from collections.abc import Callable

# The first steps are slow: memory is fetched, kernels are chosen.
WARM_UP_STEPS = 3
# A whole epoch holds all that an epoch costs, the probe too; where epochs are long nobody wants to wait for one.
WATCHED_SECONDS_EPOCH = 8.0
WATCHED_SECONDS = 30.0


class Forecast:
    """Seconds that all steps of a run will take, from the pace of those that it has watched.

    steps: how many the run has in all. done: how many it had made when it began, or went on.
    """

    def __init__(self, steps: int, done: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.steps = steps
        self.clock = clock
        self.first = done + WARM_UP_STEPS
        self.began: float | None = None
        self.told = False

    def after(self, done: int, *, epoch_ended: bool = False) -> float | None:
        """Return how many seconds are left after `done` steps; None while it is too early to know, and once it was told."""
        if self.told or done < self.first:
            return None
        now = self.clock()
        if self.began is None:
            self.began, self.first = now, done
            return None
        watched = now - self.began
        if done == self.first or watched < (WATCHED_SECONDS_EPOCH if epoch_ended else WATCHED_SECONDS):
            return None
        self.told = True
        return watched / (done - self.first) * (self.steps - done)


def spoken_duration(seconds: float) -> str:
    """Return a duration as people say it: `40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
