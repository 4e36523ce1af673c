"""Progress of long work, on standard error, so that standard output stays free for results."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")

console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)  # a file may be called `:dog:`


def progress_bar() -> Progress:
    """Return a bar with count, time spent and time left; without a terminal it draws nothing until the end."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[numbers]}"),
        console=console,
    )


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items` while a progress bar counts them."""
    with progress_bar() as bar:
        task = bar.add_task(description, total=total, numbers="")
        for item in items:
            yield item
            bar.advance(task)


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
