"""Progress of long work, on standard error, so that standard output stays free for results."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.sharedctypes import SynchronizedArray

    SaidTogether = SynchronizedArray[int]

Item = TypeVar("Item")

# How many messages several processes keep in common; these are a few lines that nobody is to miss.
MESSAGES_TOGETHER = 64

console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)  # a file may be called `:dog:`

_said: set[tuple[str, str]] = set()  # by `say_once`, and of what
_said_together: SaidTogether | None = None  # by `announce` in all processes that work on one command


class Numbers(ProgressColumn):
    """What work says of itself, in one line: the part of it for which the terminal is wide enough."""

    def render(self, task: Task) -> Text:
        """Return the numbers, to be cut at the end."""
        return Text(task.fields["numbers"], no_wrap=True, overflow="ellipsis")


def progress_bar(*, passing: bool = False, idle: bool = False) -> Progress:
    """Return a bar with count, time spent and time left; without a terminal it draws nothing until the end.

    passing: of a step on the way to what was asked for; nothing is left of it at the end. idle: whether there is
    nothing to do, and so nothing to draw.
    """
    # In a narrow terminal columns that may wrap give way, and of these there is one: the others stay as wide as they are.
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=20, table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        Numbers(),
        console=console,
        # Ten times, as by default, takes a hundredth of a processor, and every other thread waits meanwhile.
        refresh_per_second=2,
        transient=passing,
        disable=idle or (passing and not console.is_terminal),
    )


def track(
    items: Iterable[Item], description: str, total: int | None = None, *, passing: bool = False, quick: int = 0
) -> Generator[Item, None, None]:
    """Yield `items` while a progress bar counts them; whoever keeps what is returned closes it, and with it the bar.

    passing: as in `progress_bar`. quick: so many are done before anybody waits, so that only with more a bar is drawn.
    """
    left = iter(items)
    yield from islice(left, quick)
    following = list(islice(left, 1)) if quick else []
    if quick and not following:
        return
    with progress_bar(passing=passing) as bar:
        task = bar.add_task(description, total=total, completed=quick, numbers="")
        for item in chain(following, left):
            yield item
            bar.advance(task)


@contextmanager
def kept_if_stopped(kept: Callable[[], str | None]) -> Iterator[None]:
    """Say, where work is stopped, what of it is kept for going on; `kept` returns that as a line, None for nothing.

    The line goes along with what stopped it, so that the command line knows whether there is something to go on with.
    """
    try:
        yield
    except BaseException as stopped:
        if (line := kept()) is not None:
            say(line)
            stopped.add_note(line)
        raise


def say_once(message: str, of: str = "", kind: str | None = None) -> None:
    """Say what need not be said again, as what words mean: once in a command, or where there is none in a process.

    of: what it is about, where the same words are to be said once of each. kind: as in `announce`.
    """
    if (kind or message, of) not in _said:
        _said.add((kind or message, of))
        say(message)


def announce(message: str, of: str = "", kind: str | None = None) -> None:
    """Say, as `say_once` does, what nobody is to miss: also from one of several processes that are quiet beside others.

    kind: what is to be said once alone, in whichever words; None for these words.
    """
    if _said_together is None:
        say_once(message, of, kind)
    elif _is_first(f"{kind or message}\0{of}", _said_together):
        sys.stderr.write(f"{printable(message)}\n")


def said_together(context: BaseContext) -> SaidTogether:
    """Return what several processes keep in common of what they have announced; each of them calls `say_together` with it."""
    return context.Array("Q", MESSAGES_TOGETHER)


def say_together(said: SaidTogether) -> None:
    """Let what is announced in this process be heard, once from all that share `said`."""
    global _said_together
    _said_together = said


def _is_first(message: str, said: SaidTogether) -> bool:
    """Note a message, by its digest, where nobody has noted it; one for which there is no place left counts as new."""
    number = int.from_bytes(hashlib.sha256(message.encode()).digest()[:8])
    with said.get_lock():
        for place in range(len(said)):
            other = int(said[place])
            if other in (0, number):
                said[place] = number
                return other == 0
    return True


def forget_said() -> None:
    """Let everything be said anew: a command begins."""
    _said.clear()


def say(message: str) -> None:
    """Print a line for the person who waits, on standard error."""
    console.print(printable(message), markup=False)


def printable(line: str) -> str:
    """Return a line as a terminal may have it: what is no visible character stands as its escape, `\\x1b` or `\\n`.

    Names of files and classes may hold codes that color, delete or turn round what else is on the screen.
    """
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
