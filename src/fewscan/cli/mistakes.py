"""A command that cannot be read -> one line that says why, and how its verb is written."""

import re
from typing import Any, get_args

import typer
from pydantic import ValidationError
from typer.core import TyperArgument, TyperGroup, TyperOption

from fewscan.config import plain_number
from fewscan.wording import listed

OPTIONS_SHOWN = 8
VERBS_SHOWN = 12
# How Typer says that words are left over, and which.
_LEFT_OVER = re.compile(r"^Got unexpected extra argument\(s\) \((.*)\)$", re.DOTALL)


def in_words(error: typer.TyperException) -> str:
    """Return the line for a command that Typer cannot read; of a value that an option does not take, which it takes."""
    said = error.format_message().replace("Value error, ", "")  # how Typer says which values an option takes
    context: Any = getattr(error, "ctx", None)
    if context is None or type(error) is typer.BadParameter:
        return said + (plain_number(error.__cause__) if isinstance(error.__cause__, ValidationError) else "")
    if (left := _LEFT_OVER.match(said)) is not None:
        said = f"nothing more is expected at '{left[1]}'{_by_option(context, left[1])}"
    if said.endswith("?"):  # it knows which verb was meant
        return said
    option = None if getattr(error, "possibilities", None) else getattr(error, "option_name", None)
    setting = f"; a setting is written {option.lstrip('-')}=VALUE" if option and _takes_settings(context) else ""
    return f"{said.rstrip('.')}{setting}: write {how_written(context)}"


def _by_option(context: Any, word: str) -> str:
    """Return which option takes a number that is left over: the first of the verb's that takes a whole one."""
    options = [one for one in context.command.params if isinstance(one, TyperOption)]
    taking = [one for one in options if int in (kind := one.type_descriptor.annotation, *get_args(kind))]
    return f", did you mean {taking[0].opts[0]} {word}" if taking and word.isdecimal() else ""


def how_written(context: Any) -> str:
    """Return how a verb is written, or a group of verbs, and which options or verbs it has."""
    command, name = context.command, _name(context)
    if isinstance(command, TyperGroup):
        return f"'{name} VERB ...', the verb first: {listed(command.list_commands(context), VERBS_SHOWN)} ('{name} --help')"
    options = [one for one in command.params if isinstance(one, TyperOption)]
    others = [one.opts[0] for one in options if not (one.required or one.hidden)]
    return f"'{usage(context)}', everything else as options: {listed(others, OPTIONS_SHOWN)} ('{name} --help' explains them)"


def usage(context: Any) -> str:
    """Return a verb with what it must be given, and with what it may be given without an option."""
    params = context.command.params
    words = [_called(one) for one in params if isinstance(one, TyperArgument)]
    needed = [f"{one.opts[0]} {_called(one)}" for one in params if isinstance(one, TyperOption) and one.required]
    return " ".join([_name(context), *words, *needed])


def _called(param: TyperArgument | TyperOption) -> str:
    return param.metavar or str(param.name).upper()


def _name(context: Any) -> str:
    """Return a verb as a user calls it, whichever way the program was started."""
    return f"fewscan{context.command_path.removeprefix(context.find_root().command_path)}"


def _takes_settings(context: Any) -> bool:
    arguments = [one for one in context.command.params if isinstance(one, TyperArgument)]
    return any("KEY=VALUE" in str(one.metavar) for one in arguments)
