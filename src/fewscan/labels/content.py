"""The content of a label log as columns: read, appended to, and chained, so that a change to what was written is noticed."""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from fewscan.labels.standing import Entries, Numbers

State = Literal["none", "label", "unsure", "not a scan"]
STATES: tuple[State, ...] = get_args(State)  # in the order of their numbers in the file
LABELED = STATES.index("label")

_AT_ONCE = 100_000
_BEGIN = bytes(32)  # what stands for the batch before the first


class Batch(NamedTuple):
    """What was entered at once, as the file has it: `who` and `origin` are numbers of texts, 0 for none."""

    id: int
    at: str
    who: int
    origin: int
    note: str
    settles: int
    first: int
    entries: int
    chain: bytes


_BATCH_COLUMNS = ", ".join(Batch._fields).replace("who", "coalesce(who, 0)")


class Content(NamedTuple):
    """What a log holds. Text number i is `texts[i]`, none is number 0; batch number i is `batches[i - 1]`."""

    entries: Entries
    texts: pd.api.extensions.ExtensionArray
    batches: list[Batch]


class Stated(NamedTuple):
    """One entry: what it says of a row, and by whom, None for the dataset; or which entry it takes back, 0 for none."""

    row: int
    state: State
    label: str | None
    who: str | None
    settles: bool
    undoes: int


class Head(NamedTuple):
    """What the entries of one batch have in common."""

    origin: str
    who: str | None = None
    note: str = ""
    settles: bool = False


def read(connection: sqlite3.Connection, until: int | None = None) -> Content:
    """Return all that a log holds, or its entries up to the id `until`. Raises sqlite3.DatabaseError where they are damaged."""
    batches = [Batch(*line) for line in connection.execute(f"SELECT {_BATCH_COLUMNS} FROM batch ORDER BY id")]
    texts = [None, *(text for (text,) in connection.execute("SELECT text FROM text ORDER BY id"))]
    last = _last_entry(connection)
    ids = np.arange(1, 1 + (last if until is None else max(0, min(until, last))))
    undoing = connection.execute("SELECT id, undoes FROM entry WHERE id <= ? AND undoes IS NOT NULL", (len(ids),)).fetchall()
    try:
        row, said = _rows_and_said(connection, len(ids))
        undoes = np.zeros(len(ids), dtype=np.int64)
        undoes[[entry - 1 for entry, _ in undoing]] = [undone for _, undone in undoing]
        columns = ("id", "entries", "who", "origin", "settles")
        heads = np.array([[getattr(batch, name) for name in columns] for batch in batches], np.int64).reshape(-1, len(columns))
        batch, _, who, origin, settles = np.repeat(heads, heads[:, 1], axis=0)[: len(ids)].T
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise sqlite3.DatabaseError(f"an entry has {error}") from None
    content = Content(Entries(ids, batch, row, said, undoes, who, origin, settles), pd.array(texts, dtype="str"), batches)
    _check(content)
    return content


def _last_entry(connection: sqlite3.Connection) -> int:
    """Return the id of the newest entry. Raises sqlite3.DatabaseError where not all are there that the batches brought."""
    (last,) = connection.execute("SELECT coalesce(sum(entries), 0) FROM batch").fetchone()
    if connection.execute("SELECT count(*), coalesce(max(id), 0) FROM entry").fetchone() != (last, last):
        raise sqlite3.DatabaseError("entries are missing")
    return int(last)


