"""From probabilities to decisions: which labels to accept at a stated error, and which to have reviewed."""

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

# How sure we want to be that the accepted labels keep to the target error.
CONFIDENCE = 0.95


def acceptance_threshold(
    confidences: npt.NDArray[np.float32], correct: npt.NDArray[np.bool_], target_error: float
) -> float | None:
    """Return the lowest confidence at which labels may be accepted, or None where the images cannot support any.

    confidences: (N,) largest probability of held-out labelled images; correct: (N,) whether it named the right class. Images
    are accepted from the most confident downwards for as long as the exact upper bound of the error among them stays within
    `target_error`, in (0, 1). Tested one after the other in a fixed order, this keeps the error of accepted scans within the
    target with probability CONFIDENCE, if new scans are drawn like the held-out ones.
    Source: Clopper and Pearson 1934; fixed-sequence testing as in Angelopoulos et al. 2021, "Learn then test", section 3.
    """
    order = np.argsort(-confidences, kind="stable")
    errors = np.cumsum(~correct[order])
    threshold = None
    # Fewer images than this prove nothing even without an error: the sequence of tests starts there.
    for accepted in range(images_needed(target_error), len(order) + 1):
        if error_bound(int(errors[accepted - 1]), accepted) > target_error:
            break
        threshold = float(confidences[order[accepted - 1]])
    return threshold


def error_bound(errors: int, images: int) -> float:
    """Return the exact one-sided upper bound, in [0, 1], of an error rate that made `errors` errors in `images` images."""
    return 1.0 if errors == images else float(beta.ppf(CONFIDENCE, errors + 1, images - errors))


def images_needed(target_error: float) -> int:
    """Return how many held-out images, all of them right, it takes to support `target_error` at all."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - target_error))
