"""How a verb ends that Ctrl-C stops: by the command that continues, or that starts over."""

from pathlib import Path


class InterruptedVerb(Exception):  # noqa: N818  # no error: the person at the keyboard wanted it
    """Ctrl-C in a verb, and the command that comes then, as verb and arguments; without any it is the same command."""

    def __init__(self, *words: str | Path, anew: bool = False) -> None:
        super().__init__(*words)
        self.how = "start over with" if anew else "continue with"
