"""A folder or file that is not there is refused while the command is read: before libraries that take seconds to load."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import typer

from fewscan.cli.app import app

Command = Callable[..., CompletedProcess[str]]
# Says at the end whether the networks' library was loaded.
PROGRAM = """
import sys
from fewscan.cli.app import main
import fewscan.cli
try:
    main()
finally:
    print("torch" in sys.modules, "pandas" in sys.modules)
"""
WRONG = [
    ["train", "nowhere"],
    ["train", "data", "--from", "nowhere"],
    ["label", "run", "nowhere"],
    ["label", "run", "scans", "--data", "nowhere"],
    ["label", "run", "--out", "table.csv"],
    ["explain", "run", "nowhere.png#frame=3"],
    ["suggest", "nowhere"],
    ["embed", "nowhere", "--encoder", "resnet_small", "--out", "features.parquet"],
    ["verify", "nowhere"],
    ["upgrade", "nowhere", "new"],
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder, mark in (("data", "dataset.json"), ("run", "run.json"), ("scans", "1.png")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / mark).touch()
    (tmp_path / "table.csv").write_text("mine")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_is_not_there_is_said_before_anything_is_loaded(words: list[str], place: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout.splitlines()[-1] == "False False"


def test_every_verb_that_takes_a_folder_of_fewscan_looks_for_it_first() -> None:
    def commands(group: object) -> list[object]:
        inner = getattr(group, "commands", None)
        return [group] if inner is None else [each for one in inner.values() for each in commands(one)]

    for command in commands(typer.main.get_command(app)):
        for parameter in command.params:  # type: ignore[attr-defined]
            metavar = str(parameter.metavar or "")
            if parameter.param_type_name == "argument" and set(metavar.split("|")) & {"DATASET", "RUN", "FOLDER"}:
                assert parameter.callback is not None, f"{command.name} {metavar}"  # type: ignore[attr-defined]


def test_one_image_of_a_file_is_there_where_its_file_is(fewscan: Command, place: Path) -> None:
    (place / "head.nii.gz").touch()
    # What is refused then is the run, which is none.
    assert "config.yaml" in fewscan("explain", "run", "head.nii.gz#axial=3", cwd=place).stderr
