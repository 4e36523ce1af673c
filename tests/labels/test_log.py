"""The label log: what holds, by known answers and by a slow oracle; several writers, kills, damage."""

import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.errors import FewscanError
from fewscan.labels.log import LABELS_FILE, LabelLog
from fewscan.processes import processes
from tests.forks import LOADED


def another(target: Callable[..., object], *arguments: object) -> BaseProcess:
    """A process of its own; not a fork of this one, which would lack threads that hold a lock just then."""
    process = processes(LOADED).Process(target=target, args=arguments)  # type: ignore[attr-defined]
    process.start()
    return process


@pytest.fixture
def log(tmp_path: Path) -> LabelLog:
    """An empty log."""
    return LabelLog.create(tmp_path / LABELS_FILE)


def hold(log: LabelLog, rows: int, until: int | None = None) -> list[str]:
    """What holds of each of the first rows: its label, its state where that is no label, or "disputed"."""
    now = log.current(rows, until)
    assert ((now["state"] == "label") == now["label"].notna()).all()
    assert (now["state"][now["disputed"]] == "none").all()
    assert (log.disputed(rows) == now["disputed"]).all() or until is not None
    assert now.loc[now["disputed"], ["origin", "who"]].isna().all(axis=None)
    return now["label"].fillna(now["state"]).mask(now["disputed"], "disputed").tolist()


def holds(log: LabelLog, row: int, until: int | None = None) -> str:
    """What holds of one row."""
    return hold(log, row + 1, until)[row]


def test_an_empty_log_says_nothing_of_any_row(log: LabelLog) -> None:
    now = log.current(3)
    assert list(now.columns) == ["state", "label", "origin", "who", "entry", "disputed"]
    assert list(now.index) == [0, 1, 2]
    assert (now["state"] == "none").all()
    assert now[["label", "origin", "who"]].isna().all(axis=None)
    assert (now["entry"] == 0).all()
    assert not now["disputed"].any()
    assert log.last == 0
    assert len(log.entries()) == 0
    assert len(log.current(0)) == 0
    log.verify()


def test_the_newest_entry_holds_and_the_others_stay(log: LabelLog) -> None:
    assert log.enter([0, 2], ["glioma", "pituitary"], origin="folder") == 1
    assert log.enter([2], ["meningioma"], origin="table.csv", who="Ada", note="seen twice") == 2
    now = log.current(4)
    assert now["label"].fillna("-").tolist() == ["glioma", "-", "meningioma", "-"]
    assert now["origin"].fillna("-").tolist() == ["folder", "-", "table.csv", "-"]
    assert now["who"].fillna("-").tolist() == ["-", "-", "Ada", "-"]
    assert now["entry"].tolist() == [1, 0, 3, 0]
    entries = log.entries()
    assert entries["label"].tolist() == ["glioma", "pituitary", "meningioma"]
    assert entries["batch"].tolist() == [1, 1, 2]
    assert entries["note"].tolist() == ["", "", "seen twice"]
    assert pd.to_datetime(entries["at"]).dt.tz is not None
    assert log.entries([2])["id"].tolist() == [2, 3]
    assert log.last == 3


@pytest.mark.parametrize("state", ["none", "unsure", "not a scan"])
def test_states_without_a_label(log: LabelLog, state: str) -> None:
    log.enter([0, 1], ["glioma", "unsure"], origin="folder")
    log.enter([0], [None], states=[state], origin="review", who="Ada")  # type: ignore[list-item]
    assert holds(log, 0) == state
    assert log.current(2)["state"].tolist() == [state, "label"], "a class may have the name of a state"


def test_a_label_of_none_takes_the_label_away(log: LabelLog) -> None:
    log.enter([0], ["glioma"], origin="folder")
    log.enter([0], [None], origin="table.csv")
    assert holds(log, 0) == "none"
    assert log.current(1)["entry"].tolist() == [2]


@pytest.mark.slow
def test_people_who_differ_dispute_a_row_until_it_is_settled(log: LabelLog) -> None:
    log.enter([0], ["glioma"], origin="folder")
    log.enter([0], ["pituitary"], origin="review", who="Ada")
    assert holds(log, 0) == "pituitary", "one person corrects what the folder says"
    log.enter([0], ["meningioma"], origin="review", who="Grace")
    assert holds(log, 0) == "disputed"
    log.enter([0], ["meningioma"], origin="review", who="Ada")
    assert holds(log, 0) == "meningioma", "each person's newest entry counts"
    log.enter([0], [None], states=["unsure"], origin="review", who="Grace")
    assert holds(log, 0) == "disputed"
    log.enter([0], ["glioma"], origin="review", who="Edith", settles=True)
    assert holds(log, 0) == "glioma"
    log.enter([0], ["pituitary"], origin="review", who="Ada")
    assert holds(log, 0) == "pituitary", "what was said before it was settled counts no more"
    log.enter([0], ["glioma"], origin="table.csv")
    assert holds(log, 0) == "glioma", "a table of nobody's speaks for the dataset"


