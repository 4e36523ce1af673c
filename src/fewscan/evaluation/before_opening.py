"""What to know before a test set is opened for a run: a look at it cannot be undone."""

from pathlib import Path

from fewscan.datasets.openings import Openings, openings
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibrate import cannot_calibrate
from fewscan.evaluation.calibration import Calibration
from fewscan.progress import announce
from fewscan.training.moved import called_with
from fewscan.training.run import Run
from fewscan.wording import command_line

# What the verbs that open it do with calibrated probabilities; a verb that is not here does nothing with them.
_CALIBRATED = {"evaluate": "scores calibrated probabilities", "stress": "decides by calibrated probabilities"}


def open_test_set(run: Run, dataset: Snapshot, verb: str, *options: str | Path) -> Openings:
    """Note that `verb`, with `options`, opens the test set of `dataset`, the run's, and say what that means.

    Return how often it has been opened.

    It is to be called when nothing is left that could refuse the verb. What it means is said once of each test set, however
    many runs one command opens it for. Raises FewscanError where the opening cannot be noted; nothing is said then.
    """
    lines = before_opening(run, dataset, verb, *options)
    noted = run.note_test_opening(verb, dataset)
    for line in lines:
        announce(line, of=dataset.require_split().test_set)
    return noted


def before_opening(run: Run, dataset: Snapshot, verb: str, *options: str | Path) -> list[str]:
    """Return in words what the first opening means, and what would better be done before `verb`, with `options`, opens it.

    dataset: the run's. Nothing is returned where neither is to be said.
    """
    lines = []
    if not openings(dataset).total:
        lines.append(
            f"this opens the test set of {dataset.folder} for the first time. From now on each look at it is counted: if you "
            "change anything because of its score, every later score looks better than it is"
        )
    if verb in _CALIBRATED and Calibration.load(run) is None and cannot_calibrate(run, dataset) is None:
        called = called_with(run.folder, Path(run.record.dataset), dataset.folder)
        lines.append(
            f"the run is not calibrated: '{command_line('calibrate', *called)}' does that without the test set. After that, "
            f"'{command_line(verb, *called, *options, '--overwrite')}' {_CALIBRATED[verb]}, but opens the test set once more"
        )
    return lines
