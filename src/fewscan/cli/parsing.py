"""The verbs as Typer reads and calls them, but for an option that would take another as its value, and for Ctrl-C."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from typer.core import TyperGroup, TyperOption

from fewscan.cli.interrupting import InterruptedVerb
from fewscan.errors import FewscanError
from fewscan.wording import command_line

# Under this name a verb finds the words behind it.
WORDS = "fewscan.words"


class Verbs(TyperGroup):
    """A group of verbs."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, command and the words behind it, as Typer does, whose own types of these are private.

        Raises FewscanError where an option stands in the place of another one's value, and for the verb of a group that stands
        without the group's name, or behind the name of a verb that is called nearly so (`label set`).
        """
        _require_group(ctx.find_root().command, self, args)
        name, command, words = super().resolve_command(ctx, args)
        ctx.meta[WORDS] = tuple(words)  # the parser empties the list
        if command is not None:
            _require_values([one for one in command.get_params(ctx) if isinstance(one, TyperOption)], words)
        return name, command, words

    def invoke(self, ctx: Any) -> Any:
        """Call the verb.

        Raises InterruptedVerb where Ctrl-C stops it: what is kept of its work says by itself that it goes on.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            raise InterruptedVerb(anew=not hasattr(stopped, "__notes__")) from None


def _require_group(verbs: TyperGroup, here: TyperGroup, words: Sequence[str]) -> None:
    """Raise FewscanError where words that `here` takes name one of `verbs` that stands in another group, without it."""
    first, *rest = words
    if first not in here.commands:
        said, meant, behind = first, _groups_with(verbs, first), words
    elif rest and not isinstance(here.commands[first], TyperGroup) and not Path(rest[0]).exists():
        said, meant, behind = f"{first} {rest[0]}", get_close_matches(first, _groups_with(verbs, rest[0])), rest
    else:
        return
    if meant:
        raise FewscanError(f"there is no verb '{said}': write '{command_line(meant[0], *behind)}'")


def _groups_with(verbs: TyperGroup, name: str) -> list[str]:
    return [group for group, one in verbs.commands.items() if isinstance(one, TyperGroup) and name in one.commands]


def _require_values(options: Sequence[TyperOption], words: Iterable[str]) -> None:
    names = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    taking = {name: option.nargs for option in options if not (option.is_flag or option.count) for name in option.opts}
    waiting, values = "", 0  # the option whose values come next, and how many
    for word in words:
        if values:
            if word.partition("=")[0] in names:
                raise FewscanError(
                    f"the option {waiting} has no value: it is followed by another option, {word} "
                    f"(if that is meant as the value, write {waiting}={word})"
                )
            values -= 1
        elif word == "--":
            return
        elif word in taking:
            waiting, values = word, taking[word]