def has_said(connection: sqlite3.Connection, labels: Numbers, names: Sequence[str], until: int) -> bool:
    """Return whether there is an entry `until`, and up to it one for each row with a label that says this label.

    labels: (N,) index in `names` of each row's label, -1 for none; N is at most 250 million, for SQLite's sake. By single
    entries, whatever holds of several, those that were taken back too. One pass, in which SQLite looks up each entry's row in
    `labels`: a third of the time that it takes to read the entries. Raises sqlite3.DatabaseError where entries are missing.
    """
    if _last_entry(connection) < until:
        return False
    texts = dict(connection.execute("SELECT text, id FROM text"))
    index_of = np.full(1 + max(texts.values(), default=0), -2, "<i4")  # of a label's text; no row has -2
    index_of[[texts[name] for name in names if name in texts]] = [index for index, name in enumerate(names) if name in texts]
    (rows,) = connection.execute(
        "SELECT count(DISTINCT row) FROM entry WHERE id <= ? AND substr(?, 4 * row + 1, 4) = substr(?, 4 * label + 1, 4)",
        (until, labels.astype("<i4").tobytes(), index_of.tobytes()),
    ).fetchone()
    return int(rows) == np.count_nonzero(labels >= 0)


def _rows_and_said(connection: sqlite3.Connection, last: int) -> tuple[Numbers, Numbers]:
    """Return the columns row and said (see `Entries`) of the entries 1..last.

    As one text of numbers, which SQLite joins and NumPy reads four times as fast as rows become Python's numbers.
    """
    table = np.empty((last, 3), dtype=np.int64)
    for start in range(0, last, _AT_ONCE):
        ids = np.arange(start + 1, min(start + _AT_ONCE, last) + 1)
        (text,) = connection.execute(
            "SELECT group_concat(id || ' ' || row || ' ' || coalesce(label, -state), ' ') FROM entry WHERE id BETWEEN ? AND ?",
            (int(ids[0]), int(ids[-1])),
        ).fetchone()
        part = np.fromstring(text, dtype=np.int64, sep=" ").reshape(-1, 3)
        table[ids - 1] = part[np.argsort(part[:, 0], kind="stable")]  # whichever order SQLite chose
    if not np.array_equal(table[:, 0], np.arange(1, last + 1)):
        raise ValueError("something that is not a number")
    return np.ascontiguousarray(table[:, 1]), np.ascontiguousarray(table[:, 2])


def _check(content: Content) -> None:
    entries, texts, _ = content
    sound = (
        (entries.row >= 0).all()
        and (entries.undoes < entries.id).all()
        and (entries.said > -len(STATES)).all()
        and all((of < len(texts)).all() for of in (entries.said, entries.who, entries.origin))
    )
    if not sound:
        raise sqlite3.DatabaseError("entries do not fit each other")


def next_entry(connection: sqlite3.Connection) -> int:
    """Return the id of the entry that comes next."""
    newest = connection.execute("SELECT first + entries FROM batch ORDER BY id DESC LIMIT 1").fetchone()
    return 1 if newest is None else int(newest[0])


def since(connection: sqlite3.Connection, entry: int) -> list[Stated]:
    """Return the entries after the one of this id, in their order."""
    found = connection.execute(
        "SELECT entry.row, entry.state, label.text, who.text, batch.settles, entry.undoes FROM entry "
        "JOIN batch ON batch.id = entry.batch LEFT JOIN text AS label ON label.id = entry.label "
        "LEFT JOIN text AS who ON who.id = batch.who WHERE entry.id > ? ORDER BY entry.id",
        (entry,),
    )
    return [
        Stated(row, STATES[state], label, who, bool(settles), undoes or 0) for row, state, label, who, settles, undoes in found
    ]


def last_link(connection: sqlite3.Connection) -> bytes:
    """Return the chain's newest link."""
    newest = connection.execute("SELECT chain FROM batch ORDER BY id DESC LIMIT 1").fetchone()
    return _BEGIN if newest is None else bytes(newest[0])


def numbers_of(connection: sqlite3.Connection, texts: Collection[str]) -> dict[str, int]:
    """Return the numbers of texts, new ones for those that the log does not hold yet."""
    wanted = [(text,) for text in sorted(texts)]
    connection.executemany("INSERT OR IGNORE INTO text (text) VALUES (?)", wanted)
    return {text: connection.execute("SELECT id FROM text WHERE text = ?", (text,)).fetchone()[0] for (text,) in wanted}


