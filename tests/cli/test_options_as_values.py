"""An option whose value is missing does not take the next option as its value: every verb refuses that, by both names."""

from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import typer
from typer.core import TyperOption

from fewscan.cli.app import app

Command = Callable[..., CompletedProcess[str]]


def verbs(command: Any, *words: str) -> Iterator[tuple[str, list[TyperOption]]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, *words, name)
    if not hasattr(command, "commands"):
        yield " ".join(words), [one for one in command.params if isinstance(one, TyperOption)]


VERBS = dict(verbs(typer.main.get_command(app)))


def refusal(done: CompletedProcess[str]) -> str:
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("verb", [name for name, options in VERBS.items() if any(not one.is_flag for one in options)])
def test_no_option_takes_another_as_its_value(verb: str, fewscan: Command) -> None:
    names = [option.opts[0] for option in VERBS[verb]]
    for option in VERBS[verb]:
        for other in [] if option.is_flag else [names[0], names[-1], f"{names[0]}=x", "--help"]:
            line = refusal(fewscan(*verb.split(), option.opts[0], other))
            assert f"{option.opts[0]} has no value" in line
            assert f", {other} " in line


def test_a_source_without_labels_is_no_option(fewscan: Command, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    assert "--unlabeled" in refusal(fewscan("import", "scans", "--unlabeled", "--out", "data", cwd=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


def test_what_begins_with_a_dash_and_is_no_option_is_a_value(fewscan: Command, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "1.png").write_bytes(b"no picture")
    (tmp_path / "table.csv").write_text("path,label\n1.png,-1\n")
    done = fewscan("import", "scans", "--labels", "table.csv", "--no-label", "-1", "--plan", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # What is refused then is what the value says, not that it stands there.
    assert "'--nowhere'" in refusal(fewscan("import", "scans", "--unlabeled", "--nowhere", cwd=tmp_path))


def test_with_an_equals_sign_and_behind_two_dashes_an_options_name_is_a_value(fewscan: Command, tmp_path: Path) -> None:
    (tmp_path / "--out").mkdir()
    for words in (["--unlabeled=--out", "--plan"], ["--plan", "--", "--out"]):
        assert "no value" not in fewscan("import", *words, cwd=tmp_path).stderr
    (tmp_path / "--out" / "1.png").write_bytes(b"no picture")
    assert fewscan("import", "--unlabeled=--out", "--plan", cwd=tmp_path).returncode == 0
