"""How many held-out images it takes to accept labels at a stated error, or to say a score: what a split keeps."""

import math

# With one or two groups nothing is known of how groups differ: a score of so many has an interval. A class of two groups is
# missing in 13 % of resamples, one of three in 5 %.
LEAST_GROUPS = 3
# In so many parts labels are held out in turn, if the class of the fewest groups has so many.
PARTS_IN_TURN = 5
# Among accepted labels, where the user asks for no other.
TARGET_ERROR = 0.05
# How often the right class is to be among a scan's possible ones, likewise.
COVERAGE = 0.9
# Those that a user is offered where the one asked for cannot be had. Labels of which more are wrong than one in five are hardly
# worth accepting: then more labels help.
TARGETS: tuple[float, ...] = tuple(percent / 100 for percent in range(1, 21))
# Of draws of held-out images, the share in which the long-run error of what is accepted keeps to the target.
CONFIDENCE = 0.9
# Shares of the images, the highest scores first, at which tests of the error begin. Several, because at few images one mistake
# already forbids all, and at many the least sure ones do; each begins with its part of what we may be wrong by.
STARTS: tuple[float, ...] = (0.25, 0.5, 0.75)
# Of images like those learned from, the share that is called out of distribution: such held-out images support nothing.
OUT_OF_DISTRIBUTION = 0.02
# Of draws, the share in which a validation set that is just large enough has still enough images when those are taken away.
_SURELY = 0.95


def mistrust(candidates: int, *, tests: int = len(STARTS)) -> float:
    """Return how often one of so many sequences of tests may be wrong, for a run that may have been chosen among so many."""
    return (1 - CONFIDENCE) / tests / candidates


def images_needed(target_error: float, *, candidates: int = 1, tests: int = len(STARTS)) -> int:
    """Return how many held-out images, all of them right, it takes to support `target_error` at all; tests: as `mistrust`."""
    return math.ceil(math.log(mistrust(candidates, tests=tests)) / math.log1p(-target_error))


def images_to_keep(target_error: float = TARGET_ERROR, *, candidates: int = 1) -> int:
    """Return how many independent images to keep, so that `images_needed` are left when some are out of distribution."""
    return kept_for(images_needed(target_error, candidates=candidates))


def kept_for(images: int) -> int:
    """Return how many independent images to keep, so that so many are left when some are out of distribution."""
    kept = math.floor(images / (1 - OUT_OF_DISTRIBUTION))  # enough in every other draw
    while _at_most(kept - images, kept) < _SURELY:
        kept += 1
    return kept


def among(candidates: int) -> str:
    """Return what a sentence on an error adds where the run may have been chosen among several."""
    return f" while you choose among {candidates} runs" if candidates > 1 else ""


def least_target(images: int, *, candidates: int = 1) -> float | None:
    """Return the least of TARGETS for which so many images are enough to keep; None where they are for none."""
    return next((target for target in TARGETS if images_to_keep(target, candidates=candidates) <= images), None)


def _at_most(odd: int, images: int) -> float:
    """Return how probable it is that of so many images no more than `odd` are called out of distribution."""
    odds = math.log(OUT_OF_DISTRIBUTION) - math.log1p(-OUT_OF_DISTRIBUTION)
    none = math.lgamma(images + 1) + images * math.log1p(-OUT_OF_DISTRIBUTION)
    return sum(
        math.exp(none - math.lgamma(count + 1) - math.lgamma(images - count + 1) + count * odds) for count in range(odd + 1)
    )


# With a validation set of so many independent images, each of another patient or set of copies, a run is calibrated on it and
# can accept labels at TARGET_ERROR; with fewer, labels are held out in turn, which takes more trainings.
ENOUGH_VALIDATION = images_to_keep()
