"""Scans of a class that are accepted as another one: how many a user allows, and what held-out images show of them.

The error of accepted labels is over all classes together: where few scans have a finding, it is kept though most of them are
missed. So the share that is missed can be limited for a class, by held-out images of that class alone.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from fewscan.evaluation.class_decisions import ClassDecisions
from fewscan.evaluation.held_out import HeldOut
from fewscan.evaluation.intervals import exact_interval
from fewscan.labeling.asked import Asked
from fewscan.labeling.decisions import Scores, acceptance_threshold, missed_limit
from fewscan.splits.support import CONFIDENCE, TARGETS, among
from fewscan.wording import advised, listed


class ClassImages(NamedTuple):
    """Held-out images of a class, one of each group: how sure the network is of its label, and whether that is wrong."""

    name: str
    scores: Scores  # (N,)
    wrong: npt.NDArray[np.bool_]  # (N,)

    @classmethod
    def of(cls, images: HeldOut, name: str, label: int) -> Self:
        """Return those of a class among images of all."""
        own = images.take(images.labels == label)
        return cls(name, own.scores, ~own.correct)

    def at(self, threshold: float) -> ClassDecisions:
        """Return what becomes of them where scores from `threshold` on are accepted."""
        accepted, images = self.scores >= threshold, len(self.scores)
        missed = int((accepted & self.wrong).sum())
        return ClassDecisions(
            images=images,
            accepted=int((accepted & ~self.wrong).sum()),
            missed=missed,
            missed_share=exact_interval(missed, images),
        )

    def limit(self, share: float, candidates: int) -> float:
        """Return the score above which at most a share of the class is missed; infinite where they are too few to show it."""
        limit = missed_limit(self.scores, self.wrong, share, candidates=candidates)
        return math.inf if limit is None else limit


class Limits(NamedTuple):
    """Which share of each of some classes a user allows to be missed, and the held-out images that have to show it."""

    asked: tuple[tuple[ClassImages, float], ...]
    candidates: int

    @classmethod
    def of(cls, images: HeldOut, classes: Sequence[str], asked: Asked, candidates: int) -> Self:
        """Find the images among those held out, one of each group and class."""
        shares = asked.target_missed.items()
        return cls(tuple((ClassImages.of(images, name, classes.index(name)), share) for name, share in shares), candidates)

    @property
    def lacking(self) -> list[str]:
        """Which classes have too few images, in words."""
        return [
            f"keeping the share of {one.name} that is accepted as another class within {share:g}{among(self.candidates)} "
            f"takes at least {needed(share, self.candidates)} held-out images of {one.name}, each of another patient or set of "
            f"copies, even if the network misses none; there are {len(one.scores)}"
            for one, share in self.asked
            if len(one.scores) < needed(share, self.candidates)
        ]

    def threshold(self, images: HeldOut, target_error: float) -> float | None:
        """Return the lowest score from which on labels may be accepted at an error and under all limits; None for none."""
        above = max((one.limit(share, self.candidates) for one, share in self.asked), default=-math.inf)
        return self._accepted_from(images, target_error, above)

    def refusal(self, target_error: float) -> str:
        """Return why nothing is accepted where an error alone would let something be, in words."""
        if self.lacking:
            return f"nothing is accepted: {'; and '.join(self.lacking)}"
        shares = listed([f"more than {share:g} of {one.name}" for one, share in self.asked])
        return (
            f"nothing is accepted: so that not {shares} may be accepted as another class, only such high scores could be that "
            f"too few held-out images reach them to support an error of {target_error:g}{among(self.candidates)}"
        )

    def promises(self) -> Iterator[str]:
        """Yield what is promised of each class, in words."""
        for one, share in self.asked:
            yield (
                f"of {one.name}, a score chosen this way keeps the long-run share that is accepted as another class within "
                f"{share:g}, each patient or set of copies counted once, in at least {100 * CONFIDENCE:g} of 100 draws of such "
                f"images: {len(one.scores)} of {one.name}. This holds however rare {one.name} is, if new scans of it are drawn "
                "in the same way as these"
            )

    def helps(self, images: HeldOut, target_error: float) -> Iterator[str]:
        """Yield what would let labels be accepted, in words; images: those by which the error is held to `target_error`."""
        for one, share in self.asked:
            lacks = needed(share, self.candidates) - len(one.scores)
            if lacks > 0:
                yield f"label at least {lacks:,} more images of {one.name}, of as many other patients"
        for one, share in self.asked:
            least = self._least(one, images, target_error)
            if least is not None and least > share:
                by_command = f"give --target-missed {one.name}={least:g}"
                yield (
                    f"{advised(by_command, f'allow {100 * least:g} % of {one.name} to be accepted as another class')}, the "
                    "lowest share that these images support, though no longer one that you named before you looked"
                )

    def _least(self, one: ClassImages, images: HeldOut, target_error: float) -> float | None:
        """Return the least of TARGETS at which this limit alone lets anything be accepted; None for none."""
        limits = ((share, one.limit(share, self.candidates)) for share in TARGETS)
        return next((share for share, above in limits if self._accepted_from(images, target_error, above) is not None), None)

    def _accepted_from(self, images: HeldOut, target_error: float, above: float) -> float | None:
        return acceptance_threshold(images.scores, images.correct, target_error, candidates=self.candidates, above=above)


def of_each_class(images: HeldOut, classes: Sequence[str], threshold: float) -> dict[str, ClassDecisions]:
    """Return what becomes of held-out images, one of each group and class, at a threshold: of each class that has any."""
    each = (ClassImages.of(images, name, label) for label, name in enumerate(classes))
    return {one.name: one.at(threshold) for one in each if len(one.scores)}


def over_all(held_out: Mapping[str, ClassDecisions], asked: Asked, candidates: int) -> Iterator[str]:
    """Yield that the error is over all classes together, and of which class most may be missed, unless a class is limited."""
    if asked.target_missed or not held_out:
        return
    name, most = max(held_out.items(), key=lambda each: each[1].missed_share.high or 0)
    share = next((share for share in TARGETS if share >= asked.target_error and most.images >= needed(share, candidates)), None)
    limiting = "" if share is None else advised(f"; '--target-missed {name}={share:g}' limits that", "")
    yield (
        f"the error is over all classes together: of {most.images:,} independent held-out images of {name}, {most.missed:,} "
        f"would be accepted as another class ({most.missed_share.percent}){limiting}"
    )


def needed(share: float, candidates: int) -> int:
    """Return how many held-out images of a class it takes to keep within `share` what is missed, if none of them is."""
    return math.ceil(math.log((1 - CONFIDENCE) / candidates) / math.log1p(-share))
