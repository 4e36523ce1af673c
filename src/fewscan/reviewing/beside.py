"""How a copy lies beside another scan, as the page's interface gives it."""

from typing import Self

from pydantic import BaseModel

from fewscan.images.turns import Turn


class Lying(BaseModel):
    """What makes a scan of the one beside it: mirrored, then turned clockwise by degrees, then inverted; and that in words."""

    mirrored: bool
    turned: int
    inverted: bool
    words: list[str]

    @classmethod
    def of(cls, turn: Turn | None) -> Self:
        """Return it; of what nobody noted, that the scan lies as the other one."""
        known = Turn() if turn is None else turn
        return cls(**known._asdict(), words=known.words)
