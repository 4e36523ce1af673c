"""What comes next where a run that was scored is calibrated: a score of the probabilities that it gives now."""

import shlex
from collections.abc import Callable

from fewscan.cli.following import after_run
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.before_opening import before_opening
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.evaluate import evaluate
from fewscan.evaluation.intervals import Interval
from fewscan.training.run import Run


def test_a_score_of_other_probabilities_is_made_again_before_the_report_as_its_note_had_it(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(split_dataset)
    run.log({"epoch": 1, "step": 1})
    advised = before_opening(run, split_dataset)[-1]
    evaluate(run, split_dataset)
    none = Interval(value=None, low=None, high=None)
    calibration = Calibration(
        temperature=2.0,
        source="validation",
        images=12,
        groups=12,
        calibration_error_before=none,
        calibration_error_after=none,
        dataset_fingerprint=split_dataset.description.fingerprint,
    )
    calibration.save(run)
    words = after_run(run, split_dataset)
    assert words == ["evaluate", run.folder, "--overwrite"]
    assert shlex.join(map(str, words)) in advised
    evaluate(run, split_dataset)
    assert after_run(run, split_dataset)[0] == "report"
    calibration.model_copy(update={"temperature": 3.0}).save(run)
    assert after_run(run, split_dataset) == words
