"""What statements about rows change in a log, and which of them are to be entered."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
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
    """The statements that are to be entered: of row rows[i] holds before[i], and is said after[i], both in words.

    Those that `agree` are a person's own reading of what holds already, and change no label. The others are counted:
    `unchanged` say what holds already, or as a reading what the person said before; `unusable` speak of images that cannot be
    used, and `predicted` are predictions for rows of which somebody said something. Of those that change, `settled` were
    disputed before, and of `overruled` a person said something else that now counts no more.
    """

    rows: Numbers
    states: tuple[State, ...]
    labels: tuple[str | None, ...]
    origins: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    agree: npt.NDArray[np.bool_]
    unchanged: int
    unusable: int
    predicted: int
    settled: int
    overruled: int

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how many rows change from what to what, the most frequent first."""
        pairs = zip(self.before, self.after, self.agree, strict=True)
        return Counter(dict(Counter((before, after) for before, after, agrees in pairs if not agrees).most_common()))


def in_words(table: pd.DataFrame) -> pd.Series:
    """Return what holds of each row of a table with the columns state, label, and maybe disputed, in words."""
    words = table["label"].fillna(table["state"].replace("none", NO_LABEL))
    return words.mask(table["disputed"], DISPUTED) if "disputed" in table else words


def changes_of(
    log: LabelLog,
    current: pd.DataFrame,
    usable: pd.Series,
    said: Statements,
    who: str | None,
    *,
    settle: bool,
    reading: bool = False,
) -> Changes:
    """Return which of the statements of `who` are to be entered, given what holds (`LabelLog.current`) of which usable rows.

    A prediction changes nothing that a person, folder or table said. A person's statement that is the same as the one before
    changes nothing either, unless it settles what is disputed. Of a `reading` all is entered that the person has not said
    already, so that it does not matter which of two readers is entered first.

    Raises FewscanError where a person is named for predictions, and where a reading has no person or is to settle something.
    """
    if reading and (who is None or settle):
        instead = "leave out --settle" if settle else "add --who"
        raise FewscanError(f"with --reading a table is what one person saw: {instead}")
    if said.predicted and who is not None:
        raise FewscanError("predictions come from a network, not a person: leave out --who")
    now = current.iloc[said.rows].reset_index(drop=True)
    table = pd.DataFrame({"row": said.rows, "state": said.states, "label": pd.Series(said.labels, dtype="str")})
    holds = ~now["disputed"] & (now["entry"] > 0) & _same(now, table)
    nothing_new = (now["entry"] == 0) & (table["state"] == "none") & (not reading)
    same = holds & (not reading)
    if reading or (who is not None and not settle and now["disputed"].any()):
        voices = log.voices(len(current)).query("who == @who")
        own = table[["row"]].merge(voices, on="row", how="left")
        same |= _same(own, table)
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
        agree=holds.to_numpy(bool)[chosen],
        unchanged=int(((same | nothing_new) & ~unusable).sum()),
        unusable=int(unusable.sum()),
        predicted=int((kept & ~same & ~unusable).sum()),
        settled=int((now["disputed"] & changes).sum()) if for_all else 0,
        overruled=int((now["who"].notna() & (now["who"] != who) & changes).sum()) if for_all else 0,
    )


def _same(one: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    return (one["state"] == other["state"]).fillna(False) & (one["label"].fillna("") == other["label"].fillna(""))
