"""The images that a stress test changes, their labels, and the rules of the networks that have not learned from them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from fewscan.atomic import remove_folder
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.calibrate import FOLDS
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER, trained_folds
from fewscan.evaluation.predictor import Predictor
from fewscan.evaluation.today import SinceTraining, labels_of_today, today
from fewscan.labeling.rule import DecisionRule
from fewscan.seeds import stream
from fewscan.training.batches import Rows
from fewscan.training.run import Run
from fewscan.wording import command_line

# "cross-validated": labeled images, each predicted by a network that has not learned from it.
Part = Literal["test", "validation", "cross-validated"]


class Judged(NamedTuple):
    """Images, by their positions among those of a test, and the rule of a network that has not learned from them."""

    positions: Rows
    rule: DecisionRule


@dataclass(frozen=True)
class Tested:
    """The images of a stress test.

    dataset: the run's; where its test or validation images are tested, with the test set as it is today. rows, labels: (N,),
    increasing rows, and their classes of today.
    """

    run: Run
    dataset: Snapshot
    part: Part
    rows: Rows
    labels: Rows
    since: SinceTraining

    @classmethod
    def of(cls, run: Run, seen: Snapshot, now: Dataset, *, validation: bool, images: int | None) -> "Tested":
        """Return the test images, with `validation` those of the validation set; of a run without a test set its labeled ones.

        images: at most so many of them, drawn; None: all.
        Raises FewscanError where there are none.
        """
        if images is not None and images < 1:
            raise FewscanError(f"--images must be at least 1, not {images}")
        part: Part = "validation" if validation else "test" if len(seen.rows("test")) else "cross-validated"
        if part == "cross-validated":
            # Folds are cut by the groups of then: what is kept of an earlier cross-fitting would hold out others by today's.
            dataset, rows = seen, seen.measuring("labeled", "validation")
            labels, since = labels_of_today(seen, now, rows)
            rows, labels = rows[labels >= 0], labels[labels >= 0]
        else:
            dataset, since = today(seen, now)
            rows = dataset.rows(part)
            labels = dataset.labels[rows]
        if not len(rows):
            raise FewscanError(f"{run.folder} has no {_lacking(part, dataset)}")
        if images is not None:
            drawn = np.isin(rows, stream(0, "stressed images").numpy().permutation(rows)[:images])
            rows, labels = rows[drawn], labels[drawn]
        return cls(run, dataset, part, rows, labels, SinceTraining() if validation else since)

    @property
    def groups(self) -> Rows:
        """(N,) of which group each image is."""
        return self.dataset.groups[self.rows]

    def judged(self, rule: DecisionRule) -> Iterator[Judged]:
        """Yield all images with the rule of the run; those to be cross-validated fold by fold, with networks trained for them.

        A fold's network decides by the run's temperature, threshold and gate.
        Raises what `trained_folds` does.
        """
        if self.part != "cross-validated":
            yield Judged(np.arange(len(self.rows)), rule)
            return
        for rows, trained in trained_folds(self.run, self.dataset, self.folds):
            positions = np.flatnonzero(np.isin(self.rows, rows))
            yield Judged(positions, replace(rule, predictor=Predictor.of(trained, rule.predictor.temperature)))

    @property
    def folds(self) -> int:
        """In how many folds images are held out, or would be: as many as for the run's calibration."""
        known = Calibration.load(self.run)
        return FOLDS if known is None or known.folds is None else known.folds

    def forget_folds(self) -> None:
        """Remove what was trained for `judged`, once what it said is kept; a calibration to come needs the same trainings."""
        if self.part == "cross-validated" and Calibration.load(self.run) is not None:
            remove_folder(self.run.folder / FOLDS_FOLDER)


def _lacking(part: Part, dataset: Snapshot) -> str:
    if part == "validation":
        drawing = command_line("split", dataset.folder, "--name", "tested", "--validation", "0.3")
        return f"validation set to test: draw a split with one, '{drawing}', and train on it"
    entering = command_line("labels", "set", dataset.folder, "TABLE")
    return f"{part} images to test, since none has a label now: enter labels with '{entering}'"
