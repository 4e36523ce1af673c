"""Ctrl-C: every verb ends with the command that goes on, and with the exit code that shells know."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fewscan import api, demo
from fewscan.datasets.candidates import candidates
from fewscan.datasets.snapshot import Snapshot
from fewscan.training.run import Run
from tests.processes import Program

Command = Callable[..., CompletedProcess[str]]
VERBS = {
    "import_scans": ["import", "my scans", "--out", "new data"],
    "plan_import": ["import", "my scans", "--plan"],
    "add_scans": ["add", "data", "my scans"],
    "plan_add": ["add", "data", "my scans", "--plan"],
    "audit": ["audit", "data"],
    "audited_pairs": ["pairs", "list", "data"],
    "judge_pair": ["pairs", "dissolve", "data", "1", "2"],
    "split": ["split", "data", "--labeled", "8"],
    "set_labels": ["labels", "set", "data", "table.csv", "--who", "Ada"],
    "export_labels": ["labels", "export", "data"],
    "label_history": ["labels", "history", "data", "1.png"],
    "undo_labels": ["labels", "undo", "data", "--batch", "2"],
    "label_conflicts": ["labels", "conflicts", "data"],
    "label_suspects": ["labels", "suspects", "run", "--folds", "3"],
    "embed": ["embed", "scans", "--encoder", "resnet_small", "--out", "features.parquet"],
    "suggest": ["suggest", "data", "--count", "20"],
    "review": ["review", "data"],
    "map_scans": ["map", "data"],
    "train": ["train", "data", "--out", "new run", "epochs=3"],
    "calibrate": ["calibrate", "run", "--folds", "3"],
    "evaluate": ["evaluate", "run"],
    "stress": ["stress", "run"],
    "label": ["label", "run", "scans", "--out", "labels.csv"],
    "check": ["check", "labels.csv"],
    "explain": ["explain", "run", "1.png"],
    "check_evidence": ["explain", "run", "--check"],
    "report": ["report", "run"],
    "export": ["export", "run"],
    "compare": ["compare", "data", "--out", "comparison"],
    "study": ["study", "data", "--out", "comparison"],
    "verify": ["verify", "run"],
    "move_pixels": ["pixels", "data", "--to", "s3://bucket/data"],
    "upgrade": ["upgrade", "data", "new"],
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
    quick = {"methods", "encoders", "register_method", "register_encoder", "register_views", "register_recipe"}
    quick |= {"open_dataset", "open_run"}
    assert set(VERBS) | quick == set(api.__all__)


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A folder with all that VERBS name, which is looked for before any verb begins."""
    marks = {"data": "dataset.json", "my data": "dataset.json", "run": "run.json", "scans": "1.png", "my scans": "1.png"}
    for folder, mark in marks.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / mark).touch()
    (tmp_path / "1.png").touch()
    return tmp_path


@pytest.mark.parametrize("name", list(VERBS))
def test_the_same_command_goes_on_where_nothing_stands_in_its_way(
    name: str, fewscan: Command, interrupted: Callable[..., None], named: Path
) -> None:
    interrupted(api, name)
    done = fewscan(*VERBS[name], cwd=named)
    assert going_on(done) == VERBS[name]
    # Nothing of it is kept.
    assert "start over" in done.stderr


def test_a_run_that_has_begun_goes_on_with_resume(fewscan: Command, interrupted: Callable[..., None], named: Path) -> None:
    interrupted(api, "train", named / "runs" / "my data")
    words = going_on(fewscan("train", "my data", "epochs=3", cwd=named))
    assert words == ["train", "my data", "--out", "runs/my data", "--resume"]
    assert going_on(fewscan(*words, cwd=named)) == words


@pytest.mark.slow
def test_a_demo_goes_on_in_its_folder(
    fewscan: Command, interrupted: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "QUICK", demo.QUICK.model_copy(update={"images": 16}))
    interrupted(api, "import_scans")
    words = ["demo", "--quick", "--out", "show"]
    for _ in range(2):
        done = fewscan(*words, cwd=tmp_path)
        assert going_on(done) == words
        assert "continue" in done.stderr


