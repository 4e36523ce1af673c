from collections.abc import Callable

from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.before_opening import before_opening
from fewscan.evaluation.calibration import CALIBRATION_FILE
from fewscan.training.run import Run


def test_the_first_opening_is_announced_and_calibration_asked_for_until_it_is_there(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(split_dataset)
    first, calibrate = before_opening(run, split_dataset)
    assert "first time" in first
    assert f"fewscan calibrate {run.folder}" in calibrate
    run.note_test_opening("evaluate", split_dataset)
    assert before_opening(run, split_dataset) == [calibrate]
    assert not (run.folder / CALIBRATION_FILE).exists()
