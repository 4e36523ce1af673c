"""Options that would do nothing, as a verb was asked."""

from collections.abc import Mapping

from fewscan.errors import FewscanError
from fewscan.wording import listed


def refuse_idle(options: Mapping[str, bool], use: str, instead: str) -> None:
    """Raise FewscanError naming those of the `options` that were given, where none of them has a use.

    options: by their names, whether each was given. use: what they are for, behind `is for`. instead: what gives them that use.
    """
    given = [name for name, is_given in options.items() if is_given]
    if given:
        are, them = ("is", "it") if len(given) == 1 else ("are", "them")
        raise FewscanError(f"{listed(given)} {are} for {use}: {instead}, or leave {them} out")


def refuse_idle_overwrite(out: object, *, overwrite: bool) -> None:
    """Raise FewscanError where a verb is to replace a file and writes none."""
    if out is None:
        refuse_idle({"--overwrite": overwrite}, "the file that --out names", "name it")
