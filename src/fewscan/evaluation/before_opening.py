"""What to know before a test set is opened for a run: a look at it cannot be undone."""

from pathlib import Path

from fewscan.datasets.openings import openings
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibrate import cannot_calibrate
from fewscan.evaluation.calibration import Calibration
from fewscan.training.moved import called_with
from fewscan.training.run import Run
from fewscan.wording import command_line


def before_opening(run: Run, dataset: Snapshot) -> list[str]:
    """Return in words what the first opening means, and what would better be done before; nothing where neither is to be said.

    dataset: the run's.
    """
    lines = []
    if not openings(dataset).total:
        lines.append(
            "this opens the test set for the first time. From now on each look at it is counted: whoever changes something by "
            "its score makes every later score look better than it is"
        )
    if Calibration.load(run) is None and cannot_calibrate(run, dataset) is None:
        called = called_with(run.folder, Path(run.record.dataset), dataset.folder)
        lines.append(
            f"the run is not calibrated: '{command_line('calibrate', *called)}' does that without the test set. After it, "
            f"'{command_line('evaluate', *called, '--overwrite')}' scores the calibrated probabilities, and opens the test "
            "set once more"
        )
    return lines
