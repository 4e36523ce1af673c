"""`train --resume`: what is given besides must be what the run has; nothing is dropped without a word."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from fewscan import api
from fewscan.atomic import write_text
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.training.run import RECORD_FILE, Run

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(untrained_run: Callable[[Snapshot], Run], split_dataset: Snapshot) -> Run:
    """A finished run of `supervised` on `split_dataset`, with the recipe `fewscan`, one epoch and an encoder of width 16."""
    made = untrained_run(split_dataset)
    write_text(made.folder / RECORD_FILE, made.record.model_copy(update={"recipe": "fewscan"}).model_dump_json())
    made.log({"epoch": 1, "seconds": 1.0})
    return Run.open(made.folder)


@pytest.mark.parametrize(
    "same",
    [
        [],
        ["--method", "supervised", "--recipe", "fewscan", "epochs=1", "device=cpu"],
        ["encoder=resnet_small", "encoder.width=16", "optimizer.learning_rate=0.002", "views=scan"],
        ["--split", "main"],
    ],
)
def test_the_very_settings_of_the_run_are_taken(same: list[str], run: Run, split_dataset: Snapshot, fewscan: Command) -> None:
    done = fewscan("train", split_dataset.folder, "--out", run.folder, "--resume", *same)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (["--method", "joint"], "--method joint (it has supervised)"),
        (["--method", "joint", "method.temperature=0.2"], "--method joint (it has supervised)"),
        (["--recipe", "study"], "--recipe study (it has fewscan)"),
        (["epochs=2", "device=cpu"], "epochs=2 (it has 1)"),
        (["encoder=study_cnn"], "encoder.name=study_cnn (it has resnet_small)"),
        (["optimizer.learning_rate=0.1", "seed=3"], "optimizer.learning_rate=0.1 (it has 0.002), seed=3 (it has 0)"),
        (["method.temperature=0.2"], "unknown setting 'method.temperature'"),
        (["epoch=1"], "did you mean 'epochs'"),
        (["--method", "supervized"], "--method supervized (it has supervised)"),
        (["--from", "elsewhere"], "leave out --from"),
    ],
)
def test_another_setting_is_refused_by_name_and_with_what_the_run_has(
    other: list[str], named: str, run: Run, split_dataset: Snapshot, fewscan: Command
) -> None:
    done = fewscan("train", split_dataset.folder, "--out", run.folder, "--resume", *other)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()
    assert named in line
    assert "device=" not in line


def test_another_split_is_refused(run: Run, split_dataset: Snapshot) -> None:
    with pytest.raises(FewscanError, match="leave out --split"):
        api.train(split_dataset.folder, out=run.folder, split="other", resume=True)


def test_all_that_the_run_was_not_begun_with_is_named_at_once(run: Run, split_dataset: Snapshot) -> None:
    with pytest.raises(FewscanError, match=r"--split.*--leave-out-test"):
        api.train(split_dataset.folder, out=run.folder, split="other", leave_out_test=True, resume=True)
