"""Numbers, names and commands as sentences have them."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = "fewscan"
# In the environment of a command whose words the review page shows: they are for people who use the page, and give no commands.
ON_PAGE = "FEWSCAN_ON_PAGE"
# Whom they ask for what the page has no button for.
HOST = "whoever runs the review page"
# What commands call a run on pages that are passed on.
RUN = "RUN"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, in the plural where it is not one: `1 scan`, `2,345 scans`; plural: if no s makes it."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def scan_number(row: int) -> str:
    """Return what a scan is called whose name may point to a patient or a class: no row, which a table of labels has, too."""
    return f"scan {row}"


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Return at least one name as a sentence lists them, `a, b and c`; of more than `most` the first: `a, b and 7 more`."""
    if most is not None and len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def each_counted(counts: Mapping[str, int], most: int | None = None, patients: Mapping[str, int] | None = None) -> str:
    """Return names with their numbers, `a (3), b (4) and c (1)`: a name that is a number itself is told from its count.

    patients: how many known patients stand behind a number, `a (150, 13 patients)`; none is said where there are none.
    """
    return listed([f"{name} ({count:,}{and_patients((patients or {}).get(name, 0))})" for name, count in counts.items()], most)


def and_patients(patients: int) -> str:
    """Return what goes behind a number of images: `, 13 patients`; nothing where no patient is known."""
    return f", {counted(patients, 'patient')}" if patients else ""


def folder_below(level: int) -> str:
    """Return what the folder at a level above a file is called, 1 being the one right below the source."""
    ordinals = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
    return f"the {ordinals[level - 1] if level <= len(ordinals) else f'{level}th'} folder below the source"


def one_line(error: Exception) -> str:
    """Return what an error of a library says, in one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def opened_times(by_run: int, by_all_runs: int) -> str:
    """Return how often a test set was opened."""
    return f"opened {counted(by_run, 'time')} by this run, {by_all_runs} by all runs"


def command_line(*words: str | Path) -> str:
    """Return verb and arguments as a line for the shell, `fewscan audit 'my data'`, quoted so that it can be copied."""
    # One that calls no run by its folder is for pages that are passed on: nothing of this machine is named there.
    return shlex.join(map(str, (PROGRAM if RUN in words else _program(), *words)))


def _program() -> str:
    """Return what the shell finds the program by: its name, or the path that it was called by where the name is not its."""
    called = Path(sys.argv[0])
    if called.name != PROGRAM or not called.is_file():
        return PROGRAM  # from Python, or a part of the work in a process of its own
    found = shutil.which(PROGRAM)
    return PROGRAM if found is not None and called.samefile(found) else str(called)


def advised(by_command: str, on_page: str) -> str:
    """Return how something is done in the words of whoever reads them: by a command, or by what the review page has."""
    return on_page if ON_PAGE in os.environ else by_command
