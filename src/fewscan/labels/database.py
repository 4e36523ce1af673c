"""The file of a label log: its tables, how it is opened to read and to write, and SQLite's refusals in one clear line.

Readers see the log as it was when they began and never wait for writers (WAL mode). Writers wait for each other.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from threading import Lock

from fewscan.errors import FewscanError

KIND = 0x66734C42  # what SQLite's header calls a label log, so that another program's database is not taken for one
VERSION = 1
WAIT_SECONDS = 30.0

Reading = Callable[[], AbstractContextManager[sqlite3.Connection]]

# A view for people who look into the file with a program for SQLite; triggers, since nothing in a log is ever changed.
_SCHEMA = f"""
PRAGMA application_id = {KIND};
PRAGMA user_version = {VERSION};
CREATE TABLE about (images TEXT NOT NULL);
CREATE TABLE text (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    who INTEGER REFERENCES text,
    origin INTEGER NOT NULL REFERENCES text,
    note TEXT NOT NULL,
    settles INTEGER NOT NULL CHECK (settles IN (0, 1)),
    first INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    chain BLOB NOT NULL
);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL REFERENCES batch,
    row INTEGER NOT NULL CHECK (typeof(row) = 'integer' AND row >= 0),
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    label INTEGER REFERENCES text CHECK (CASE state WHEN 1 THEN typeof(label) = 'integer' ELSE label IS NULL END),
    undoes INTEGER REFERENCES entry CHECK (undoes < id)
);
CREATE VIEW history AS
    SELECT entry.id, entry.batch, entry.row, label.text AS label, who.text AS who, batch.at, origin.text AS origin, batch.note,
           entry.undoes,
           CASE entry.state WHEN 0 THEN 'none' WHEN 1 THEN 'label' WHEN 2 THEN 'unsure' ELSE 'not a scan' END state
    FROM entry JOIN batch ON batch.id = entry.batch JOIN text AS origin ON origin.id = batch.origin
    LEFT JOIN text AS label ON label.id = entry.label LEFT JOIN text AS who ON who.id = batch.who;
"""
_KEPT = "".join(
    f"CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'a label log only grows'); END;\n"
    for table in ("about", "text", "batch", "entry")
    for verb in ("UPDATE", "DELETE")
)


def make(path: Path, images: str) -> None:
    """Write an empty log to `path`, where no file or an empty one stands; images: what tells those that it is about."""
    with _one_line(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN;{_SCHEMA}{_KEPT}COMMIT;")
        connection.execute("INSERT INTO about VALUES (?)", (images,))


@contextmanager
def reading(path: Path, about: str | None = None) -> Iterator[sqlite3.Connection]:
    """Yield a connection that sees the log as it is now, whatever others write meanwhile.

    about: what tells the images that the log must be about from all others; None for whichever. Raises FewscanError where there
    is no log at `path` that this version can read, or it is about other images.

    Where one may not write into the folder, SQLite can read the file only as one that nobody changes. Whether somebody did is
    looked at afterwards, and is an error.
    """
    with _one_line(path):
        before = _stamp(path)
        alone = not os.access(path.parent, os.W_OK) and before[-1] == 0
        # Not mode=ro where writing is allowed: who only reads leaves SQLite's two files beside the log lying there.
        with closing(_connect(path, "mode=ro&immutable=1" if alone else _mode(path))) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            _require_log(connection, path, about)
            yield connection
        if alone and _stamp(path) != before:
            raise FewscanError(f"somebody else wrote to {path} in the meantime: try again")


@contextmanager
def kept_open(path: Path, about: str | None = None) -> Iterator[Reading]:
    """Keep a connection open, and yield what gives it to one thread at a time, in the place of `reading`.

    Others come and go at little cost meanwhile: the last one to close clears SQLite's files away. Whoever comes at that moment
    waits, and of many some wait for seconds. Nothing that was entered depends on it.
    """
    lock = Lock()
    with _one_line(path):
        connection = _connect(path, _mode(path), check_same_thread=False)
        _require_log(connection, path, about)

    @contextmanager
    def kept() -> Iterator[sqlite3.Connection]:
        with _one_line(path), lock:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                # What went wrong may have ended it already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    try:
        yield kept
    finally:
        with lock:
            connection.close()


@contextmanager
def writing(path: Path, about: str | None = None) -> Iterator[sqlite3.Connection]:
    """Yield a connection in a transaction that no other writer is in: all that is written in it counts, or nothing.

    about, and what is raised: as in `reading`.
    """
    with _one_line(path), closing(_connect(path, "mode=rw")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _require_log(connection, path, about)
        yield connection
        connection.execute("COMMIT")


def _require_log(connection: sqlite3.Connection, path: Path, about: str | None) -> None:
    kind, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if kind != KIND:
        raise FewscanError(f"{path} is not a label log: check the path, or restore the file that belongs there")
    if version != VERSION:
        raise FewscanError(f"{path} was written by another version of fewscan (its format is {version}): use that version")
    connection.execute("SELECT max(id) FROM batch").fetchone()
    if about is not None and connection.execute("SELECT images FROM about").fetchall() != [(about,)]:
        raise FewscanError(f"{path} has the labels of another dataset: restore the file that belongs there")


def _mode(path: Path) -> str:
    return "mode=rw" if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK) else "mode=ro"


def _connect(path: Path, how: str, *, check_same_thread: bool = True) -> sqlite3.Connection:
    _require(path)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=WAIT_SECONDS,
        isolation_level=None,
        check_same_thread=check_same_thread,
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _require(path: Path) -> None:
    """Raise the operating system's own error where the file is missing, or may not be read.

    It is not opened for that: to close a file drops all locks that this process has on it, those of other connections too.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    path.stat()
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _stamp(path: Path) -> tuple[int, int, int]:
    """Return when the log was last changed, its size, and that of what was written to it and lies beside it still."""
    beside = path.with_name(f"{path.name}-wal")
    try:
        return (path.stat().st_mtime_ns, path.stat().st_size, beside.stat().st_size if beside.exists() else 0)
    except FileNotFoundError:
        return (0, 0, 0)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise FewscanError(
            f"{path} is missing, and with it every label: restore a copy. If there is none, import the scans again into "
            "another folder and enter the labels as before; runs take that folder with --data"
        ) from None
    except PermissionError:
        raise FewscanError(f"no permission to read {path}") from None
    except OSError as error:
        raise FewscanError(f"cannot read {path}: {error.strerror or error}") from None
    except sqlite3.Error as error:
        raise FewscanError(f"{path} {_REASONS.get(_code(error), f'is damaged ({error}): restore a copy of it')}") from None


def _code(error: sqlite3.Error) -> int:
    """Return the primary code of SQLite's error; 0 where the error is the module's own."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


_REASONS = {
    sqlite3.SQLITE_BUSY: f"has been in use by another process for more than {WAIT_SECONDS:.0f} seconds: try again later",
    sqlite3.SQLITE_READONLY: "cannot be written: no permission",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened with the files beside it: no permission to write to its folder",
    sqlite3.SQLITE_PERM: "cannot be opened: no permission",
    sqlite3.SQLITE_IOERR: "could not be read or written: the disk may be full or failing; nothing was entered",
    sqlite3.SQLITE_FULL: "cannot be written: no disk space left; free some space",
    sqlite3.SQLITE_NOMEM: "cannot be read: not enough memory; close other programs",
}
