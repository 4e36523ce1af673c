"""Commands that messages advise work where they are read."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fewscan.labeling.grounds import RUN
from fewscan.wording import command_line


def program(folder: Path) -> Path:
    """Make a program `fewscan` that says where it lies."""
    folder.mkdir()
    path = folder / "fewscan"
    path.write_text(f"#!/bin/sh\necho {shlex.quote(str(folder))} $*\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("on_path", ["this one", "another", "none"])
@pytest.mark.parametrize("relative", [False, True])
def test_an_advised_command_calls_the_program_that_advises_it(
    on_path: str, relative: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called, other = program(tmp_path / "my bin"), program(tmp_path / "other")
    places = {"this one": [called.parent], "another": [other.parent, called.parent], "none": []}[on_path]
    monkeypatch.setenv("PATH", ":".join([*map(str, places), "/usr/bin", "/bin"]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(called.relative_to(tmp_path) if relative else called), "demo"])
    command = command_line("audit", "data")
    said = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
    assert said == f"{called.parent} audit data\n"
    # The name is enough where it is found.
    assert command.startswith("fewscan ") == (on_path == "this one")


@pytest.mark.parametrize("called", ["-c", "", "notebook.py", "/nowhere/fewscan"])
def test_from_python_commands_name_the_program(called: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert command_line("audit", "data") == "fewscan audit data"


def test_a_page_that_is_passed_on_names_no_place_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", [str(program(tmp_path / "home of somebody"))])
    assert command_line("calibrate", *RUN, "--folds", "5") == "fewscan calibrate RUN --folds 5"
