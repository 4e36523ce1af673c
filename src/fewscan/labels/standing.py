"""Which entries of a label log hold: the rules, on columns of entries."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Numbers = npt.NDArray[np.int64]


class Entries(NamedTuple):
    """Entries in their order, a column each: `(n,) int64`, 0 for none.

    `said` is the number of a label's text, or minus that of another state. `who` and `origin` are numbers of texts.
    `settles` is 1 where an entry of a person speaks for the dataset.
    """

    id: Numbers
    batch: Numbers
    row: Numbers
    said: Numbers
    undoes: Numbers
    who: Numbers
    origin: Numbers
    settles: Numbers

    def take(self, which: npt.NDArray[np.bool_] | Numbers) -> "Entries":
        """Return some of the entries."""
        return Entries(*(column[which] for column in self))


class Standing(NamedTuple):
    """What holds of each row 0..count-1: `entry` is the id that says it, 0 where none does; a disputed row has its newest."""

    entry: Numbers
    disputed: npt.NDArray[np.bool_]


def live(entries: Entries) -> npt.NDArray[np.bool_]:
    """Return which entries were not taken back; an entry that was taken back takes nothing back itself."""
    undone: set[int] = set()
    undoing = entries.undoes > 0
    # An entry takes back older ones only, so the newest is certain first.
    for entry, target in zip(entries.id[undoing][::-1].tolist(), entries.undoes[undoing][::-1].tolist(), strict=True):
        if entry not in undone:
            undone.add(target)
    if not undone:
        return np.ones(len(entries.id), dtype=bool)
    return ~np.isin(entries.id, np.fromiter(undone, np.int64, len(undone)))


def voices(entries: Entries, count: int) -> tuple[Numbers, Entries]:
    """Return for each row the newest entry that speaks for the dataset (0: none), and which entries say what counts beside it.

    These are what each person said last since then, or, where nobody said anything, what was said for the dataset, if that
    contradicts itself. What is said last is all that a batch says of a row: rows of one table may differ. Rows from `count` on
    are left out, and what a batch repeats.
    """
    stated = entries.take(live(entries) & (entries.undoes == 0) & (entries.row < count))
    speaks = (stated.who == 0) | (stated.settles > 0)
    base, batch = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    np.maximum.at(base, stated.row[speaks], stated.id[speaks])
    np.maximum.at(batch, stated.row[speaks], stated.batch[speaks])
    after = ~speaks & (stated.id > base[stated.row])
    heard = np.zeros(count, dtype=bool)
    heard[stated.row[after]] = True
    at_once = stated.take(speaks & (stated.batch == batch[stated.row]) & ~heard[stated.row])
    contradicted = disputed_rows(at_once, count)
    people, dataset = _said_last(stated.take(after)), at_once.take(contradicted[at_once.row])
    both = Entries(*(np.concatenate(columns) for columns in zip(people, dataset, strict=True)))
    if not len(both.id):  # mostly nobody contradicts
        return base, both
    both = both.take(np.argsort(both.id))
    repeated = pd.DataFrame({"row": both.row, "who": both.who, "said": both.said}).duplicated(keep="last")
    return base, both.take(~repeated.to_numpy())


def _said_last(people: Entries) -> Entries:
    """Return what each person said in the newest of their batches about a row."""
    if not len(people.id):
        return people
    table = pd.DataFrame({"row": people.row, "who": people.who, "batch": people.batch})
    if not table.duplicated(["row", "who"]).any():
        return people
    return people.take((table.groupby(["row", "who"])["batch"].transform("max") == table["batch"]).to_numpy())


def standing(entries: Entries, count: int) -> Standing:
    """Return what holds of each row: what people said since the dataset last spoke, where they agree, else what it said."""
    base, counting = voices(entries, count)
    newest = np.zeros(count, dtype=np.int64)
    np.maximum.at(newest, counting.row, counting.id)
    return Standing(np.where(newest > 0, newest, base), disputed_rows(counting, count))


def disputed_rows(counting: Entries, count: int) -> npt.NDArray[np.bool_]:
    """Return `(count,)` whether entries that count say different things of a row."""
    lowest = np.full(count, np.iinfo(np.int64).max)
    highest = np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(lowest, counting.row, counting.said)
    np.maximum.at(highest, counting.row, counting.said)
    return lowest < highest
