"""What a row of a comparison stands for: a method, and where they are named whose recipe, and what its encoder learns first."""

import re
from typing import NamedTuple, Self

from fewscan.errors import FewscanError

_WAY = re.compile(r"(?:(?P<first>[^+@]+)\+)?(?P<method>[^+@]+)(?:@(?P<recipe>[^+@]+))?")


class Way(NamedTuple):
    """A way to learn, as it is named in a comparison: `[FIRST+]METHOD[@RECIPE]`."""

    method: str
    first: str | None  # the method by which an encoder learns from all scans without labels before that
    recipe: str | None  # None for the comparison's

    @classmethod
    def read(cls, name: str) -> Self:
        """Return the way of that name, of methods and a recipe that may be unknown; raises FewscanError for another form."""
        found = _WAY.fullmatch(name)
        if found is None:
            raise FewscanError(
                f"'{name}' cannot be compared: give a method, such as supervised; FIRST+METHOD, whose encoder first learns "
                "without labels, such as simclr+propagation; or METHOD@RECIPE, such as supervised@finetune"
            )
        return cls(found["method"], found["first"], found["recipe"])

    def recipe_in(self, recipe: str) -> str:
        """Return the recipe of its runs: its own, else that of the comparison."""
        return self.recipe or recipe

    @property
    def name(self) -> str:
        """What `read` reads it from."""
        first = "" if self.first is None else f"{self.first}+"
        recipe = "" if self.recipe is None else f"@{self.recipe}"
        return f"{first}{self.method}{recipe}"
