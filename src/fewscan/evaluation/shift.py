"""Whether new scans are, as a whole, less typical than labeled ones, though each alone may be typical enough."""

from scipy.stats import mannwhitneyu

from fewscan.config import Settings
from fewscan.evaluation.typicality import Gate, Values

# A shift is one that chance alone gives once in a thousand batches, and that is large enough to matter: so often at least a new
# scan is less typical than a labeled one. Without a shift it is one half.
CHANCE = 0.001
LEAST_SHARE = 0.55


class Shift(Settings):
    """How typical new scans are, beside the labeled ones that decisions rest on."""

    scans: int
    less_typical: float  # of pairs of a new scan and a labeled one, the share in which the new one is less typical
    p_value: float  # of so many or more, if new scans were drawn like the labeled ones, one a patient

    @property
    def noticed(self) -> bool:
        """Whether the scans are others than those learned from, as a whole."""
        return self.p_value < CHANCE and self.less_typical >= LEAST_SHARE

    def sentence(self, accepted: int) -> str:
        """Return what is to be said of scans of which that was noticed, so many of them accepted."""
        less = f"{100 * self.less_typical:.0f}"
        checked = "accepted labels may be wrong: let a person check a sample of them" if accepted else "labels may be wrong"
        return (
            "as a whole, these scans look different from the labeled ones: if one of each is drawn at random, the new one is "
            f"less typical in {less} of 100 cases, where 50 are usual. Everything stated here is about scans like the held-out "
            f"ones, so more of the {checked}"
        )


def shift(new: Values, gate: Gate) -> Shift | None:
    """Compare how typical new scans (N,) are with the run's labeled ones, each held out, one a group.

    Not with all that the gate was made from: the promise of decisions is about scans like the labeled ones, and a split shares
    out sets of copies otherwise among the unlabeled. None where there is nothing to compare. One test of the whole sees what
    moves many scans by a little, which no limit for single ones can. Source: Mann and Whitney 1947.
    """
    if not len(new) or not len(gate.labeled):
        return None
    found = mannwhitneyu(new, gate.labeled, alternative="less", method="asymptotic")
    pairs = len(new) * len(gate.labeled)
    return Shift(scans=len(new), less_typical=float(1 - found.statistic / pairs), p_value=float(found.pvalue))
