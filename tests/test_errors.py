"""The error for people, which speaks of options: in Python a note names the arguments."""

import copy
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import typer

import fewscan as package
from fewscan.cli.app import app
from fewscan.datasets.labels import DatasetLabels
from fewscan.errors import FewscanError, Reasons, in_python
from fewscan.images.options import ImportOptions

Command = Callable[..., CompletedProcess[str]]
# What only the command line has: how it prints, or what `demo` and a list of pairs show.
NOT_IN_PYTHON = {"--json", "--quick", "--review", "--dissolved", "--all"}


def options(group: Any) -> Iterator[str]:
    for one in getattr(group, "commands", {}).values():
        yield from options(one)
        yield from (
            name for param in one.params if param.param_type_name == "option" for name in (*param.opts, *param.secondary_opts)
        )


def test_every_option_is_named_as_python_has_it() -> None:
    functions = [getattr(package, name) for name in package.__all__ if inspect.isfunction(getattr(package, name))]
    arguments = {name for one in (*functions, DatasetLabels.set) for name in inspect.signature(one).parameters}
    there = {f"{name}=" for name in {*arguments, *ImportOptions.model_fields}} | {f"{one.__name__}()" for one in functions}
    for option in sorted({*options(typer.main.get_command(app))} - NOT_IN_PYTHON):
        (named,) = in_python(f"take '{option} WORD' or ({option})")
        assert named.removesuffix("True").removesuffix("False") in there, option


def test_what_only_looks_like_an_option_is_none() -> None:
    assert in_python("no folder a--b, /x--y/--z or --- and nothing -- else; 5 --3") == []


def test_a_refusal_from_python_names_the_arguments_and_the_command_line_does_not(fewscan: Command, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    with pytest.raises(FewscanError) as refused:
        package.import_scans(tmp_path / "scans", tmp_path / "scans")
    assert "--out" in str(refused.value)
    (note,) = refused.value.__notes__
    assert note.endswith(" out=")
    assert copy.copy(refused.value).__notes__ == [note]  # as it comes from another process
    assert not hasattr(FewscanError("nothing of options"), "__notes__")
    assert "out=" not in fewscan("import", "scans", "--out", "scans", cwd=tmp_path).stderr


def test_reasons_that_are_known_together_are_told_together_and_one_alone_stays_what_it_is() -> None:
    class SpecialError(FewscanError):
        pass

    with Reasons("nothing can be done"):
        pass
    with pytest.raises(SpecialError, match=r"^one$"), Reasons("nothing can be done") as reasons:
        with reasons.noted():
            raise SpecialError("one")
        reasons.add()
    with pytest.raises(FewscanError) as refused, Reasons("nothing can be done") as reasons:
        reasons.add("one", "two with --labels")
        with reasons.noted():
            raise SpecialError("three")
        reasons.add("one")
    error = copy.copy(refused.value)  # as it comes from another process
    assert [line.split(") ")[-1] for line in error.lines[1:]] == ["one", "two with --labels", "three"]
    assert "\n" not in str(error)
    assert "labels=" in error.__notes__[0]
    with pytest.raises(ValueError, match="else"), Reasons("nothing can be done") as reasons:
        reasons.add("one")
        raise ValueError("something else")


def test_of_very_many_reasons_the_first_are_told_and_the_others_counted() -> None:
    lines = FewscanError("the table cannot be read", *(f"row {number}" for number in range(40))).lines
    assert len(lines) < 15
    assert str(40 - (len(lines) - 2)) in lines[-1]
