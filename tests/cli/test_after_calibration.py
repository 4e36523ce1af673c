"""What comes next where a run that was scored is calibrated: a score of the probabilities that it gives now."""

import shlex
from collections.abc import Callable

from fewscan.cli.following import after_run
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.before_opening import before_opening
from fewscan.evaluation.evaluate import evaluate
from fewscan.training.run import Run
from tests.made import calibrated


def test_a_score_of_other_probabilities_is_made_again_before_the_report_as_its_note_had_it(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(split_dataset)
    run.log({"epoch": 1, "step": 1})
    advised = before_opening(run, split_dataset, "evaluate")[-1]
    evaluate(run, split_dataset)
    calibrated(run, 2.0)
    words = after_run(run, split_dataset)
    assert words == ["evaluate", run.folder, "--overwrite"]
    assert shlex.join(map(str, words)) in advised
    evaluate(run, split_dataset)
    assert after_run(run, split_dataset)[0] == "report"
    calibrated(run, 3.0)
    assert after_run(run, split_dataset) == words
