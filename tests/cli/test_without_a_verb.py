"""What `fewscan` says of itself, and whether its help can be read."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
import typer

import fewscan as package
from fewscan.cli.app import app

Command = Callable[..., CompletedProcess[str]]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_the_version_is_the_packages(fewscan: Command) -> None:
    done = fewscan("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"fewscan {package.__version__}\n", "")


def test_without_a_verb_there_is_help_and_neither_success_nor_an_error_to_explain(fewscan: Command) -> None:
    done, help_page = fewscan(), fewscan("--help")
    assert (done.returncode, done.stdout, help_page.returncode, help_page.stderr) == (2, "", 0, "")
    assert done.stderr.strip() == help_page.stdout.strip()
    assert "error" not in done.stderr


def test_the_overview_says_of_every_verb_what_it_does_in_a_whole_sentence(fewscan: Command) -> None:
    listed = fewscan("--help").stdout.split("Commands:")[1]
    assert "..." not in listed
    lines = {line.split()[0]: line for line in listed.splitlines() if line.strip()}
    assert list(lines) == list(COMMANDS)
    assert all(line.endswith(".") for line in lines.values())


@pytest.mark.parametrize("verb", list(COMMANDS))
def test_every_option_of_every_verb_is_explained(verb: str) -> None:
    explained = {parameter.name: getattr(parameter, "help", None) for parameter in COMMANDS[verb].params}
    assert [name for name, text in explained.items() if not text] == []
