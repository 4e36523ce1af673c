"""What statements about rows change in a log, and which of them are to be entered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.errors import FewscanError
from fewscan.images.labeled_whole import whole_of
from fewscan.images.sources import PREDICTIONS
from fewscan.labels.log import LabelLog, State, person_name
from fewscan.labels.standing import Numbers
from fewscan.labels.tables import Statements

NO_LABEL = "no label"  # what people are told of a row of which nothing holds
DISPUTED = "disputed"
EXAMPLES = 5


@dataclass(frozen=True)
class Changes:
    """The statements that are to be entered: of row rows[i] holds before[i], and will hold after[i], both in words.

    A row stands several times where statements contradict each other: they are entered at once, and it is `disputed` then, as
    it is where another person says something else. Those that `agree` are a person's own reading of what holds already, and
    change no label; no more do those about rows that are `still` disputed. The others are counted: `unchanged` say what holds
    already, or as a reading what the person said before, `of_wholes` of these of an image what its whole study was said to be;
    `unusable` speak of images that cannot be used, and `predicted` are predictions for rows of which somebody said something.
    Of those that change, `disputing` become disputed, `settled` were so before, and of `overruled` a person said something else
    that now counts no more.
    """

    rows: Numbers
    states: tuple[State, ...]
    labels: tuple[str | None, ...]
    origins: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    agree: npt.NDArray[np.bool_]
    still: npt.NDArray[np.bool_]
    unchanged: int
    of_wholes: int
    unusable: int
    predicted: int
    disputing: int
    settled: int
    overruled: int

    def told(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return what changes, as `told_changes` does; names: of the image of each of `rows`."""
        columns = {"row": self.rows, "before": self.before, "after": self.after, "name": names}
        return told_changes(pd.DataFrame(columns)[~self.agree & ~self.still].drop_duplicates("row"))


def told_changes(changed: pd.DataFrame) -> list[dict[str, Any]]:
    """Return from what to what labels changed, of how many scans, with examples of these, the most frequent change first.

    changed: a line for each row, with the columns before and after, in words, and name.
    """
    told = [
        {"before": before, "after": after, "scans": len(names), "examples": names.drop_duplicates().head(EXAMPLES).tolist()}
        for (before, after), names in changed.groupby(["before", "after"], sort=False)["name"]
    ]
    return sorted(told, key=lambda change: -change["scans"])


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
    who, for_all = person_name(who), settle or who is None
    now = current.iloc[said.rows].reset_index(drop=True)
    table = pd.DataFrame({"row": said.rows, "state": said.states, "label": pd.Series(said.labels, dtype="str")})
    several = table["row"].duplicated(keep=False)
    holds = ~now["disputed"] & (now["entry"] > 0) & _same(now, table) & ~several
    nothing_new = (now["entry"] == 0) & (table["state"] == "none") & (not reading) & ~several
    same, disputed = holds & (not reading), several
    if reading or several.any() or (not for_all and (now["disputed"] | now["who"].notna() & ~holds).any()):
        voices = log.voices(len(current))
        own = voices[voices["who"].isna() if who is None else voices["who"] == who]
        same |= _said_already(table, own) & (reading or several | (not for_all))
        if not for_all:
            disputed = several | _contradicted(table, voices[voices["who"].notna() & (voices["who"] != who)])
    unusable = ~usable.iloc[said.rows].reset_index(drop=True)
    kept = said.predicted & (now["entry"] > 0) & ~now["origin"].fillna("").str.startswith(PREDICTIONS)
    changes = ~(same | nothing_new | unusable | kept)
    chosen = np.flatnonzero(changes)
    first = ~table["row"].duplicated()
    return Changes(
        rows=said.rows[chosen],
        states=tuple(said.states[at] for at in chosen),
        labels=tuple(said.labels[at] for at in chosen),
        origins=tuple(said.origins[at] for at in chosen),
        before=tuple(in_words(now)[chosen]),
        after=tuple(in_words(table.assign(disputed=disputed))[chosen]),
        agree=holds.to_numpy(bool)[chosen],
        still=(now["disputed"] & disputed).to_numpy(bool)[chosen],
        unchanged=int(((same | nothing_new) & ~unusable & first).sum()),
        of_wholes=int((same & holds & ~unusable & _whole(now["origin"]) & ~_whole(pd.Series(said.origins, dtype="str"))).sum()),
        unusable=int((unusable & first).sum()),
        predicted=int((kept & ~same & ~unusable & first).sum()),
        disputing=int((~now["disputed"] & disputed & changes & first).sum()),
        settled=int((now["disputed"] & ~disputed & changes & first).sum()),
        overruled=int((now["who"].notna() & (now["who"] != who) & changes & first).sum()) if for_all else 0,
    )


def _whole(origins: pd.Series) -> pd.Series:
    """Return of each origin whether its labels were given for a whole study, say."""
    return origins.isin([origin for origin in origins.dropna().unique() if whole_of(origin) is not None])


def _contradicted(table: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """Return of each statement whether somebody else says another thing of its row."""
    both = _worded(table).merge(_worded(others), on="row", suffixes=("", "_other"))
    return table["row"].isin(both.loc[both["word"] != both["word_other"], "row"])


def _worded(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table and what is said of each in one word."""
    return table[["row"]].assign(word=table["label"].fillna("\0" + table["state"]))


def _said_already(table: pd.DataFrame, own: pd.DataFrame) -> pd.Series:
    """Return of each statement whether all that the table says of its row, and no more, is what somebody says of it now."""
    said, before = _worded(table), _worded(own)
    known = said.merge(before, on=["row", "word"], how="left", indicator=True)["_merge"] == "both"
    as_many = said.groupby("row")["row"].transform("size") == said["row"].map(before["row"].value_counts()).fillna(0)
    return known.groupby(said["row"]).transform("all") & as_many


def _same(one: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    return (one["state"] == other["state"]).fillna(False) & (one["label"].fillna("") == other["label"].fillna(""))
