"""The one error that is meant for people."""

import re

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

    The message is one line that says what is wrong and what to do next. The command line prints it and exits with 2. Where it
    names options of the command line, a note that only Python shows names the arguments that stand for them.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        if named := in_python(str(self)):
            self.add_note(f"In Python, options are arguments: {', '.join(named)}")


def in_python(message: str) -> list[str]:
    """Return what the options that a message names are called in Python: `overwrite=` for `--overwrite`."""
    return list(dict.fromkeys(_IN_PYTHON.get(name, f"{name.replace('-', '_')}=") for name in _OPTION.findall(message)))