def chosen(content: Content, batch: int | Sequence[int] | None, rows: Numbers | None) -> Entries:
    """Return the entries that an undo is about."""
    entries, _, batches = content
    if rows is not None:
        entries = entries.take(np.isin(entries.row, rows))
        if batch is None:
            return entries.take((pd.Series(entries.batch).groupby(entries.row).transform("max") == entries.batch).to_numpy())
    if batch is None or isinstance(batch, int):
        asked = (batches[-1].id if batches else 0) if batch is None else batch
        at_once = ([one.id for one in same] for _, same in groupby(batches, key=lambda one: one.at))
        batch = next((ids for ids in at_once if asked in ids), [])
    return entries.take(np.isin(entries.batch, batch))


def moment(connection: sqlite3.Connection) -> str:
    """Return the time of what is entered now (UTC, ISO 8601), another one than that of the batch before it."""
    now = datetime.now(UTC)
    newest = connection.execute("SELECT at FROM batch ORDER BY id DESC LIMIT 1").fetchone()
    if newest is not None and newest[0] == now.isoformat(timespec="milliseconds"):
        now += timedelta(milliseconds=1)
    return now.isoformat(timespec="milliseconds")


def append(connection: sqlite3.Connection, head: Head, rows: Numbers, said: Numbers, undoes: Numbers, *, at: str) -> int:
    """Append a batch of at least one entry, within a writing transaction, and return its number; at: as `moment` gives it."""
    first, before = next_entry(connection), last_link(connection)
    numbers = numbers_of(connection, {text for text in (head.origin, head.who) if text is not None})
    texts = dict(connection.execute("SELECT id, text FROM text"))
    link = _link(before, head, at, (rows, said, undoes), texts)
    batch = connection.execute(
        "INSERT INTO batch (at, who, origin, note, settles, first, entries, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (at, numbers.get(head.who or ""), numbers[head.origin], head.note, int(head.settles), first, len(rows), link),
    ).lastrowid
    states = np.where(said > 0, LABELED, -said)
    columns = (rows, states, np.maximum(said, 0), undoes)
    entries = zip(range(first, first + len(rows)), *(column.tolist() for column in columns), strict=True)
    connection.executemany(
        f"INSERT INTO entry (id, batch, row, state, label, undoes) VALUES (?, {batch}, ?, ?, nullif(?, 0), nullif(?, 0))",
        entries,
    )
    assert batch is not None
    return batch


def is_whole(connection: sqlite3.Connection, content: Content) -> bool:
    """Return whether all that was ever appended is there as it was written."""
    entries, texts, batches = content
    (made,) = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'batch'").fetchone()
    astray = (
        "SELECT 1 FROM entry LEFT JOIN batch ON batch.id = entry.batch WHERE entry.id - first NOT BETWEEN 0 AND entries - 1"
    )
    if [batch.id for batch in batches] != [*range(1, made + 1)] or connection.execute(f"{astray} LIMIT 1").fetchone():
        return False
    named: dict[int, Any] = dict(enumerate(texts))
    link, first = _BEGIN, 1
    for batch in batches:
        part = slice(first - 1, first - 1 + batch.entries)
        head = Head(named[batch.origin], named[batch.who] if batch.who else None, batch.note, bool(batch.settles))
        link = _link(link, head, batch.at, (entries.row[part], entries.said[part], entries.undoes[part]), named)
        if batch.first != first or link != batch.chain:
            return False
        first += batch.entries
    return True


def _link(before: bytes, head: Head, at: str, columns: tuple[Numbers, Numbers, Numbers], texts: dict[int, Any]) -> bytes:
    """Return the SHA-256 that a batch adds to the chain: over the link before, and all that the batch says."""
    labels = {number: texts[number] for number in np.unique(columns[1]).tolist() if number > 0}
    digest = hashlib.sha256(before)
    digest.update(json.dumps([head, at, labels]).encode())
    for column in columns:
        digest.update(column.astype("<i8").tobytes())
    return digest.digest()
