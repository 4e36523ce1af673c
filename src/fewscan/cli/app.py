"""What the verbs of the command line share: the application, options, how a verb ends, how errors are told."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from fewscan.config import parse_overrides
from fewscan.errors import FewscanError
from fewscan.progress import say

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""From a folder of medical scans, few of them labeled, to an audited, honest classifier that labels the rest.

The verbs in their order: import, audit, split, train, calibrate, evaluate, label, explain, report, export. Each ends by naming
the command that comes next. Start with 'fewscan demo'. Research use only: not a medical device.""",
)

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output; progress goes to standard error.")
]
DatasetFolder = Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset folder, made by 'fewscan import'.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, made by 'fewscan train'.")]
Recipe = Annotated[str, typer.Option(help="fewscan: ours. study: the published study's encoder, views and optimizer.")]
MovedData = Annotated[Path | None, typer.Option("--data", help="Where the run's dataset lies now, if it was moved.")]


def parsed_settings(pairs: list[str] | None, verb: str, *, not_settings: tuple[str, ...]) -> dict[str, Any]:
    """Return KEY=VALUE pairs as nested settings; raises FewscanError for options of the verb that are written so."""
    changes = parse_overrides(pairs or [])
    for option in not_settings:
        if option in changes:
            raise FewscanError(f"'{option}' is not a setting: give it as an option, see 'fewscan {verb} --help'")
    method = changes.get("method", {})
    if not isinstance(method, dict) or "name" in method:
        name = method["name"] if isinstance(method, dict) else method
        raise FewscanError(f"choose the method with {'--method' if verb == 'train' else '--methods'} {name}")
    return changes


def moved(data: Path | None) -> list[str | Path]:
    """Return the option that says where a run's dataset lies now, for the command that comes next."""
    return [] if data is None else ["--data", data]


def finish(as_json: bool, result: dict[str, Any], lines: list[str], *next_words: str | Path) -> None:
    """Print the result for people or for programs, and for people the command that comes next, given as verb and arguments."""
    if as_json:
        typer.echo(json.dumps(result))
        return
    for line in lines:
        typer.echo(line)
    typer.echo(f"next: {shlex.join(map(str, ('fewscan', *next_words)))}")


def main() -> NoReturn:
    """Run the command line; every error is one line on standard error, and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except FewscanError as error:
        code = _refuse(str(error))
    except typer.TyperException as error:
        code = _refuse(error.format_message())
    except OSError as error:
        code = _refuse(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except KeyboardInterrupt:
        say("interrupted")
        code = 130
    except BrokenPipeError:
        # The reader of our output (head, say) has gone; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(message: str) -> int:
    say(f"error: {message}")
    return 2
