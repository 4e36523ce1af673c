"""What helps where a run's held-out images let nothing be accepted: more of them held out, more labels, a larger error."""

from pathlib import Path

from fewscan.config import Settings
from fewscan.evaluation.calibrate import FOLDS
from fewscan.evaluation.held_out import HeldOut
from fewscan.labeling.decisions import images_that_would_do, least_accepting_target
from fewscan.splits.support import images_needed, kept_for
from fewscan.splits.units import Units
from fewscan.wording import HOST, advised, command_line


class Remedies(Settings):
    """What would let a run accept labels that accepts none; None for what would not, or of which nobody can say it."""

    folds: int | None = None  # of 'fewscan calibrate', which holds out more labels
    labels: int | None = None  # of so many more patients or sets of copies; after a calibration by folds, where one is named
    target_error: float | None = None  # the least that the held-out images support as they are

    @classmethod
    def of(cls, images: HeldOut, target_error: float, candidates: int, in_turn: int, odd: int = 0) -> "Remedies":
        """Find what helps where `images`, one a group, support no acceptance at `target_error` for one of `candidates` runs.

        in_turn: how many independent images folds would hold out, 0 where they cannot be held out so, or are already. odd: how
        many are held out besides that are out of distribution. Of what is labeled in addition some will be, too.
        """
        scores, correct = images.scores, images.correct
        if len(scores):
            would_do = images_that_would_do(scores, correct, target_error, candidates=candidates)
        else:
            would_do = images_needed(target_error, candidates=candidates)
        held_out = max(in_turn, len(scores) + odd)
        keep = None if would_do is None else kept_for(would_do)
        return cls(
            folds=cls.by_folds(images, in_turn, odd).folds,
            labels=None if keep is None or keep <= held_out else keep - held_out,
            target_error=least_accepting_target(scores, correct, candidates=candidates),
        )

    @classmethod
    def by_folds(cls, images: HeldOut, in_turn: int, odd: int = 0) -> "Remedies":
        """Return whether folds would hold out more images; otherwise as `of`."""
        return cls(folds=FOLDS if in_turn > len(images.rows) + odd else None)

    def words(self, called: tuple[str | Path, ...], units: Units | None = None) -> str:
        """Return what helps, as the end of a sentence on why nothing is accepted; `called` is what commands call the run.

        units: those of the run's dataset, None where they are not known.
        """
        ways = self.ways_by_folds(called)
        if self.labels is not None:
            about = _in_two_digits(self.labels)
            more = f"{about:,} more images of as many other patients"
            there = ""
            if units is not None:
                more = units.count(about, "more ") + units.counting
                sealed = f", and its test set holds {units.tested:,} that are labeled" if units.tested else ""
                there = f"; {units.unlabeled:,} in the dataset have no label{sealed}"
            estimate = f"an estimate for a network that is wrong as often as this one{there}"
            ways.append(f"{'also ' if ways else ''}label about {more} ({estimate})")
        if self.target_error is not None:
            on_page = f"allow {100 * self.target_error:g} % wrong labels or more and label again"
            allowed = advised(f"give --target-error {self.target_error:g}", on_page)
            ways.append(
                f"{allowed}, the lowest error that these images support, though no longer one that you named before you looked"
            )
        if self.folds is None and self.labels is None:
            ways.append("label more images, so that the network learns to be right where it is confident")
        return ", or ".join(ways)

    def ways_by_folds(self, called: tuple[str | Path, ...]) -> list[str]:
        """Return how labels are held out by folds, in words; nothing where that does not help."""
        if self.folds is None:
            return []
        command = command_line("calibrate", *called, "--folds", str(self.folds), "--overwrite")
        on_page = f"ask {HOST} to hold out all labels in turn, in {self.folds} folds"
        return [advised(f"hold out all labels in turn with '{command}'", on_page)]


def _in_two_digits(number: int) -> int:
    """Return a count rounded up to two significant digits, since as an estimate it has no more."""
    unit: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // unit) * unit