def test_what_held_as_of_an_earlier_entry(log: LabelLog) -> None:
    for label in ("glioma", "pituitary", "meningioma"):
        log.enter([0], [label], origin="folder")
    log.undo()
    assert [holds(log, 0, until) for until in range(5)] == ["none", "glioma", "pituitary", "meningioma", "pituitary"]


def test_whether_a_log_has_said_labels(log: LabelLog) -> None:
    names = ["glioma", "no_tumor", "never"]
    log.enter([3, 0, 1], ["glioma", "no_tumor", "other"], origin="folder")
    first = log.last
    log.enter([0], ["glioma"], origin="review", who="Ada")
    log.undo()
    for labels, until, said in (
        ([1, -1, -1, 0], first, True),
        ([-1, -1, -1, -1], first, True),
        ([0, -1, -1, 0], first, False),  # said later
        ([0, -1, -1, 0, -1], first + 1, True),  # and taken back after that
        ([-1, 0, -1, -1], first, False),
        ([-1, -1, 0, -1], first, False),
        ([2, -1, -1, -1], first, False),
        ([1, -1, -1, 0], log.last + 1, False),
    ):
        assert log.has_said(np.array(labels), names, until) == said, (labels, until)


def test_undo_and_undo_of_undo(log: LabelLog) -> None:
    log.enter([0, 1], ["glioma", "glioma"], origin="folder")
    log.enter([0], ["pituitary"], origin="review", who="Ada")
    assert log.undo(who="Ada") == 3
    assert holds(log, 0) == "glioma"
    log.undo(3)
    assert holds(log, 0) == "pituitary"
    with pytest.raises(FewscanError, match="already"):
        log.undo(3)
    log.undo(1)
    assert (holds(log, 0), holds(log, 1)) == ("pituitary", "none")
    log.undo(rows=[0])
    assert holds(log, 0) == "pituitary", "the newest entry of row 0 was the one that took batch 1 back"
    log.undo(batch=2, rows=[0, 1])
    assert holds(log, 0) == "glioma"
    assert log.entries()["undoes"].tolist()[-1] == 3
    log.verify()


def test_nothing_to_undo(log: LabelLog) -> None:
    for ask in (log.undo, lambda: log.undo(7), lambda: log.undo(rows=[3])):
        with pytest.raises(FewscanError, match="nothing to take back"):
            ask()
    assert log.last == 0


@pytest.mark.parametrize(
    "entry",
    [
        {"rows": [0, 1], "labels": ["a"]},
        {"rows": [0], "labels": ["a"], "states": ["unsure"]},
        {"rows": [0], "labels": [None], "states": ["label"]},
        {"rows": [0], "labels": [None], "states": ["maybe"]},
        {"rows": [-1], "labels": ["a"]},
        {"rows": [0.5], "labels": ["a"]},
        {"rows": [0], "labels": [""]},
        {"rows": [0], "labels": [3]},
        {"rows": [0], "labels": ["\ud800"]},
        {"rows": [0], "labels": ["a"], "who": " "},
        {"rows": [0], "labels": ["a"], "origin": ""},
    ],
)
def test_entries_that_make_no_sense_are_refused_whole(log: LabelLog, entry: dict[str, object]) -> None:
    with pytest.raises(FewscanError):
        log.enter(**({"origin": "folder"} | entry))  # type: ignore[arg-type]
    assert log.last == 0


@pytest.mark.parametrize(
    "name", ["'); DROP TABLE entry; --", 'a"b', "\N{SNOWMAN}\0\n", "01", "NA", " ", "label", "é", "e\N{COMBINING ACUTE ACCENT}"]
)
def test_any_text_is_a_label_and_an_origin(log: LabelLog, name: str) -> None:
    log.enter([0], [name], origin=name, note=name)
    now, entry = log.current(1).iloc[0], log.entries().iloc[0]
    assert [now["label"], now["origin"], entry["note"]] == [name] * 3
    log.verify()


