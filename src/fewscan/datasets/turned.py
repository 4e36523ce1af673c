"""How one copy lies beside another, by what the audit noted of pairs: also where other copies join the two."""

from collections import deque
from collections.abc import Iterable

import pandas as pd

from fewscan.images.turns import Turn


def turns_in(pairs: pd.DataFrame) -> list[Turn | None]:
    """Return how the second image of each pair, as PAIR_DTYPES, lies beside the first; None where nobody noted it."""
    columns = (pairs[name].to_numpy(object, na_value=None) for name in ("mirrored", "turned", "inverted"))
    return [turn_noted(*noted) for noted in zip(*columns, strict=True)]


def turn_noted(mirrored: bool, turned: int | None, inverted: bool | None) -> Turn | None:
    """Return it for one pair, by its columns."""
    return None if turned is None or inverted is None else Turn(bool(mirrored), int(turned), bool(inverted))


class Turns:
    """How images lie beside each other, by pairs of copies (row, other row, how the other lies beside the row)."""

    def __init__(self, pairs: Iterable[tuple[int, int, Turn | None]]) -> None:
        """Take all pairs of which it was noted."""
        self._beside: dict[int, list[tuple[int, Turn]]] = {}
        for a, b, turn in pairs:
            if turn is not None:
                self._beside.setdefault(a, []).append((b, turn))
                self._beside.setdefault(b, []).append((a, turn.back))

    def between(self, row_a: int, row_b: int) -> Turn | None:
        """Return how the image of `row_b` lies beside that of `row_a`, by the fewest pairs that join them; None if none do."""
        reached, waiting = {row_a: Turn()}, deque([row_a])
        while waiting and row_b not in reached:
            row = waiting.popleft()
            for other, turn in self._beside.get(row, ()):
                if other not in reached:
                    reached[other] = reached[row].then(turn)
                    waiting.append(other)
        return reached.get(row_b)
