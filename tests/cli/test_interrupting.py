"""Ctrl-C: every verb ends with the command that goes on, and with the exit code that shells know."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fewscan import api, demo
from fewscan.data.dataset import Dataset
from fewscan.training.run import Run

Command = Callable[..., CompletedProcess[str]]
VERBS = {
    "import_scans": ["import", "my scans", "--out", "data"],
    "plan_import": ["import", "my scans", "--plan"],
    "audit": ["audit", "data"],
    "split": ["split", "data", "--labeled", "8"],
    "train": ["train", "data", "--out", "run", "epochs=3"],
    "calibrate": ["calibrate", "run", "--folds", "3"],
    "evaluate": ["evaluate", "run"],
    "label": ["label", "run", "scans", "--out", "labels.csv"],
    "explain": ["explain", "run", "1.png"],
    "check_evidence": ["explain", "run", "--check"],
    "report": ["report", "run"],
    "export": ["export", "run"],
    "compare": ["compare", "data", "--out", "comparison"],
    "compare_budgets": ["compare", "data", "--out", "comparison", "--labels-budget", "8,4"],
}


SHORT = ["epochs=30", "encoder.width=16", "batch_size=16", "probe_images=8", "device=cpu"]


def going_on(done: CompletedProcess[str]) -> list[str]:
    """The arguments of the command that an interrupted verb names in its last line."""
    assert done.returncode == 130
    said, _, command = done.stderr.strip().splitlines()[-1].partition(": ")
    assert said.startswith("interrupted")
    program, *words = shlex.split(command)
    assert program == "fewscan"
    return words


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let Ctrl-C come while a function of a module is at work, which has made `folder` before."""

    def prepare(module: object, name: str, folder: Path | None = None) -> None:
        def work(*_: object, **__: object) -> None:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            raise KeyboardInterrupt

        monkeypatch.setattr(module, name, work)

    return prepare


def test_every_verb_of_the_interface_is_interrupted_below() -> None:
    assert set(VERBS) | {"methods"} == set(api.__all__)


@pytest.mark.parametrize("name", list(VERBS))
def test_the_same_command_goes_on_where_nothing_stands_in_its_way(
    name: str, fewscan: Command, interrupted: Callable[..., None], tmp_path: Path
) -> None:
    interrupted(api, name)
    assert going_on(fewscan(*VERBS[name], cwd=tmp_path)) == VERBS[name]


def test_a_run_that_has_begun_goes_on_with_resume(fewscan: Command, interrupted: Callable[..., None], tmp_path: Path) -> None:
    interrupted(api, "train", tmp_path / "runs" / "my data")
    words = going_on(fewscan("train", "my data", "epochs=3", cwd=tmp_path))
    assert words == ["train", "my data", "--out", "runs/my data", "--resume"]
    assert going_on(fewscan(*words, cwd=tmp_path)) == words


def test_a_demo_begins_in_another_folder(fewscan: Command, interrupted: Callable[..., None], tmp_path: Path) -> None:
    interrupted(demo, "demo", tmp_path / "show")
    assert going_on(fewscan("demo", "--quick", "--out", "show", cwd=tmp_path)) == ["demo", "--quick", "--out", "show-2"]


@pytest.mark.slow
def test_a_training_that_is_interrupted_at_the_keyboard_goes_on_with_the_command_that_it_names(
    split_dataset: Dataset, fewscan: Command, tmp_path: Path
) -> None:
    words = ["train", str(split_dataset.folder), "--out", "run", "--method", "supervised", *SHORT]
    program = [sys.executable, "-m", "fewscan", *words]
    # What is started in a shell's background would ignore Ctrl-C.
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heeded)
    log = tmp_path / "run" / "metrics.jsonl"
    while not log.is_file() and process.poll() is None:
        time.sleep(0.05)
    assert process.poll() is None, "it ended before it could be interrupted"
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert "Traceback" not in said
    assert not Run.open(tmp_path / "run").finished
    done = fewscan(*going_on(CompletedProcess(program, process.returncode, "", said)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Run.open(tmp_path / "run").finished
