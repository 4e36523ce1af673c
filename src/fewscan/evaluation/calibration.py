"""Probabilities that mean what they say: the temperature that a run's logits are divided by, fitted on held-out images."""

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax

from fewscan.config import Settings
from fewscan.evaluation.intervals import Interval
from fewscan.evaluation.surety import Surety
from fewscan.training.run import Run

CALIBRATION_FILE = "calibration.json"

# Wide enough for any network that learned something: at the upper end the surest network says little more than chance.
TEMPERATURES = (0.05, 20.0)
_GRID = 41  # temperatures that are looked at first, each a sixth higher than the last

Logits = npt.NDArray[np.float32]  # (N, K)
Labels = npt.NDArray[np.int64]  # (N,)


class PileCalibration(Settings):
    """What `held_out_pile.csv` holds: labels held out in turn, whose images were learned from as unlabeled scans are."""

    folds: int
    images: int
    groups: int
    surety: Surety | None


class Calibration(Settings):
    """The content of `calibration.json`; errors are of held-out images, whose own group had no part in the temperature."""

    temperature: float = pydantic.Field(gt=0)
    source: Literal["validation", "cross-fitting"]
    folds: int | None = None  # of a cross-fitting; None, too, where it was done before they were noted
    images: int
    groups: int
    calibration_error_before: Interval
    calibration_error_after: Interval
    surety: Surety | None = None  # of the run's network beside those of a cross-fitting; None where it was not looked at
    pile: PileCalibration | None = None  # None where nothing was held out so
    only_teaching: int = 0  # labels that were held out of none, since a network chose their scans
    dataset_fingerprint: str

    @property
    def no_better(self) -> bool:
        """Whether the temperature made the calibration error no smaller than it is without one."""
        before, after = self.calibration_error_before.value, self.calibration_error_after.value
        return before is not None and after is not None and after >= before

    @classmethod
    def load(cls, run: Run) -> Self | None:
        """Return the run's calibration, or None where it has none."""
        return run.stored(CALIBRATION_FILE, cls, "calibrate")

    def save(self, run: Run, beside: Sequence[str] = ()) -> None:
        """Write `calibration.json` into the run, sealed with its files `beside` it."""
        run.store(CALIBRATION_FILE, self, beside)


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """Return the temperature within TEMPERATURES under which it is likeliest which of N images are called rightly.

    Asked is the probability of the class that is called, softmax(logits / temperature), and not that of an image's label, which
    a few labels that the network finds all but impossible would decide alone, wrong ones say. Of N images each is taken to be
    called rightly or wrongly with a share (N + 1) / (N + 2) alone: as if one more had been called otherwise, or else N right
    ones would make the network sure without bound.
    Source: for the temperature Guo et al. 2017, "On calibration of modern neural networks", section 4.2; for the question Gupta
    and Ramdas 2022, "Top-label calibration and multiclass-to-binary reductions"; for the shares Platt 1999, "Probabilistic
    outputs for support vector machines", section 2.2.
    """
    exact = logits.astype(np.float64)
    called = exact.argmax(axis=1)
    others = np.arange(logits.shape[1]) != called[:, None]
    right = np.where(called == labels, len(labels) + 1, 1) / (len(labels) + 2)

    def unlikelihood(log_temperature: float) -> float:
        log_shares = log_softmax(exact / np.exp(log_temperature), axis=1)
        log_right, log_wrong = log_shares.max(axis=1), logsumexp(log_shares, axis=1, b=others)
        return float(-(right * log_right + (1 - right) * log_wrong).mean())

    # Of several classes it may have more than one minimum.
    grid = np.log(np.geomspace(*TEMPERATURES, _GRID))
    best = int(np.argmin([unlikelihood(place) for place in grid]))
    bounds = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    return float(np.exp(minimize_scalar(unlikelihood, bounds=bounds, method="bounded").x))


def before_temperature(probabilities: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Return the probabilities (N, K) that a network gave before its logits were divided by `temperature`."""
    before: npt.NDArray[np.float64] = softmax(
        temperature * np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)), axis=1
    )
    return before
