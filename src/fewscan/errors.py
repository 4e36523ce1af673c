"""The one error that is meant for people."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

# So many reasons are told; more are counted.
MOST_REASONS = 8
_OPTION = re.compile(r"(?<![^\s'(])--([a-z]+(?:-[a-z]+)*)(?![\w-])")
# What options that Python's arguments are not called after are called there.
_IN_PYTHON = {
    "check": "check_evidence()",
    "class": "class_name=",
    "from": "begin=",
    "labels-and-folders": "labels_only=False",
    "no-pile": "pile=False",
    "no-train": "train=False",
    "no-unlabeled-first": "unlabeled_first=False",
    "plan": "plan_import()",
    "size": "size_px=",
}


class FewscanError(Exception):
    """A request that cannot be carried out, for a reason that the user can fix.

    The message is one line that says what is wrong and what to do next. The command line prints it and exits with 2. Where
    several reasons are known at once, they stand behind what they keep from being done, and each is printed in a line of its
    own; `Reasons` collects them. Where the message names options of the command line, a note that only Python shows names the
    arguments that stand for them.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        if named := in_python(str(self)):
            self.add_note(f"In Python, options are arguments: {', '.join(named)}")

    def __str__(self) -> str:
        """Return the message in one line."""
        what, *reasons = self.lines
        return f"{what} {'; '.join(reasons)}" if reasons else what

    @property
    def lines(self) -> list[str]:
        """The message in one line, or where it has several reasons, what it is about and a line for each of them."""
        what, *reasons = map(str, self.args or ("",))
        numbered = [f"({number}) {reason}" for number, reason in enumerate(reasons[:MOST_REASONS], 1)]
        more = [f"and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
        return [f"{what}, for {len(reasons)} reasons:", *numbered, *more] if reasons else [what]


class Reasons:
    """All reasons that are known to refuse something: who mends one is not to meet the next one then.

    Left as a context, it raises the one reason as it is, or FewscanError with all that there are.
    """

    def __init__(self, what: str) -> None:
        """Begin with none; what: that they keep from being done, in words."""
        self._what = what
        self._found: list[FewscanError] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._found)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is refused within, and go on behind it."""
        try:
            yield
        except FewscanError as error:
            self._found.append(error)

    def add(self, *reasons: str) -> None:
        """Add reasons in words."""
        self._found += map(FewscanError, reasons)

    def __enter__(self) -> Self:
        """Return itself, to note reasons in."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Refuse, where a reason was noted and nothing else was raised."""
        if kind is not None or not self._found:
            return
        words = list(dict.fromkeys(map(str, self._found)))
        if len(words) == 1:
            raise self._found[0]
        raise FewscanError(self._what, *words)


def in_python(message: str) -> list[str]:
    """Return what the options that a message names are called in Python: `overwrite=` for `--overwrite`."""
    return list(dict.fromkeys(_IN_PYTHON.get(name, f"{name.replace('-', '_')}=") for name in _OPTION.findall(message)))
