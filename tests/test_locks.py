"""One process at a time writes; a dead one is in nobody's way."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.folders import MODEL_FILE, refuse_existing_run
from fewscan.locks import LOCK_FILE, alone, refuse_held
from fewscan.training.run import Run

HOLDS = """
import sys
from pathlib import Path
from fewscan.locks import alone

with alone(Path("."), "audit"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_process_that_holds_a_folder_is_named_and_a_killed_one_is_taken_over(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDS], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(FewscanError, match=rf"fewscan audit.*{holder.pid}"), alone(tmp_path, "split"):
        pass
    holder.kill()
    holder.wait()
    with alone(tmp_path, "split"):
        pass


def test_where_nobody_writes_nobody_is_refused(tmp_path: Path) -> None:
    refuse_held(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with alone(tmp_path, "audit"):
        pass
    refuse_held(tmp_path)


def test_a_run_that_is_being_trained_is_not_called_interrupted(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(split_dataset)
    (run.folder / MODEL_FILE).unlink()
    for asked in (lambda: refuse_existing_run(run.folder), run.require_finished):
        with pytest.raises(FewscanError, match="--resume"):
            asked()
    holder = subprocess.Popen([sys.executable, "-c", HOLDS], cwd=run.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    for asked in (lambda: refuse_existing_run(run.folder), run.require_finished):
        with pytest.raises(FewscanError, match=f"process {holder.pid}") as refused:
            asked()
        assert "--resume" not in str(refused.value)
    holder.kill()
    holder.wait()


def test_a_folder_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), alone(tmp_path, "audit"):
        raise RuntimeError
    with alone(tmp_path, "split"):
        pass


def test_a_folder_without_rights_is_refused_before_any_work(tmp_path: Path, rights_count: None) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FewscanError, match="cannot write"), alone(tmp_path, "audit"):
        pass


def test_who_waits_for_a_folder_says_so_and_gets_it_once_it_is_free(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def wait() -> None:
        with alone(tmp_path, "add", wait=True):
            done.append("add")
            with pytest.raises(FewscanError, match=f"'fewscan add', process {os.getpid()}"), alone(tmp_path, "split"):
                pass
            done.append("named")

    waiting = Thread(target=wait)
    with alone(tmp_path, "audit"):
        waiting.start()
        while "fewscan audit" not in capsys.readouterr().err:
            time.sleep(0.01)
        done.append("audit")
    waiting.join()
    assert done == ["audit", "add", "named"]


def test_a_process_that_has_not_yet_said_who_it_is_holds_the_folder_all_the_same(tmp_path: Path) -> None:
    with alone(tmp_path, "audit"):
        (tmp_path / LOCK_FILE).write_text("")
        with pytest.raises(FewscanError, match="another process"), alone(tmp_path, "split"):
            pass
