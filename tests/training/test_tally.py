"""The words of an epoch's line are explained where a training begins."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.progress import forget_said
from fewscan.training.journal import journal
from fewscan.training.run import Run
from fewscan.training.tally import SPOKEN, legend, spoken


def test_every_word_of_an_epochs_line_is_explained_and_no_other() -> None:
    numbers = dict.fromkeys(SPOKEN, 0.5) | {"loss": 1.0}
    for some in (numbers, {"loss": 1.0, "p_acc": 0.5, "probe_accuracy": None}):
        said, explained = spoken(some), legend(some)
        for word in SPOKEN.values():
            assert (f"{word} " in said) == (f"{word}: " in explained)


def test_words_that_come_later_are_explained_then_and_the_others_not_again(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], capsys: pytest.CaptureFixture[str]
) -> None:
    forget_said()
    run = untrained_run(split_dataset)
    first = {"epoch": 1, "loss": 1.0, "p_acc": 0.5, "validation_accuracy": None}
    with journal(run, steps=1, finished_epochs=0, writes=True) as told:
        for more in ({}, {"epoch": 2}, {"epoch": 3, "c_acc": 0.5, "validation_accuracy": 0.4}):
            told.tell(first | more)
    said = capsys.readouterr().err
    for what in ("loss: ", *(f"{SPOKEN[name]}: " for name in ("p_acc", "c_acc", "validation_accuracy"))):
        assert said.count(what) == 1


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
        assert done.stderr.index("training 1 of 2") < done.stderr.index(explained[0]) < done.stderr.index("training 2 of 2")
