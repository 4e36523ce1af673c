"""The label log: what people, folders and tables said of each row of a dataset. It only grows; the newest entry holds."""

import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.atomic import refuse_existing, replaced_file
from fewscan.errors import FewscanError
from fewscan.labels import content, database
from fewscan.labels.content import LABELED, STATES, Head, State, Stated
from fewscan.labels.standing import Numbers, live, standing, voices
from fewscan.labels.teaching import chosen_by_network, only_teaching

__all__ = ["LABELS_FILE", "STATES", "UNDO", "LabelLog", "State", "person_name"]

LABELS_FILE = "labels.db"
UNDO = "undo"  # the origin of entries that take others back

Rows = Sequence[int] | npt.NDArray[np.integer[Any]]


class Held(NamedTuple):
    """What holds of rows 0..count-1, a column each, as in `Entries`: `texts[number]` is what a number of a text stands for."""

    said: Numbers
    origin: Numbers
    who: Numbers
    entry: Numbers  # the id that says so, 0 for none
    disputed: npt.NDArray[np.bool_]
    only_teaches: npt.NDArray[np.bool_]  # a network chose the row to be answered: see `teaching`
    texts: pd.api.extensions.ExtensionArray
    last: int  # the id of the newest entry that was looked at, 0 where there is none


@dataclass(frozen=True)
class LabelLog:
    """An append-only log of labels, one SQLite file.

    An entry without a person, or one that `settles`, speaks for the dataset and replaces all before it. After it what each
    person said last counts. Where this differs, or what one batch says at once, the row is disputed, and has no label.
    """

    path: Path
    about: str | None = field(default=None, compare=False, repr=False, kw_only=True)  # what `open` asks for, at each look
    kept: database.Reading | None = field(default=None, compare=False, repr=False, kw_only=True)  # see `kept_open`

    @classmethod
    def create(cls, path: Path, images: str = "") -> Self:
        """Make a new, empty log. images: what tells the dataset's images from all others, which `open` can ask for.

        Raises FewscanError where a file stands there already, or none can be written.
        """
        refuse_existing(path)
        with replaced_file(path) as temporary:
            temporary.touch()  # with the rights of other new files: SQLite lets only the owner write to what it makes
            database.make(temporary, images)
        return cls(path, about=images)

    @classmethod
    def open(cls, path: Path, images: str | None = None) -> Self:
        """Open a log. Raises FewscanError where it is missing, damaged, of another version, or not about these `images`."""
        log = cls(path, about=images)
        with log._reading():
            return log

    def enter(
        self,
        rows: Rows,
        labels: Sequence[str | None],
        *,
        states: Sequence[State] | None = None,
        origin: str | Sequence[str],
        who: str | None = None,
        note: str = "",
        settles: bool = False,
    ) -> int:
        """Append an entry for each of `rows`, all or none, and return the number of this batch; 0 where there are no rows.

        origin: of all, or of each; then those of one origin are a batch, at the same moment, and the last one's number is
        returned.
        labels: names of classes, None for a state that is no label. states: None for "label" where there is a label and "none"
        where there is none. An origin is folder, file, review, check, audit or the name of a table. who: the person that says
        so, None where no one does.

        Raises FewscanError where these do not fit each other, and where the log cannot be written.
        """
        numbers = _row_numbers(rows)
        states = ["none" if label is None else "label" for label in labels] if states is None else states
        origins = [origin] * len(numbers) if isinstance(origin, str) else list(origin)
        _check_entries(numbers, labels, states, origins)
        who = person_name(who)
        if len(numbers) == 0:
            return 0
        codes = {state: -number for number, state in enumerate(STATES)}
        with database.writing(self.path, self.about) as connection:
            names = content.numbers_of(connection, {label for label in labels if label is not None})
            said = [codes[state] if label is None else names[label] for label, state in zip(labels, states, strict=True)]
            columns, batch = np.column_stack([numbers, np.array(said, np.int64), np.zeros_like(numbers)]), 0
            at = content.moment(connection)
            for one in dict.fromkeys(origins):
                of = columns[[each == one for each in origins]]
                batch = content.append(connection, Head(one, who, note, settles), *of.T, at=at)
            return batch

    def undo(
        self, batch: int | Sequence[int] | None = None, rows: Rows | None = None, *, who: str | None = None, note: str = ""
    ) -> int:
        """Append entries that take others back, and return the number of this batch, which can be undone in its turn.

        Takes back the entries of a batch, by itself the newest, and of those that were entered with it, or of just the batches
        in a list; of `rows`, what the newest batch about each says of it; of both, the batch's entries of these rows.
        Raises FewscanError where there is nothing to take back.
        """
        numbers = None if rows is None else _row_numbers(rows)
        head = Head(UNDO, person_name(who), note)
        with database.writing(self.path, self.about) as connection:
            read = content.read(connection)
            entries, chosen = read.entries, content.chosen(read, batch, numbers)
            taken = entries.take(np.isin(entries.id, chosen.id) & live(entries))
            if len(taken.id) == 0:
                why = "was already taken back" if len(chosen.id) else "is not in the log"
                raise FewscanError(f"{self.path}: nothing to take back, because it {why}")
            return content.append(connection, head, taken.row, np.zeros_like(taken.id), taken.id, at=content.moment(connection))

    def entries(self, rows: Rows | None = None) -> pd.DataFrame:
        """Return the entries of all rows, or of some, in their order.

        Columns: id, batch, row, state, label, who, at (UTC, ISO 8601), origin, note, settles, undoes, undone. An entry with
        `undoes` takes that one back, and says nothing itself; one that is `undone` was taken back.
        """
        entries, texts, batches = self._read()
        undone = ~live(entries)
        if rows is not None:
            chosen = np.isin(entries.row, _row_numbers(rows))
            entries, undone = entries.take(chosen), undone[chosen]
        table = pd.DataFrame({"id": entries.id, "batch": entries.batch, "row": entries.row, "state": _state(entries.said)})
        table = table.assign(label=_label(texts, entries.said), who=texts.take(entries.who))
        said = {
            name: pd.array([getattr(batch, name) for batch in batches], dtype="str").take(entries.batch - 1)
            for name in ("at", "note")
        }
        table = table.assign(at=said["at"], origin=texts.take(entries.origin), note=said["note"], settles=entries.settles > 0)
        return table.assign(undoes=pd.Series(entries.undoes).astype("Int64").where(entries.undoes > 0), undone=undone)

    def current(self, count: int, until: int | None = None) -> pd.DataFrame:
        """Return what holds of the rows 0..count-1, an index of that length; until: as of this entry, by its id.

        Columns: state ("none" where nothing was said), label, origin, who, entry (the id that says so, 0 for none), disputed.
        A disputed row has the state "none", and neither label, origin nor who; its entry is the newest of those that differ.
        """
        held = self.held(count, until)
        texts = held.texts
        columns = {"state": _state(held.said), "label": _label(texts, held.said)}
        columns |= {"origin": texts.take(held.origin), "who": texts.take(held.who)}
        return pd.DataFrame({**columns, "entry": held.entry, "disputed": held.disputed})

    def held(self, count: int, until: int | None = None) -> Held:
        """Return the same as numbers."""
        entries, texts, batches = self._read(until)
        by_network = [chosen_by_network(str(texts[batch.origin]), batch.note) for batch in batches]
        teaching = only_teaching(entries, by_network, count)
        holds = standing(entries, count)
        said = (holds.entry > 0) & ~holds.disputed
        at = np.searchsorted(entries.id, holds.entry[said])

        def of(column: Numbers) -> Numbers:
            values = np.zeros(count, dtype=np.int64)
            values[said] = column[at]
            return values

        columns = (of(entries.said), of(entries.origin), of(entries.who), holds.entry, holds.disputed, teaching)
        return Held(*columns, texts, last=int(entries.id[-1]) if len(entries.id) else 0)

    def disputed(self, count: int) -> npt.NDArray[np.bool_]:
        """Return `(count,)` whether different things are said of a row, as in `current`, and in half its time."""
        return standing(self._read().entries, count).disputed

    def voices(self, count: int) -> pd.DataFrame:
        """Return what each person said last of the rows 0..count-1 since the dataset last spoke, or how it contradicts itself.

        Columns: row, state, label, who (null: the dataset), origin, entry; a line for each thing that was said at once.
        """
        entries, texts, _ = self._read()
        _, said = voices(entries, count)
        table = pd.DataFrame({"row": said.row, "state": _state(said.said), "label": _label(texts, said.said)})
        return table.assign(who=texts.take(said.who), origin=texts.take(said.origin), entry=said.id)

    @property
    def last(self) -> int:
        """The id of the newest entry, 0 where there is none."""
        with self._reading() as connection:
            return content.next_entry(connection) - 1

    def has_said(self, labels: Numbers, names: Sequence[str], until: int) -> bool:
        """Return whether entries up to `until` said each row's label, (N,) index in `names`, -1 for none; see `content`."""
        with self._reading() as connection:
            return content.has_said(connection, labels, names, until)

    def since(self, entry: int) -> list[Stated] | None:
        """Return the entries after the one of this id, in their order; None where there is no entry of this id."""
        with self._reading() as connection:
            last = content.next_entry(connection) - 1
            return None if last < entry else content.since(connection, entry) if last > entry else []

    @property
    def rows(self) -> int:
        """How many rows there are at least, by the last one that anything was said of."""
        with database.reading(self.path, self.about) as connection:
            return int(connection.execute("SELECT coalesce(max(row) + 1, 0) FROM entry").fetchone()[0])

    @property
    def fingerprint(self) -> str:
        """A SHA-256 over all entries, in their order, and all that was entered with them."""
        with database.reading(self.path, self.about) as connection:
            return content.last_link(connection).hex()

    @contextmanager
    def kept_open(self) -> Iterator[Self]:
        """Yield the same log for who asks and writes it often: a question costs a tenth, from whichever thread."""
        with database.kept_open(self.path, self.about) as reading:
            yield replace(self, kept=reading)

    def verify(self) -> None:
        """Raise FewscanError where an entry was changed or removed since it was written, or the file is damaged."""
        with database.reading(self.path, self.about) as connection:
            if (said := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                raise FewscanError(f"{self.path} is damaged ({' '.join(said.split())}): restore a copy of it")
            if not content.is_whole(connection, content.read(connection)):
                raise FewscanError(f"{self.path} was changed after fewscan wrote it: restore a copy of it")

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return database.reading(self.path, self.about) if self.kept is None else self.kept()

    def _read(self, until: int | None = None) -> content.Content:
        with self._reading() as connection:
            return content.read(connection, until)


def _state(said: Numbers) -> pd.api.extensions.ExtensionArray:
    return pd.array(STATES, dtype="str").take(np.where(said > 0, LABELED, -said))


def _label(texts: pd.api.extensions.ExtensionArray, said: Numbers) -> pd.api.extensions.ExtensionArray:
    return texts.take(np.maximum(said, 0))


def _row_numbers(rows: Rows) -> Numbers:
    numbers = np.asarray(rows)
    if numbers.ndim != 1 or (len(numbers) and (numbers.dtype.kind not in "iu" or numbers.min() < 0)):
        raise FewscanError("give rows as one list of whole numbers from 0")
    return numbers.astype(np.int64)


def _check_entries(rows: Numbers, labels: Sequence[str | None], states: Sequence[State], origins: Sequence[str]) -> None:
    for origin in dict.fromkeys(origins):
        if _is_text(origin):
            continue
        raise FewscanError(f"{origin!r} does not say where labels come from: give that as text")
    if not len(rows) == len(labels) == len(states) == len(origins):
        raise FewscanError(
            f"{len(rows)} rows, {len(labels)} labels, {len(states)} states and {len(origins)} origins: give equally many"
        )
    for label, state in zip(labels, states, strict=True):
        if state not in STATES:
            raise FewscanError(f"an entry's state must be one of {', '.join(STATES)}, not '{state}'")
        if (state == "label") != (label is not None):
            raise FewscanError(f"an entry that is '{state}' must have {'a' if label is None else 'no'} label")
        if label is not None and not _is_text(label):
            raise FewscanError(f"{label!r} is not a label: give the name of a class, as text")


def _is_text(text: Any) -> bool:
    return isinstance(text, str) and text != "" and text == text.encode(errors="ignore").decode()


def person_name(name: str | None) -> str | None:
    """Return a person's name as records hold it: trimmed, and a letter with its accent in one piece (Unicode's NFC).

    Raises FewscanError for what is no name.
    """
    if name is None:
        return None
    trimmed = unicodedata.normalize("NFC", name).strip()
    if not trimmed or not trimmed.isprintable():
        raise FewscanError(f"{name!r} is not a person's name: write printable letters")
    return trimmed
