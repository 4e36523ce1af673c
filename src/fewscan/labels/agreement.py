"""Where labels contradict each other: people, or rows of a table, about one scan, and copies of one scan."""

import pandas as pd

from fewscan.labels.log import LabelLog


def people_who_differ(log: LabelLog, count: int) -> pd.DataFrame:
    """Return who says what of each disputed row among 0..count-1: the columns row, who, origin, state, label, entry.

    A row has a line for each person, in the order in which they said so, or for each row of the table that speaks for the
    dataset (`who` is null); those that were settled since are not disputed.
    """
    voices = log.voices(count)
    said = voices["label"].fillna(voices["state"]).where(voices["state"] == "label", "\0" + voices["state"])
    disputed = said.groupby(voices["row"]).transform("nunique") > 1
    columns = ["row", "who", "origin", "state", "label", "entry"]
    return voices.loc[disputed, columns].sort_values(["row", "entry"], ignore_index=True)


def copies_that_differ(labels: pd.Series, copy_sets: pd.Series) -> pd.DataFrame:
    """Return the labeled rows of each set of copies that has more than one label: the columns copy_set, row, label.

    labels: of every row, null for none, as `LabelLog.current` has them. copy_sets: of every row, null for none.
    """
    table = pd.DataFrame({"copy_set": copy_sets.to_numpy(), "row": range(len(labels)), "label": labels.to_numpy()})
    table = table.dropna().astype({"copy_set": "int64"})
    differ = table.groupby("copy_set")["label"].transform("nunique") > 1
    return table[differ].sort_values(["copy_set", "row"], ignore_index=True)
