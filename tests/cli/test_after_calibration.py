"""What comes next where a run that was scored is calibrated: a score of the probabilities that it gives now."""

import shlex
from collections.abc import Callable

from fewscan.cli.following import after_run
from fewscan.datasets.candidates import note_candidate
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.before_opening import before_opening
from fewscan.evaluation.evaluate import evaluate
from fewscan.splits.acceptance import acceptance_warnings
from fewscan.splits.split import split
from fewscan.splits.support import ENOUGH_VALIDATION
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


def test_labels_are_held_out_in_turn_before_the_test_set_is_opened_where_label_would_accept_nothing_otherwise(
    make_dataset: Callable[..., Snapshot], untrained_run: Callable[[Snapshot], Run]
) -> None:
    drawn = split(make_dataset(200), labeled=160, test=40, validation=(ENOUGH_VALIDATION + 1) / 160)
    run = untrained_run(drawn)
    run.log({"epoch": 1, "step": 1})
    calibrated(run, 2.0)
    assert acceptance_warnings(drawn, run.folder, runs=1) == []
    assert after_run(run, drawn) == ["evaluate", run.folder]
    # Whoever chooses among several runs needs more labels than the validation set has.
    note_candidate(drawn, "another")
    (warning,) = acceptance_warnings(drawn, run.folder)
    words = after_run(run, drawn)
    assert words == ["calibrate", run.folder, "--folds", "5", "--overwrite"]
    assert shlex.join(map(str, words)) in warning
    calibrated(run, 2.0, source="cross-fitting", folds=5)
    assert after_run(run, drawn) == ["evaluate", run.folder]
    # Once it was opened, nothing is saved by it.
    calibrated(run, 2.0)
    evaluate(run, drawn)
    assert after_run(run, drawn)[0] == "report"
