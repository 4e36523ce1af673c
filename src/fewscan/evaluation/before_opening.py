"""What to know before a test set is opened for a run: a look at it cannot be undone."""

import hashlib
from pathlib import Path

from fewscan.datasets.openings import Openings
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.calibrate import cannot_calibrate
from fewscan.evaluation.calibration import Calibration
from fewscan.progress import announce
from fewscan.training.moved import called_with
from fewscan.training.run import Run
from fewscan.wording import command_line, opened_times

# What the verbs that open it do with calibrated probabilities; a verb that is not here does nothing with them.
_CALIBRATED = {"evaluate": "scores calibrated probabilities", "stress": "decides by calibrated probabilities"}


def open_test_set(run: Run, dataset: Snapshot, verb: str, *options: str | Path, shows: str | None = None) -> Openings:
    """Note that `verb`, with `options`, opens the test set of `dataset`, the run's, and say what that means.

    Return how often it has been opened. shows: what `same_look` says of the look; one that shows the same again is no further
    look, and is neither noted nor announced. None where each counts.

    It is to be called when nothing is left that could refuse the verb, and before anything is computed of the test set. What it
    means is said once of each test set, however many runs one command opens it for. Raises FewscanError where the opening
    cannot be noted; nothing is said then.
    """
    if shows is not None and run.has_shown(verb, shows):
        return run.openings(dataset)
    opening, *others = before_opening(run, dataset, verb, *options)
    noted = run.note_test_opening(verb, dataset, shows)
    of = dataset.require_split().test_set
    announce(opening, of, kind=f"{verb} opens {dataset.folder}")
    for line in others:
        announce(line, of)
    return noted


def same_look(run: Run, *words: str) -> str:
    """Return what is equal for two looks of a run at its test set that show the same.

    words: of what; how probabilities are calibrated counts besides, and the weights of a finished run never change.
    """
    calibration = Calibration.load(run)
    decided = "" if calibration is None else calibration.model_dump_json()
    return hashlib.sha256("\0".join([*words, decided]).encode()).hexdigest()


def before_opening(run: Run, dataset: Snapshot, verb: str, *options: str | Path) -> list[str]:
    """Return in words that `verb`, with `options`, opens the test set, and behind that what would better be done before.

    dataset: the run's.
    """
    before = run.openings(dataset)
    if before.by_all_runs:
        looks = opened_times(before.by_run, before.by_all_runs)
        lines = [f"this opens the test set of {dataset.folder} once more, which is counted; until now it was {looks}"]
    else:
        lines = [
            f"this opens the test set of {dataset.folder} for the first time. From now on each look at it is counted: if you "
            "change anything because of its score, every later score looks better than it is"
        ]
    if verb in _CALIBRATED and Calibration.load(run) is None and cannot_calibrate(run, dataset) is None:
        called = called_with(run.folder, Path(run.record.dataset), dataset.folder)
        lines.append(
            f"the run is not calibrated: '{command_line('calibrate', *called)}' does that without the test set. After that, "
            f"'{command_line(verb, *called, *options, '--overwrite')}' {_CALIBRATED[verb]}, but opens the test set once more"
        )
    return lines