def test_a_person_is_one_however_the_name_is_typed(log: LabelLog) -> None:
    log.enter([0], ["glioma"], origin="review", who="Zoé")
    log.enter([0], ["pituitary"], origin="review", who=" Zoe\N{COMBINING ACUTE ACCENT} ")
    assert holds(log, 0) == "pituitary"


# An entry: row, what is said ("x", "y", a state), who (0: nobody), settles; or an undo: of a batch, or of a row.
SAYS = st.tuples(st.integers(0, 2), st.sampled_from(["x", "y", "none", "unsure"]), st.integers(0, 3), st.booleans())
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.lists(SAYS, min_size=1, max_size=3)),
        st.tuples(st.just("undo batch"), st.integers(1, 8)),
        st.tuples(st.just("undo row"), st.integers(0, 2)),
    ),
    max_size=10,
)


class Oracle:
    """The rules again, entry by entry."""

    def __init__(self) -> None:
        self.entries: list[dict[str, object]] = []
        self.batches = 0

    def add(self, entries: list[dict[str, object]]) -> None:
        self.batches += 1
        self.entries += [entry | {"batch": self.batches} for entry in entries]

    def is_live(self, number: int) -> bool:
        return not any(entry.get("undoes") == number and self.is_live(later) for later, entry in enumerate(self.entries))

    def undo(self, wanted: list[int]) -> None:
        taken = [number for number in wanted if self.is_live(number)]
        if not taken:
            raise FewscanError("nothing to take back")
        self.add([{"row": self.entries[number]["row"], "undoes": number} for number in taken])

    def holds(self, row: int) -> object:
        batches: dict[object, list[dict[str, object]]] = {}
        for number, entry in enumerate(self.entries):
            if entry["row"] == row and "said" in entry and self.is_live(number):
                batches.setdefault(entry["batch"], []).append(entry)
        base, people = {"none"}, {}
        for batch in batches.values():
            said = {entry["said"] for entry in batch}
            if not batch[0]["who"] or batch[0]["settles"]:
                base, people = said, {}
            else:
                people[batch[0]["who"]] = said
        counts = set().union(*people.values()) if people else base
        return counts.pop() if len(counts) == 1 else "disputed"


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_what_holds_follows_the_rules_whatever_happened(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    log, oracle = LabelLog.create(tmp_path_factory.mktemp("log") / LABELS_FILE), Oracle()
    answers = [[oracle.holds(row) for row in range(3)]]
    lasts = [0]
    for kind, what in steps:
        if kind == "enter":
            _, _, who, settles = what[0]
            rows, said = [row for row, *_ in what], [said for _, said, *_ in what]
            labels = [one if one in ("x", "y") else None for one in said]
            states = ["label" if one in ("x", "y") else one for one in said]
            log.enter(rows, labels, states=states, origin="o", who=f"p{who}" if who else None, settles=settles)
            oracle.add([{"row": row, "said": one, "who": who, "settles": settles} for row, one in zip(rows, said, strict=True)])
        else:
            newest = [number for number, entry in enumerate(oracle.entries) if entry["row"] == what]
            wanted = [number for number in newest if oracle.entries[number]["batch"] == oracle.entries[newest[-1]]["batch"]]
            if kind == "undo batch":
                wanted = [number for number, entry in enumerate(oracle.entries) if entry["batch"] == what]
            try:
                oracle.undo(wanted)
            except FewscanError:
                with pytest.raises(FewscanError, match="nothing to take back"):
                    log.undo(what) if kind == "undo batch" else log.undo(rows=[what])
            else:
                assert (log.undo(what) if kind == "undo batch" else log.undo(rows=[what])) == oracle.batches
        answers.append([oracle.holds(row) for row in range(3)])
        lasts.append(len(oracle.entries))
    assert log.last == len(oracle.entries)
    assert [hold(log, 3, until) for until in lasts] == answers
    log.verify()


def write_batches(path: Path, who: str, batches: int) -> None:
    log = LabelLog.open(path)
    for batch in range(batches):
        log.enter([batch, batch, batch], ["x", "y", "x"], origin="review", who=who, note=str(batch))


@pytest.mark.slow
def test_two_processes_that_write_at_once_lose_nothing(log: LabelLog) -> None:
    writers = [another(write_batches, log.path, who, 200) for who in ("Ada", "Grace")]
    while any(writer.is_alive() for writer in writers):
        log.current(200)  # a reader meanwhile
        time.sleep(0.05)
    assert [writer.exitcode for writer in writers] == [0, 0]
    entries = log.entries()
    assert entries["id"].tolist() == list(range(1, 1201))
    for who in ("Ada", "Grace"):
        of_one = entries[entries["who"] == who]
        assert of_one["note"].tolist() == [str(batch) for batch in range(200) for _ in range(3)]
        assert (of_one.groupby("batch")["label"].agg(list).map(tuple) == ("x", "y", "x")).all()
    log.verify()


def write_for_ever(path: Path, told: "multiprocessing.queues.SimpleQueue[int]") -> None:
    log = LabelLog.open(path)
    while True:
        told.put(log.enter(range(50), ["x"] * 50, origin="table.csv"))


@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_whole_batches_and_those_that_it_was_told_are_in(log: LabelLog) -> None:
    moments = random.Random(0)
    for _ in range(6):
        told = processes(LOADED).SimpleQueue()
        writer = another(write_for_ever, log.path, told)
        newest = told.get()
        time.sleep(moments.uniform(0, 0.05))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        while not told.empty():
            newest = told.get()
        sizes = log.entries().groupby("batch").size()
        assert (sizes == 50).all()
        assert len(sizes) in (newest, newest + 1)
        log.verify()
    log.enter([0], ["y"], origin="table.csv")
    assert holds(log, 0) == "y"


def test_a_reader_does_not_wait_for_a_writer_and_sees_what_was_whole(log: LabelLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fewscan.labels.database.WAIT_SECONDS", 0.0)  # one who would have to wait is refused
    log.enter([0], ["x"], origin="folder")
    with closing(sqlite3.connect(log.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO text (text) VALUES ('half')")
        assert holds(log, 0) == "x"


def test_a_writer_that_waited_in_vain_says_so(log: LabelLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fewscan.labels.database.WAIT_SECONDS", 0.05)
    with closing(sqlite3.connect(log.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(FewscanError, match="another process"):
            log.enter([0], ["x"], origin="folder")
    assert log.enter([0], ["x"], origin="folder") == 1


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write the folder and its files meanwhile."""
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("being_written", [False, True])
def test_a_log_in_a_folder_that_may_not_be_written_is_read_and_not_written(
    being_written: bool, tmp_path: Path, rights_count: None
) -> None:
    log = LabelLog.create(tmp_path / LABELS_FILE)
    log.enter([0], ["x"], origin="folder")
    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        if being_written:
            other.execute("SELECT * FROM text")  # so that what is written stays beside the log
            log.enter([0], ["y"], origin="folder")
        with read_only(tmp_path):
            before = sorted(tmp_path.iterdir())
            opened = LabelLog.open(log.path)
            assert holds(opened, 0) == ("y" if being_written else "x")
            opened.verify()
            with pytest.raises(FewscanError, match="permission"):
                opened.enter([0], ["z"], origin="folder")
            assert sorted(tmp_path.iterdir()) == before


def test_entries_that_lie_beside_a_log_and_cannot_be_read_are_told(tmp_path: Path, rights_count: None) -> None:
    log = LabelLog.create(tmp_path / "written.db")
    copy = tmp_path / "copy"
    copy.mkdir()
    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        other.execute("SELECT * FROM text")
        log.enter([0], ["x"], origin="folder")
        for name in ("", "-wal"):
            shutil.copy(f"{log.path}{name}", copy / f"{LABELS_FILE}{name}")
    # Without the newest entry it would be another log.
    with read_only(copy), pytest.raises(FewscanError, match="permission"):
        LabelLog.open(copy / LABELS_FILE)


def test_reading_leaves_no_files_beside_the_log(log: LabelLog) -> None:
    log.enter([0], ["x"], origin="folder")
    log.current(1)
    assert list(log.path.parent.iterdir()) == [log.path]


def test_a_log_is_never_made_over_another(log: LabelLog) -> None:
    with pytest.raises(FewscanError, match="exists"):
        LabelLog.create(log.path)


def test_what_is_no_log_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / LABELS_FILE
    with pytest.raises(FewscanError, match="missing"):
        LabelLog.open(path)
    for content in (b"", b"not a database" * 100):
        path.write_bytes(content)
        with pytest.raises(FewscanError, match=r"not a label log|damaged"):
            LabelLog.open(path)
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE entry (id)")
    with pytest.raises(FewscanError, match="not a label log"):
        LabelLog.open(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(FewscanError, match="cannot read"):
        LabelLog.open(path)


def test_another_version_is_refused(log: LabelLog) -> None:
    with closing(sqlite3.connect(log.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(FewscanError, match="version"):
        LabelLog.open(log.path)


@pytest.mark.slow
def test_no_damage_to_the_file_goes_unnoticed_or_ends_in_a_traceback(log: LabelLog) -> None:
    for batch in range(3):
        log.enter(range(300), [f"class {number % 5}" for number in range(300)], origin="folder", who=f"p{batch}")
    whole, before = log.path.read_bytes(), log.entries()
    draw = random.Random(1)
    noticed = 0
    for _ in range(60):
        damaged = bytearray(whole)
        at = draw.randrange(len(damaged))
        damaged[at : at + 4] = draw.randbytes(4)
        if draw.random() < 0.2:
            damaged = damaged[:at]
        log.path.write_bytes(damaged)
        try:
            LabelLog.open(log.path).verify()
            log.current(300)
        except FewscanError as error:
            noticed += "\n" not in str(error)
        else:
            # Parts of a file that nothing is in may hold anything.
            pd.testing.assert_frame_equal(log.entries(), before)
            noticed += 1
    assert noticed == 60


def tampered(path: Path, *changes: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for change in changes:
            connection.execute(change)


@pytest.mark.parametrize(
    "changes",
    [
        ["UPDATE entry SET label = 2 WHERE id = 1"],
        ["UPDATE entry SET row = 7 WHERE id = 3"],
        ["UPDATE entry SET batch = 1 WHERE id = 3"],
        ["UPDATE entry SET undoes = 1 WHERE id = 4"],
        ["UPDATE text SET text = 'z' WHERE text = 'x'"],
        ["UPDATE text SET text = 'Eve' WHERE text = 'Ada'"],
        ["UPDATE batch SET note = 'other' WHERE id = 1"],
        ["UPDATE batch SET at = '2020-01-01' WHERE id = 2"],
        ["UPDATE batch SET settles = 1 WHERE id = 2"],
        ["DELETE FROM entry WHERE id = 2"],
        ["DELETE FROM entry WHERE id = 4"],
        ["DELETE FROM entry WHERE batch = 2", "DELETE FROM batch WHERE id = 2"],
        ["INSERT INTO entry (id, batch, row, state) VALUES (5, 2, 0, 0)"],
        ["PRAGMA ignore_check_constraints = 1", "UPDATE entry SET label = 'x' WHERE id = 1"],
        ["PRAGMA ignore_check_constraints = 1", "UPDATE entry SET state = 9, label = NULL WHERE id = 1"],
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # NumPy's, of a text that is no number
def test_an_entry_that_was_changed_or_removed_is_found(log: LabelLog, changes: list[str]) -> None:
    log.enter([0, 1], ["x", "y"], origin="folder")
    log.enter([0, 1], ["y", "x"], origin="review", who="Ada")
    log.verify()
    tampered(log.path, *changes)
    with pytest.raises(FewscanError, match=r"changed|damaged"):
        log.verify()


@pytest.mark.parametrize("change", ["UPDATE entry SET row = 1", "DELETE FROM batch", "UPDATE text SET text = 'z'"])
def test_the_file_itself_refuses_changes(log: LabelLog, change: str) -> None:
    log.enter([0], ["x"], origin="folder")
    with closing(sqlite3.connect(log.path)) as connection, pytest.raises(sqlite3.IntegrityError, match="only grows"):
        connection.execute(change)


def test_the_fingerprint_changes_with_every_batch_and_with_nothing_else(log: LabelLog) -> None:
    seen = [log.fingerprint]
    for _ in range(3):
        log.enter([0], ["x"], origin="folder")
        assert log.fingerprint == LabelLog.open(log.path).fingerprint
        seen.append(log.fingerprint)
    assert len(set(seen)) == 4


def test_large_logs_are_read_in_parts_and_in_order(log: LabelLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fewscan.labels.content._AT_ONCE", 7)
    rows = np.random.default_rng(0).permutation(50)
    log.enter(rows, [f"of {row}" for row in rows], origin="folder")
    assert log.current(50)["label"].tolist() == [f"of {row}" for row in range(50)]
    log.verify()


@pytest.mark.parametrize("change", ["UPDATE entry SET row = -1 WHERE id = 1", "UPDATE entry SET row = 'x' WHERE id = 1"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # NumPy's, of a text that is no number
def test_entries_that_cannot_be_are_found_also_by_who_only_reads(log: LabelLog, change: str) -> None:
    log.enter([0, 1], ["x", "y"], origin="folder")
    tampered(log.path, "PRAGMA ignore_check_constraints = 1", change)
    with pytest.raises(FewscanError, match="damaged"):
        LabelLog.open(log.path).current(2)
