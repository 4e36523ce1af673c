"""The words of an epoch's line are explained where a training begins."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.training.run import Run
from fewscan.training.tally import SPOKEN, legend, spoken


def test_every_word_of_an_epochs_line_is_explained_and_no_other() -> None:
    numbers = dict.fromkeys(SPOKEN, 0.5) | {"loss": 1.0}
    for some in (numbers, {"loss": 1.0, "p_acc": 0.5, "probe_accuracy": None}):
        said, explained = spoken(some), legend(some)
        for word in SPOKEN.values():
            assert (f"{word} " in said) == (f"{word}: " in explained)


@pytest.mark.slow
def test_a_command_that_trains_several_times_explains_them_once(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], fewscan: Callable[..., CompletedProcess[str]]
) -> None:
    run = untrained_run(split_dataset)
    for command in (["calibrate", run.folder, "--folds", "2"], ["calibrate", run.folder, "--folds", "2", "--overwrite"]):
        done = fewscan(*command)
        assert done.returncode == 0, done.stderr
        explained = [line for line in done.stderr.splitlines() if line.startswith("loss: ")]
        assert len(explained) == 1
        assert done.stderr.index("fold 1/2") < done.stderr.index(explained[0]) < done.stderr.index("fold 2/2")
