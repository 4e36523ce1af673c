"""From scores to decisions: from which score on a label may be accepted at a stated error, and which labels a scan may have."""

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

# How sure we want to be that the accepted labels keep to the target error.
CONFIDENCE = 0.9
# Shares of the images, the highest scores first, at which tests of the error begin. Several, because at few images one mistake
# already forbids all, and at many the least sure ones do; each begins with its part of what we may be wrong by.
STARTS = (0.25, 0.5, 0.75)

Scores = npt.NDArray[np.float32]


def acceptance_threshold(scores: Scores, correct: npt.NDArray[np.bool_], target_error: float) -> float | None:
    """Return the lowest score from which on labels may be accepted, or None where the images cannot support any.

    scores: (N,) how sure the network is of its label of held-out images, in [0, 1]; correct: (N,) whether the label was right.
    The images are independent. From each of STARTS on, images are added from the highest score downwards for as long as the
    exact upper bound of the error among them stays within `target_error`, in (0, 1). So the error of accepted scans is within
    the target with probability CONFIDENCE, if new scans are drawn like the held-out images.
    Source: Angelopoulos et al. 2021, "Learn then test", section 3 (fixed-sequence testing from several starts); Clopper and
    Pearson 1934 for the bound.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    errors = np.cumsum(~correct[order])
    # Images of one score are accepted together or not at all.
    ends = np.flatnonzero(np.diff(ranked, append=-np.inf) < 0) + 1
    accepted = 0
    for start in STARTS:
        # With fewer images than are needed no test can be passed, whatever the labels: the sequence may begin later.
        first = max(math.ceil(start * len(scores)), images_needed(target_error))
        for images in ends[ends >= first]:
            if error_bound(int(errors[images - 1]), int(images)) > target_error:
                break
            accepted = max(accepted, int(images))
    return float(ranked[accepted - 1]) if accepted else None


def error_bound(errors: int, images: int) -> float:
    """Return the exact one-sided upper bound, in [0, 1], of an error rate that made `errors` errors in `images` images.

    Wrong with probability (1 - CONFIDENCE) / len(STARTS).
    """
    return 1.0 if errors == images else float(beta.ppf(1 - _mistrust(), errors + 1, images - errors))


def images_needed(target_error: float) -> int:
    """Return how many held-out images, all of them right, it takes to support `target_error` at all."""
    return math.ceil(math.log(_mistrust()) / math.log1p(-target_error))


def inclusion_threshold(own: Scores, coverage: float) -> float | None:
    """Return the least probability with which a class is among a scan's possible ones, or None where the images are too few.

    own: (N,) probability of the right class of held-out images, which are independent; coverage: in (0, 1), how often a new
    scan's right class is to be among its possible ones, on average over draws of held-out images and new scans.
    Source: Sadinle et al. 2019, "Least ambiguous set-valued classifiers with bounded error levels"; Vovk et al. 2005.
    """
    kept = math.ceil((len(own) + 1) * coverage)
    return None if kept > len(own) else float(np.sort(own)[len(own) - kept])


def possible_classes(probabilities: Scores, threshold: float | None) -> npt.NDArray[np.bool_]:
    """Return (N, K) which classes a scan may have: those from `threshold` on and the most probable one; None: all.

    probabilities: (N, K).
    """
    if threshold is None:
        return np.ones(probabilities.shape, dtype=bool)
    possible: npt.NDArray[np.bool_] = (probabilities >= threshold) | (probabilities == probabilities.max(axis=1, keepdims=True))
    return possible


def _mistrust() -> float:
    return (1 - CONFIDENCE) / len(STARTS)
