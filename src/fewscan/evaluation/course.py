"""How many trainings hold labels out, and how long they take: told for all of them at once, then training by training."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fewscan.folders import MODEL_FILE
from fewscan.progress import say
from fewscan.training.forecast import spoken_duration
from fewscan.wording import counted


class Course:
    """The trainings that one command makes to hold labels out, in the order in which it makes them.

    Each is known by its folder: one that holds a finished run takes no time.
    """

    def __init__(self, folders: Sequence[Path], seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        """Take all folders, and how many seconds a training probably takes: what the first one took counts from then on."""
        self._folders = list(folders)
        self._seconds = seconds
        self._clock = clock
        self._began: float | None = None  # when the one that is under way began; None for one that was done already

    @property
    def left(self) -> str:
        """How many trainings are left and how long they will take, in words."""
        missing = self._missing(self._folders)
        if not missing:
            return "all are already done"
        of_which = "in all" if missing == len(self._folders) else f"for the {missing} that are left"
        return f"about {spoken_duration(missing * self._seconds)} {of_which}"

    def begin(self, folder: Path) -> None:
        """Say that the training in `folder` begins, which number it has, and how long it and those behind it will take."""
        now, at = self._clock(), self._folders.index(folder)
        if self._began is not None:
            self._seconds = now - self._began
        left = self._missing(self._folders[at:])
        self._began = now if self._missing([folder]) else None
        time_left = f", about {spoken_duration(left * self._seconds)} left" if left else ""
        say(f"training {at + 1} of {len(self._folders)}{time_left}")

    @staticmethod
    def _missing(folders: Sequence[Path]) -> int:
        return sum(not (folder / MODEL_FILE).is_file() for folder in folders)


def told_before(course: Course, folds: int, kinds: Sequence[bool]) -> str:
    """Return in words what the trainings of a course are for, and how long all of them take.

    folds: into how many parts the labels are divided. kinds: of each time that this is done, whether the images that are held
    out stay in without their labels.
    """
    why = {
        False: "each learns without one part of the labels and without its images",
        True: "each learns without one part of the labels, but from its images as unlabeled scans",
    }
    each = [why[kind] for kind in kinds]
    if len(each) > 1:
        each = [f"of {folds}, {one}" for one in each]
    trainings = counted(folds * len(kinds), "training")
    return f"labels are held out in turn, in {folds} parts, by {trainings}: {'; '.join(each)}; {course.left}"