def test_a_demo_of_the_page_goes_on_with_the_page_of_its_scans(
    fewscan: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Page:
        def lines(self) -> list[str]:
            return []

        def serve(self) -> None:
            raise KeyboardInterrupt

    ended: list[int] = []

    def leave(code: int) -> None:
        ended.append(code)
        raise SystemExit(code)

    monkeypatch.setattr(demo, "pile", lambda out: (out / "dataset", ("a", "b")))
    monkeypatch.setattr(api, "review", lambda *_, **__: Page())
    monkeypatch.setattr(os, "_exit", leave)
    done = fewscan("demo", "--review", "--out", "show", cwd=tmp_path)
    assert ended == [130]
    said = done.stderr.strip().splitlines()[-1]
    assert shlex.split(said.partition(": ")[2]) == ["fewscan", "review", "show/dataset", "--classes", "a,b"]


# Run by the program before it begins: Ctrl-C comes after its first epoch.
AFTER_AN_EPOCH = """
import os, signal
from fewscan.training.run import Run
log = Run.log
Run.log = lambda *arguments: (log(*arguments), os.kill(os.getpid(), signal.SIGINT))
"""


@pytest.mark.slow
def test_a_training_that_is_interrupted_at_the_keyboard_goes_on_with_the_command_that_it_names(
    split_dataset: Snapshot, fewscan: Command, tmp_path: Path
) -> None:
    words = ["train", str(split_dataset.folder), "--out", "run", "--method", "supervised", *SHORT, "epochs=3"]
    code, said = Program(words, tmp_path, AFTER_AN_EPOCH).ended()
    assert "Traceback" not in said
    run = Run.open(tmp_path / "run")
    assert not run.finished
    assert len(run.metrics()) == 1
    # Nobody can choose a run that was given up: only one that is finished counts as chosen among others.
    assert candidates(split_dataset.folder) == set()
    done = fewscan(*going_on(CompletedProcess(words, code, "", said)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Run.open(tmp_path / "run").finished
    assert candidates(split_dataset.folder) == {run.identity}


HEEDS_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""


def begun(words: list[str], cwd: Path, module: str = "fewscan") -> subprocess.Popen[str]:
    """A process of the program that heeds Ctrl-C, also where this one was started in a shell's background."""
    program = [sys.executable, "-S", "-c", HEEDS_CTRL_C, module, *words]
    return subprocess.Popen(program, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_interrupt_while_the_program_is_loaded_is_one_line(tmp_path: Path) -> None:
    # What loads is held up at a known place, so that the interrupt comes then and not before Python itself is there.
    (tmp_path / "typer.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    process = begun(["train", "my data"], tmp_path)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said == "interrupted; run it again: fewscan train 'my data'\n"


# The program, whose verb is at code that was given as text, as it is while Python makes a named tuple.
AT_TEXT = """
import os, signal
from fewscan import api
from fewscan.__main__ import main
def split(*_, **__):
    exec("os.kill(os.getpid(), signal.SIGINT)")
api.split = split
main()
"""


@pytest.mark.slow
def test_an_interrupt_ends_a_module_with_the_code_of_the_program(named: Path) -> None:
    (named / "at_text.py").write_text(AT_TEXT)
    process = begun(VERBS["split"], named, "at_text")
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.startswith("interrupted; ")


@pytest.mark.parametrize(("number", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")])
def test_a_library_that_is_stopped_while_a_verb_loads_it_is_one_line(
    number: str, code: int, word: str, split_dataset: Snapshot, tmp_path: Path
) -> None:
    # NumPy, for one, makes another error of what stops it.
    first = f"""
import os, signal
from fewscan import api
def split(*_, **__):
    try:
        os.kill(os.getpid(), signal.{number})
    except KeyboardInterrupt:
        raise ImportError("initialization failed")
api.split = split
"""
    ended, said = Program(["split", str(split_dataset.folder)], tmp_path, first).ended()
    assert ended == code
    assert said.splitlines() == [f"{word}; run it again: fewscan split {split_dataset.folder}"]


# Run by the program before it begins: its first process has been asked for as it is stopped, and has not yet been told what it
# is to do. What forks it is the program's own, which tells what it has to say where the program does; it loads nothing.
AS_ONE_STARTS = """
import os, signal, threading
from multiprocessing import forkserver
server = forkserver._forkserver = forkserver.ForkServer()
def stopped(files):
    pipes = server.connect_to_new_process(files)
    if threading.current_thread() is threading.main_thread():
        os.kill(os.getpid(), signal.SIGTERM)
    return pipes
forkserver.ensure_running = server.ensure_running
forkserver.connect_to_new_process = stopped
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing forks processes")
@pytest.mark.slow
def test_a_comparison_that_is_terminated_as_its_processes_start_tells_it_by_one_line(
    split_dataset: Snapshot, tmp_path: Path
) -> None:
    words = ["compare", str(split_dataset.folder), "--out", "c", "--methods", "supervised,simclr", "--protocol", "leakfree"]
    # All that it starts has its standard error, and is waited for.
    code, said = Program([*words, "--jobs", "2", *SHORT], tmp_path, AS_ONE_STARTS).ended()
    assert code == 143
    assert shlex.join(words) in said.splitlines()[-1]
    assert "Error" not in said


def at_work_below(folder: Path) -> set[int]:
    """The processes that have a file below a folder open, as Linux lists them: whatever has forked them."""
    found = set()
    for process in (path for path in Path("/proc").iterdir() if path.name.isdigit()):
        with suppress(OSError):  # it has ended, or closed one, meanwhile
            if any(link.readlink().is_relative_to(folder) for link in (process / "fd").iterdir()):
                found.add(int(process.name))
    return found


def is_running(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
@pytest.mark.slow
def test_a_comparison_that_is_terminated_leaves_no_process_and_goes_on(
    split_dataset: Snapshot, fewscan: Command, tmp_path: Path
) -> None:
    words = ["compare", str(split_dataset.folder), "--out", "c", "--methods", "supervised,simclr", "--protocol", "leakfree"]
    # One step an epoch.
    quick = [*SHORT, "batch_size=64"]
    program = Program([*words, "--jobs", "2", *quick], tmp_path)
    logs = [tmp_path / "c" / "runs" / "leakfree" / f"{name}-seed0" / "metrics.jsonl" for name in ("supervised", "simclr")]
    while not all(log.is_file() for log in logs) and program.is_running():
        time.sleep(0.02)
    assert program.is_running(), program.ended()
    # Each writes into the folder of its run.
    workers = at_work_below(tmp_path / "c" / "runs")
    assert len(workers) == 2
    assert program.pid not in workers
    os.kill(program.pid, signal.SIGTERM)
    code, said = program.ended()
    assert code == 143
    assert "Traceback" not in said
    while any(map(is_running, workers)):
        time.sleep(0.02)
    assert fewscan(*words, "--jobs", "1", *quick, cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_a_reader_that_has_read_enough_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "fewscan", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    assert (process.wait(), said) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_behind_standard_output_is_one_line(split_folder: Path, tmp_path: Path) -> None:
    full = "import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)"
    code, said = Program(["labels", "history", str(split_folder)], tmp_path, full).ended()
    assert code == 2
    assert len(said.splitlines()) == 1
