"""What a recipe is: the settings that a run starts from, before the user's are laid over them."""

from typing import Any, ClassVar, NamedTuple

from fewscan.learning.method import Method


class Preferred(NamedTuple):
    """The method that a recipe is for, where the user names none, and why."""

    method: str
    why: str


class Recipe:
    """Settings for a method and a size of data. A subclass sets the attributes below and defines `settings`."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for people
    preferred: ClassVar[Preferred | None] = None  # None: the method and the network's size are chosen from data and machine
    minimum_epochs: ClassVar[int] = 1  # of a training whose length the recipe gives in `training_images`

    def settings(self, method: type[Method], *, labeled: int, unlabeled: int) -> dict[str, Any]:
        """Return the settings that differ from the defaults, by name; `epochs` or `training_images` must be among them."""
        raise NotImplementedError
