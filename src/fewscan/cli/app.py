"""What the verbs of the command line share: the application, options, how a verb ends, how errors are told."""

import inspect
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from fewscan.cli.interrupting import InterruptedVerb
from fewscan.cli.mistakes import in_words
from fewscan.cli.names import METHODS, RECIPES, known, require_names
from fewscan.cli.parsing import Verbs
from fewscan.cli.places import there
from fewscan.config import parse_overrides
from fewscan.errors import FewscanError
from fewscan.memory import enough
from fewscan.progress import forget_said, printable
from fewscan.version import __version__
from fewscan.wording import advised, command_line

app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""From a folder of medical scans, few of them labeled, to an audited and calibrated classifier that labels the rest.

The usual order is import, audit, split, train, calibrate, evaluate, label, explain, report, export. 'labels' corrects labels at
any time. Each verb ends by naming the command that comes next. Start with 'fewscan demo'. Research use only: not a medical
device.""",
)

INTERRUPTED = 130  # what a shell says of a program that Ctrl-C has ended
TERMINATED = 143  # and of one that SIGTERM has
REFUSED = 2
_stopped: set[int] = set()  # by which signals the command was told to end
LONGEST_REFUSAL = 1500  # characters: what was refused is quoted, and may be a file's whole content


AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output; progress goes to standard error.")
]
DatasetFolder = Annotated[
    Path,
    typer.Argument(metavar="DATASET", help="A dataset folder, made by 'fewscan import'.", callback=there("dataset")),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, made by 'fewscan train'.", callback=there("run"))]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what this command wrote before.")]
Recipe = Annotated[
    str | None,
    typer.Option(
        help="fewscan: train from scratch. finetune: start from pretrained weights. study: a published study's encoder, views "
        "and optimizer. [default: fewscan]",
        callback=known(RECIPES),
    ),
]
Names = Annotated[
    bool,
    typer.Option(
        "--names", help="Call scans by their file names instead of numbers; file names can contain names of patients."
    ),
]
Devices = Annotated[
    int,
    typer.Option(
        min=1, help="How many devices share the scans, one process each: GPUs, or parts of the CPU if there is no GPU."
    ),
]
MovedData = Annotated[
    Path | None,
    typer.Option("--data", help="Where the run's dataset is now, if it was moved.", callback=there("dataset")),
]


@app.callback(invoke_without_command=True)
def no_verb(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Answer a command without a verb: the version, or what there is to ask for."""
    if version:
        typer.echo(f"fewscan {__version__}")
        raise typer.Exit
    require_verb(context)


def require_verb(context: typer.Context) -> None:
    """Say what there is to ask for, where a command or a group is called without a verb."""
    if context.invoked_subcommand is None:
        # Nothing was asked for, so nothing was done: not a success, and no error to explain either.
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(REFUSED)


def group_of_verbs(name: str, about: str) -> typer.Typer:
    """Return a new group of the application's verbs, called `fewscan NAME VERB`; about: its help."""
    verbs = typer.Typer(cls=Verbs, rich_markup_mode=None, help=about, callback=require_verb, invoke_without_command=True)
    app.add_typer(verbs, name=name)
    return verbs


def parsed_settings(pairs: list[str] | None, verb: str, *functions: Callable[..., Any]) -> dict[str, Any]:
    """Return KEY=VALUE pairs as nested settings, which a verb hands to `functions` of the interface.

    Raises FewscanError for what is no setting but another argument of these, and for an unknown name.
    """
    # The name of a method alone is meant as one.
    changes = parse_overrides([f"method={word}" if word in METHODS.own_names() else word for word in pairs or []])
    arguments = [one for function in functions for one in inspect.signature(function).parameters.values()]
    reserved = {one.name for one in arguments if one.kind is not one.VAR_KEYWORD} - {"method"}
    for option in changes:
        if option in reserved:
            raise FewscanError(f"'{option}' is not a setting: give it as an option, see 'fewscan {verb} --help'")
    method = changes.get("method", {})
    if not isinstance(method, dict) or "name" in method:
        name = method["name"] if isinstance(method, dict) else method
        raise FewscanError(f"choose the method with {'--method' if verb == 'train' else '--methods'} {name}")
    require_names(changes)
    return changes


