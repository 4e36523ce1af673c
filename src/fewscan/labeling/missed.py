"""Scans of a class that are accepted as another one: how many a user allows, and what held-out images show of them.

The error of accepted labels is over all classes together: where few scans have a finding, it is kept though most of them are
missed. So the share that is missed can be limited for a class, by held-out images of that class alone.
"""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from fewscan.evaluation.class_decisions import ClassDecisions
from fewscan.evaluation.held_out import HeldOut
from fewscan.evaluation.intervals import exact_interval
from fewscan.labeling.asked import Asked
from fewscan.labeling.decisions import Scores, acceptance_threshold, missed_limit
from fewscan.splits.support import CONFIDENCE, TARGETS, among, images_needed
from fewscan.wording import advised, counted, listed


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
        accepted = self.scores >= threshold
        missed = exact_interval(int((accepted & self.wrong).sum()), len(self.scores))
        return ClassDecisions.of(accepted, ~self.wrong, missed)

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
            f"keeping the share of '{one.name}' that is accepted as another class within {share:g}{among(self.candidates)} "
            f"takes at least {needed(share, self.candidates):,} held-out images of '{one.name}', each of another patient or "
            f"set of copies, even if the network misses none; there are {len(one.scores):,}"
            for one, share in self.asked
            if self._lacks(one, share) > 0
        ]

    def threshold(self, images: HeldOut, target_error: float) -> float | None:
        """Return the lowest score from which on labels may be accepted at an error and under all limits; None for none."""
        above = max((one.limit(share, self.candidates) for one, share in self.asked), default=-math.inf)
        return self._accepted_from(images, target_error, above)

    def refusal(self, target_error: float) -> tuple[str, str]:
        """Return why nothing is accepted where an error alone would let something be, in words and in short."""
        keeping = "to keep what is accepted as another class within "
        if self.lacking:
            few = listed([f"{share:g} of '{one.name}'" for one, share in self.asked if self._lacks(one, share) > 0])
            why = f"nothing is accepted: {'; and '.join(self.lacking)}"
            return why, f"nothing is accepted: too few held-out images {keeping}{few}"
        shares = listed([f"{share:g} of '{one.name}'" for one, share in self.asked])
        why = (
            f"nothing is accepted: what is accepted as another class is within {shares} only at high scores, and too few "
            f"held-out images reach these to support an error of {target_error:g}{among(self.candidates)}"
        )
        return why, f"nothing is accepted: too many confident mistakes {keeping}{shares}"

    def promises(self) -> Iterator[str]:
        """Yield what is promised of each class, in words."""
        for one, share in self.asked:
            yield (
                f"of '{one.name}', a score chosen this way keeps the long-run share that is accepted as another class within "
                f"{share:g}, each patient or set of copies counted once, in at least {100 * CONFIDENCE:g} of 100 draws of such "
                f"images: {len(one.scores):,} of '{one.name}'. This holds however rare '{one.name}' is, if new scans of it are "
                "drawn in the same way as these"
            )

    def helps(self, images: HeldOut, target_error: float) -> Iterator[str]:
        """Yield what would let labels be accepted, in words; images: those by which the error is held to `target_error`.

        Of several limits that are not supported, all have to be helped.
        """
        lacks = {one.name: self._lacks(one, share) for one, share in self.asked if self._lacks(one, share) > 0}
        if lacks:
            more = listed([f"{number:,} more images of '{name}'" for name, number in lacks.items()])
            yield f"label at least {more}, of as many other patients"
        least = {one.name: (share, self._least(one, images, target_error)) for one, share in self.asked}
        higher = {name: at for name, (share, at) in least.items() if at is not None and at > share}
        if higher and all(at is not None for _, at in least.values()):
            options = [word for name, share in higher.items() for word in ("--target-missed", f"{name}={share:g}")]
            allowed = listed([f"{100 * share:g} % of '{name}'" for name, share in higher.items()])
            how = advised(f"give {shlex.join(options)}", f"allow {allowed} to be accepted as another class")
            yield f"{how}, the lowest that these images support, though no longer what you named before you looked"
        elif not lacks:
            names = listed([f"'{one.name}'" for one, _ in self.asked])
            yield f"label more images of {names}, so that the network learns to be right on them where it is confident"

    def _lacks(self, one: ClassImages, share: float) -> int:
        """Return how many images of a class there are too few, if the network is right on all; none where not above 0."""
        return needed(share, self.candidates) - len(one.scores)

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
    option = "" if share is None else shlex.join(("--target-missed", f"{name}={share:g}"))
    limiting = advised(f"; {option} limits that", "") if option else ""
    yield (
        f"the error is over all classes together: of {counted(most.images, 'independent held-out image')} of '{name}', "
        f"{most.missed:,} would be accepted as another class ({most.missed_share.percent}){limiting}"
    )


def needed(share: float, candidates: int) -> int:
    """Return how many held-out images of a class it takes to keep within `share` what is missed, if none of them is."""
    return images_needed(share, candidates=candidates, tests=1)
