"""Is a run's network surer than those of its cross-fitting? Then what they said of held-out images does not speak for it."""

import numpy as np
from scipy.stats import t

from fewscan.config import Settings

# How often a network is called surer that differs from the others only as they differ among themselves.
FALSE_ALARMS = 0.05
# A network that learns from more labels is a little surer, and mostly rightly so. Down to this share of the others' doubts, 1
# less the mean score, a target error is passed no more often than `label` says: benchmarks/decisions_simulation.py.
TOLERATED = 0.95


class Surety(Settings):
    """Mean scores, in [0, 1], of the run's network and of each of the cross-fitting's, on images whose label none was given."""

    images: int
    network: float
    others: tuple[float, ...]

    @property
    def p_value(self) -> float:
        """How probable it is that one more network like the others, of which there are two or more, would be as sure as this.

        Their means are taken to be normally distributed. Source: Student 1908; prediction of one further observation.
        """
        spread = float(np.std(self.others, ddof=1)) * np.sqrt(1 + 1 / len(self.others))
        difference = self.network - float(np.mean(self.others))
        if spread == 0:
            return 0.0 if difference > 0 else 1.0
        return float(t.sf(difference / spread, len(self.others) - 1))

    @property
    def surer(self) -> bool:
        """Whether the run's network is surer than the others, by more than they differ among themselves and by enough."""
        doubts, others = 1 - self.network, 1 - float(np.mean(self.others))
        return self.p_value < FALSE_ALARMS and doubts < TOLERATED * others

    @property
    def words(self) -> str:
        """What was found, for people."""
        return (
            f"mean score {self.network:.3f}, against {np.mean(self.others):.3f} for the {len(self.others)} networks that "
            f"learned without a part of the labels (standard deviation {np.std(self.others, ddof=1):.3f}), on {self.images} "
            "unlabeled images"
        )