@contextmanager
def ended_at_once(*going_on: str | Path) -> Iterator[None]:
    """Let Ctrl-C end the program then and there, for what has saved everything: threads may be at work that nobody can stop.

    A program that ends as others do waits for them, and where one reads a table, it may do so for ever. going_on: the command
    that goes on, as verb and arguments; by default the same.
    """
    try:
        yield
    except KeyboardInterrupt:
        code = _interrupted(going_on or sys.argv[1:], "every answer is saved; open the page again with")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def finish(as_json: bool, result: dict[str, Any], lines: list[str], *next_words: str | Path) -> None:
    """Print the result for people or for programs, and for people the command that comes next, given as verb and arguments."""
    if as_json:
        typer.echo(json.dumps(result))
        return
    for line in lines:
        typer.echo(printable(line))
    if next_words:
        typer.echo(printable(f"next: {command_line(*next_words)}"))


def main() -> NoReturn:
    """Run the command line; every error is one line on standard error, or one for each reason, and exit code 2.

    Ctrl-C ends it with the command that goes on, and exit code 130; SIGTERM likewise, with 143.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    _stopped.clear()
    forget_said()
    try:
        with enough("close other programs, or do this on a machine that has more"):
            code = _command_of_all_verbs()(_words(), standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a full disk is still told as an error
        if code == INTERRUPTED:
            code = _interrupted(sys.argv[1:])
    except KeyboardInterrupt:
        code = _interrupted(sys.argv[1:])
    except SystemExit:
        # So Typer ends, and nothing else here, where whoever reads the output has read enough, as `head` does: no error.
        code = 0
    except InterruptedVerb as stopped:
        code = _interrupted(stopped.args or sys.argv[1:], stopped.how)
    except FewscanError as error:
        code = _refuse(*error.lines)
    except typer.TyperException as error:
        code = _refuse(in_words(error))
    except OSError as error:
        code = _refuse(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except Exception:
        if not _stopped:
            raise
        # A library that was stopped while it was being loaded says something else of it.
        code = _interrupted(sys.argv[1:])
    sys.exit(code if isinstance(code, int) else 0)


@cache
def _command_of_all_verbs() -> Callable[..., Any]:
    """Return the application as Typer runs it: making it of all verbs takes as long as a small verb."""
    return typer.main.get_command(app)


def _words() -> list[str]:
    """Return the words of the command; `~/` at the beginning of one, or of what is behind its `=`, is the home folder.

    A shell makes it so only outside of quotes and not behind `=`, and a folder called `~` is what nobody means.
    """
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() fails where nobody says which it is
    return [re.sub(r"^([\w.-]+=)?~(?=/|$)", lambda begins: f"{begins[1] or ''}{home}", word) for word in sys.argv[1:]]


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Answer SIGTERM as Ctrl-C, so that whatever is under way is cleaned up."""
    # The one who sent it may send it again, while that is done.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _stop(number, frame)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """Note that somebody stops the command, and stop it."""
    _stopped.add(number)
    raise KeyboardInterrupt


def _interrupted(words: Sequence[str | Path], how: str = "run it again") -> int:
    terminated = signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    next_step = advised(f"{how}: {printable(command_line(*words))}", "what was done is kept where it can be continued")
    typer.echo(f"{'terminated' if terminated else 'interrupted'}; {next_step}", err=True)
    # Where an interrupt has ended code that was given as text, as libraries do, `python -m` ends by the signal, not by the code
    # of this program; unless other such code has run to its end.
    exec("")
    return TERMINATED if terminated else INTERRUPTED


def refusal(message: str, *reasons: str) -> str:
    """Return the line that says why a verb was refused, and one for each of several reasons; of a long line its ends alone."""
    lines = [f"error: {printable(message)}", *(f"  {printable(reason)}" for reason in reasons)]
    end = LONGEST_REFUSAL // 2
    return "\n".join(line if len(line) <= LONGEST_REFUSAL else f"{line[:end]} ... {line[-end:]}" for line in lines)


def _refuse(message: str, *reasons: str) -> int:
    # No bar is left that the line would have to stand above, and little memory may be left for Rich.
    typer.echo(refusal(message, *reasons), err=True)
    return REFUSED
