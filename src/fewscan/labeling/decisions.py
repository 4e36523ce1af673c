"""From scores to decisions: from which score on a label may be accepted at a stated error, and which labels a scan may have."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr
from scipy.stats import binom

from fewscan.evaluation.calibration import Labels
from fewscan.splits import support
from fewscan.splits.support import images_needed, mistrust

# Of batches of accepted scans, the share that `wrong_at_most` speaks of.
BATCHES = 0.95
# Of how many more images than there are it is asked whether they would do: beyond, another network is needed.
MOST_TIMES = 20

Scores = npt.NDArray[np.float32]
Counts = int | npt.NDArray[np.int64]


def acceptance_threshold(
    scores: Scores, correct: npt.NDArray[np.bool_], target_error: float, *, candidates: int = 1, above: float = -math.inf
) -> float | None:
    """Return the lowest score from which on labels may be accepted, or None where the images cannot support any.

    scores: (N,) how sure the network is of its label of held-out images, in [0, 1]; correct: (N,) whether the label was right.
    The images are independent. From each of STARTS on, images are added from the highest score downwards for as long as the
    exact upper bound of the error among them stays within `target_error`, in (0, 1) (see `supports`).

    So of all draws of held-out images, those counted where nothing is accepted, at most a share 1 - CONFIDENCE leads to a score
    above which more than `target_error` of new scans are labeled wrongly in the long run, if these are drawn like the held-out
    images. Nothing is said of one batch, nor of those draws alone where something is accepted. candidates: among how many runs
    this one may have been chosen by images like these (Bonferroni). above: the score is to be higher than that, as
    `missed_limit` asks; every score that passed its test keeps the promise, so a higher one does.
    Source: Angelopoulos et al. 2021, "Learn then test", section 3 (fixed-sequence testing from several starts); Clopper and
    Pearson 1934 for the bound.
    """
    ranked = _Ranked.of(scores, correct)
    accepted = ranked.accepted(target_error, candidates, most=int((scores > above).sum()))
    return float(ranked.scores[accepted - 1]) if accepted else None


def missed_limit(scores: Scores, missed: npt.NDArray[np.bool_], target: float, *, candidates: int = 1) -> float | None:
    """Return the score above which few enough scans of a class are accepted as another one; None where images are too few.

    scores: (N,) how sure the network is of its label of held-out images of the class, which are independent; missed: (N,)
    whether that label is another class. From a score on that is higher, the exact upper bound of the share of scans of the
    class that are accepted as another one is at most `target`, in (0, 1). That share falls as the score rises, so of all draws
    of such images at most 1 - CONFIDENCE leads to a score at which it is larger, however common the class is among other scans.
    candidates: as in `acceptance_threshold`.
    Source: Bates et al. 2021, "Distribution-free, risk-controlling prediction sets", theorem 1; Clopper and Pearson 1934.
    """
    few_enough = np.flatnonzero(bdtr(np.arange(len(scores) + 1), len(scores), target) <= mistrust(candidates, tests=1))
    if not len(few_enough):
        return None
    surest = np.sort(scores[missed])[::-1]
    allowed = int(few_enough[-1])
    return float(surest[allowed]) if allowed < len(surest) else -math.inf


def least_accepting_target(scores: Scores, correct: npt.NDArray[np.bool_], *, candidates: int = 1) -> float | None:
    """Return the least of `support.TARGETS` at which these images let anything be accepted; None where they do at none."""
    ranked = _Ranked.of(scores, correct)
    return next((target for target in support.TARGETS if ranked.accepted(target, candidates)), None)


def images_that_would_do(
    scores: Scores, correct: npt.NDArray[np.bool_], target_error: float, *, candidates: int = 1
) -> int | None:
    """Return about how many images like these let labels be accepted, were they right as often at every rank.

    None where MOST_TIMES as many would not do. scores, correct: as `acceptance_threshold` takes them, one image at least.
    """
    ranked = _Ranked.of(scores, correct)
    images = max(ranked.total, images_needed(target_error, candidates=candidates))
    while images <= MOST_TIMES * ranked.total:
        if ranked.grown_to(images).accepted(target_error, candidates):
            return images
        images = math.ceil(1.05 * images)
    return None


class _Ranked(NamedTuple):
    """Images by their scores, the highest first."""

    scores: Scores  # (N,)
    images: npt.NDArray[np.int64]  # (M,) of the highest score, of the two highest ..., since one score is accepted as a whole
    errors: npt.NDArray[np.int64]  # (M,) among these
    total: int

    @classmethod
    def of(cls, scores: Scores, correct: npt.NDArray[np.bool_]) -> "_Ranked":
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        images = np.flatnonzero(np.diff(ranked, append=-np.inf) < 0) + 1
        errors: npt.NDArray[np.int64] = np.cumsum(~correct[order], dtype=np.int64)[images - 1]
        return cls(ranked, images, errors, len(scores))

    def grown_to(self, total: int) -> "_Ranked":
        """Return so many images, with mistakes in proportion; the scores stay those of the fewer."""
        images = self.images * total // self.total
        errors = -(-self.errors * total // self.total)
        return _Ranked(self.scores, images, np.minimum(errors, images), total)

    def accepted(self, target_error: float, candidates: int, *, most: int | None = None) -> int:
        """Return how many images lie above the lowest score that may be accepted, no more than `most`; 0 for none."""
        within = supports(self.errors, self.images, target_error, candidates=candidates)
        accepted = 0
        for start in support.STARTS:
            # With fewer images than are needed no test can be passed, whatever the labels: the sequence may begin later.
            first = max(math.ceil(start * self.total), images_needed(target_error, candidates=candidates))
            passed = self.images[self.images >= first][np.logical_and.accumulate(within[self.images >= first])]
            passed = passed[passed <= (self.total if most is None else most)]
            accepted = max([accepted, *passed[-1:].tolist()])
        return accepted


def supports(errors: Counts, images: Counts, target_error: float, *, candidates: int = 1) -> npt.NDArray[np.bool_]:
    """Return whether so few errors in so many images show an error rate of at most `target_error`.

    Were the rate higher, so few would be seen in at most (1 - CONFIDENCE) / len(STARTS) / candidates of all draws: the exact
    (Clopper-Pearson) upper bound of the rate is within the target.
    """
    shown: npt.NDArray[np.bool_] = bdtr(errors, images, target_error) <= mistrust(candidates)
    return shown


def wrong_at_most(accepted: int, target_error: float) -> int:
    """Return how many of so many accepted scans may be wrong in BATCHES of batches, where the long-run error is `target_error`.

    The scans are independent.
    """
    return int(binom.ppf(BATCHES, accepted, target_error))


def inclusion_thresholds(own: Scores, labels: Labels, classes: int, coverage: float, *, per_class: bool) -> Scores:
    """Return (K,) the least probability with which each class is among a scan's possible ones; 0 where it always is.

    own: (N,) probability of the right class of held-out images, which are independent; labels: (N,) that class. coverage: in
    (0, 1), how often a new scan's right class is to be among its possible ones, on average over draws of held-out images and
    new scans: over all of them, with one threshold for all classes, or with `per_class` within each class, by its own images.
    Too few images rule out nothing.
    Source: Sadinle et al. 2019, "Least ambiguous set-valued classifiers with bounded error levels"; Vovk et al. 2005, chapter 4
    (Mondrian) for classes.
    """
    if per_class:
        return np.array([_rank_from_below(own[labels == label], coverage) for label in range(classes)], dtype=np.float32)
    return np.full(classes, _rank_from_below(own, coverage), dtype=np.float32)


def possible_classes(probabilities: Scores, thresholds: Scores) -> npt.NDArray[np.bool_]:
    """Return (N, K) which classes a scan may have: those from their threshold on and the most probable one.

    probabilities: (N, K); thresholds: (K,).
    """
    possible: npt.NDArray[np.bool_] = (probabilities >= thresholds) | (
        probabilities == probabilities.max(axis=1, keepdims=True)
    )
    return possible


def _rank_from_below(own: Scores, coverage: float) -> float:
    kept = math.ceil((len(own) + 1) * coverage)
    return 0.0 if kept > len(own) else float(np.sort(own)[len(own) - kept])
