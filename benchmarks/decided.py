"""Images with known scores and calls, and what thresholds on them come to: what simulations of decisions share."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fewscan.labeling.decisions import wrong_at_most

POOL = 200_000
BATCHES = (100, 1000)
Random = np.random.Generator


@dataclass(frozen=True)
class Images:
    """Scores of N images, whether they are called rightly, and how much each counts."""

    scores: np.ndarray
    correct: np.ndarray
    weights: np.ndarray

    @cached_property
    def _ranked(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores in rising order, and of those from each on the share that is wrong."""
        order = np.argsort(-self.scores)
        shares = np.cumsum((~self.correct * self.weights)[order]) / np.cumsum(self.weights[order])
        return self.scores[order][::-1], shares[::-1]

    def error(self, threshold: float) -> float:
        """Return the share that is wrong of those from `threshold` on."""
        scores, shares = self._ranked
        return float(shares[min(int(np.searchsorted(scores, threshold)), len(shares) - 1)])


def counted(errors: list[float | None], target: float, random: Random) -> dict[str, float]:
    """Return how often long-run errors of draws, None where nothing is accepted, and of batches from them pass the target."""
    rates = np.array([error for error in errors if error is not None])
    line = {
        "draws": len(errors),
        "accepting": 100 * len(rates) / len(errors),
        "long_run_above_target": 100 * (rates > target).sum() / len(errors),
        "long_run_above_target_of_accepting": 100 * (rates > target).mean() if len(rates) else np.nan,
    }
    for size in BATCHES:
        wrong = random.binomial(size, rates)
        line[f"batches_of_{size}_above_target"] = 100 * (wrong > target * size).mean() if len(rates) else np.nan
        above_bound = 100 * (wrong > wrong_at_most(size, target)).mean() if len(rates) else np.nan
        line[f"batches_of_{size}_above_bound"] = above_bound
    return line
