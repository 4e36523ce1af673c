"""What statements about rows change in a log, and their entering."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fewscan.errors import FewscanError
from fewscan.images.sources import PREDICTIONS
from fewscan.labels.log import LabelLog, State
from fewscan.labels.standing import Numbers
from fewscan.labels.tables import Statements

NO_LABEL = "no label"  # what people are told of a row of which nothing holds
DISPUTED = "disputed"


@dataclass(frozen=True)
class Changes:
    """The statements that change something: of row rows[i] holds before[i], and is said after[i], both in words.

    The others are counted: `unchanged` say what holds already, `unusable` speak of images that cannot be used, and `predicted`
    are predictions for rows of which somebody said something. Of those that change, `settled` were disputed before, and of
    `overruled` a person said something else that now counts no more.
    """

    rows: Numbers
    states: tuple[State, ...]
    labels: tuple[str | None, ...]
    origins: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    unchanged: int
    unusable: int
    predicted: int
    settled: int
    overruled: int

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how many rows change from what to what, the most frequent first."""
        return Counter(dict(Counter(zip(self.before, self.after, strict=True)).most_common()))


def in_words(table: pd.DataFrame) -> pd.Series:
    """Return what holds of each row of a table with the columns state, label, and maybe disputed, in words."""
    words = table["label"].fillna(table["state"].replace("none", NO_LABEL))
    return words.mask(table["disputed"], DISPUTED) if "disputed" in table else words


def changes_of(
    log: LabelLog, current: pd.DataFrame, usable: pd.Series, said: Statements, who: str | None, *, settle: bool
) -> Changes:
    """Return which of the statements of `who` change something, given what holds (`LabelLog.current`) of which usable rows.

    A prediction changes nothing that a person, folder or table said. A person's statement that is the same as the one before
    changes nothing either, unless it settles what is disputed.

    Raises FewscanError where a person is named for predictions.
    """
    if said.predicted and who is not None:
        raise FewscanError("predictions are what a network says, not a person: leave out --who")
    now = current.iloc[said.rows].reset_index(drop=True)
    table = pd.DataFrame({"row": said.rows, "state": said.states, "label": pd.Series(said.labels, dtype="str")})
    same = ~now["disputed"] & (now["entry"] > 0) & _same(now, table)
    if who is not None and not settle and now["disputed"].any():
        voices = log.voices(len(current)).query("who == @who")
        own = table[["row"]].merge(voices, on="row", how="left")
        same |= _same(own, table)
    nothing_new = (now["entry"] == 0) & (table["state"] == "none")
    unusable = ~usable.iloc[said.rows].reset_index(drop=True)
    kept = said.predicted & (now["entry"] > 0) & ~now["origin"].fillna("").str.startswith(PREDICTIONS)
    for_all = settle or who is None
    changes = ~(same | nothing_new | unusable | kept)
    chosen = np.flatnonzero(changes)
    return Changes(
        rows=said.rows[chosen],
        states=tuple(said.states[at] for at in chosen),
        labels=tuple(said.labels[at] for at in chosen),
        origins=tuple(said.origins[at] for at in chosen),
        before=tuple(in_words(now)[chosen]),
        after=tuple(in_words(table)[chosen]),
        unchanged=int(((same | nothing_new) & ~unusable).sum()),
        unusable=int(unusable.sum()),
        predicted=int((kept & ~same & ~unusable).sum()),
        settled=int((now["disputed"] & changes).sum()) if for_all else 0,
        overruled=int((now["who"].notna() & (now["who"] != who) & changes).sum()) if for_all else 0,
    )


def _same(one: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    return (one["state"] == other["state"]).fillna(False) & (one["label"].fillna("") == other["label"].fillna(""))
