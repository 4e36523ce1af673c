"""What a page knows after its own entries is what it would read in the log."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.datasets.dataset import Dataset
from fewscan.labels.log import LabelLog
from fewscan.reviewing.app import Review
from fewscan.reviewing.board import Board, Said
from fewscan.reviewing.suggestions import open_now
from tests.reviewing.conftest import CLASSES

ROWS = 4
SAID = st.sampled_from([Said("label", "a"), Said("label", "b"), Said("unsure", None), Said("none", None)])
# Also of a row that was added meanwhile.
STEP = st.tuples(st.sets(st.integers(0, ROWS), min_size=1), SAID, st.sampled_from(["Ada", "Grace", None]), st.booleans())


def same(one: Board, other: Board) -> bool:
    columns = all((getattr(one, name) == getattr(other, name)).all() for name in ("states", "labels", "disputed"))
    return columns and (one.voices, one.tables) == (other.voices, other.tables) and one.entry == other.entry


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(STEP, max_size=6))
def test_a_board_after_entries_is_the_board_that_is_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[set[int], Said, str | None, bool]]
) -> None:
    log = LabelLog.create(tmp_path_factory.mktemp("log") / "labels.db")
    log.enter([0, 1], ["a", "c"], origin="folder")
    board = Board.read(log, ROWS)
    for rows, said, who, settles in steps:
        named = sorted(rows)
        log.enter(named, [said.label] * len(named), states=[said.state] * len(named), origin="review", who=who, settles=settles)
        new = log.since(board.entry)
        assert new is not None
        after = board.after(new)
        assert after is not None
        assert same(after, Board.read(log, ROWS))
        board = after


def test_a_table_that_contradicts_itself_is_shown_to_who_settles_it(client: TestClient, dataset: Dataset) -> None:
    dataset.labels.enter([3, 3, 5, 5], [*CLASSES] * 2, origin="labels.csv")
    dataset.labels.enter([5, 5], [*CLASSES], origin="ada.csv", who="Ada")

    def look(row: int, reviewer: str = "Grace") -> dict:
        return dict(client.get(f"/api/scans/{row}", params={"reviewer": reviewer, "reading": "settle"}).json())

    waiting = client.get("/api/next", params={"reviewer": "Grace", "reading": "settle", "count": 9}).json()["scans"]
    assert [one["row"] for one in waiting] == [3, 5]
    assert [look(3)["others"], look(5)["others"]] == [{who: "|".join(CLASSES)} for who in ("labels.csv", "Ada")]
    assert look(3)["holds"] is None
    settled = {"rows": [3], "state": "label", "label": CLASSES[0], "reviewer": "Grace", "reading": "settle", "settles": True}
    assert client.post("/api/decisions", json=settled).status_code == 200
    assert (look(3)["holds"], look(3)["others"], look(3)["disputed"]) == (CLASSES[0], {}, False)


def test_a_board_of_entries_that_contradict_each_other_is_read(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / "labels.db")
    board = Board.read(log, ROWS)
    log.enter([0, 0], ["a", "b"], origin="labels.csv")
    new = log.since(board.entry)
    assert new is not None
    assert board.after(new) is None
    board = Board.read(log, ROWS)
    log.enter([0], ["a"], origin="review", who="Ada")
    new = log.since(board.entry)
    assert new is not None
    after = board.after(new)
    assert after is not None
    assert same(after, Board.read(log, ROWS))


def test_a_board_knows_nothing_of_what_was_taken_back_or_is_no_more(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / "labels.db")
    log.enter([0], ["a"], origin="review", who="Ada")
    board = Board.read(log, ROWS)
    assert log.since(board.entry) == []
    assert board.after([]) is board
    log.undo(who="Ada")
    new = log.since(board.entry)
    assert new is not None
    assert board.after(new) is None
    assert log.since(5) is None


def test_what_others_entered_meanwhile_is_read(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = review.desk
    desk.decide([3], Said("label", "glioma"), "Ada", {})
    desk.dataset.labels.enter([5], ["meningioma"], origin="table")
    desk.decide([4], Said("label", "glioma"), "Ada", {})
    assert desk.board().labels[[3, 4, 5]].tolist() == ["glioma", "glioma", "meningioma"]
    # By another process, between the entry and the look at what the log holds then.
    enter = desk._enter

    def entered_with(*asked: object) -> int:
        batch = enter(*asked)  # type: ignore[arg-type]
        desk.dataset.labels.enter([6], ["meningioma"], origin="table")
        return batch

    monkeypatch.setattr(desk, "_enter", entered_with)
    desk.decide([7], Said("unsure", None), "Ada", {})
    assert np.flatnonzero(desk.board().answered).tolist() == [3, 4, 5, 6, 7]


def test_an_empty_log_says_nothing(tmp_path: Path) -> None:
    board = Board.read(LabelLog.create(tmp_path / "labels.db"), 3)
    assert not board.answered.any()
    assert board.voices == {}


def test_a_log_that_is_kept_open_is_asked_and_written_as_ever_and_whole_afterwards(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / "labels.db")
    with log.kept_open() as kept:
        assert kept.last == 0
        log.enter([0], ["a"], origin="review", who="Ada")
        assert LabelLog.open(tmp_path / "labels.db").last == kept.last == 1
        log.enter([1], ["b"], origin="review", who="Grace")
        with ThreadPoolExecutor(1) as another:
            assert another.submit(lambda: [entry.label for entry in kept.since(1) or []]).result() == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["labels.db"]
    assert Board.read(log, 2).labels.tolist() == ["a", "b"]


ANOTHER_PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT max(id) FROM batch").fetchone()
connection.close()
"""


def test_another_program_does_not_clear_away_what_a_log_that_is_kept_open_needs(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / "labels.db")
    with log.kept_open() as kept:
        # Beside the connection that is kept this process has others, which come and go.
        log.enter([0], ["a"], origin="review", who="Ada")
        assert log.last == 1
        subprocess.run([sys.executable, "-c", ANOTHER_PROGRAM, log.path], check=True)
        assert {path.name for path in tmp_path.iterdir()} == {"labels.db", "labels.db-wal", "labels.db-shm"}
        log.enter([1], ["b"], origin="review", who="Grace")
        assert [entry.label for entry in kept.since(0) or []] == ["a", "b"]
    assert Board.read(log, 2).labels.tolist() == ["a", "b"]


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=12), st.data())
def test_a_scan_is_asked_for_where_neither_it_nor_a_copy_has_an_answer(copies: list[int], data: st.DataObject) -> None:
    count = len(copies)
    rows = st.sets(st.integers(0, count - 1))
    eligible, answered = (np.isin(np.arange(count), sorted(data.draw(rows))) for _ in range(2))
    states = np.where(answered, "unsure", "none").astype(object)
    board = Board(1, states, np.full(count, None, object), np.zeros(count, bool), {}, {})
    desk = SimpleNamespace(snapshot=SimpleNamespace(copy_sets=np.array(copies)), eligible=eligible)
    same = [[a == b or copies[a] == copies[b] >= 0 for b in range(count)] for a in range(count)]
    expected = [eligible[a] and not any(answered[b] for b in range(count) if same[a][b]) for a in range(count)]
    assert open_now(desk, board).tolist() == expected  # type: ignore[arg-type]


def test_who_reads_again_gets_what_others_alone_have_said(review: Review) -> None:
    desk = review.desk
    for row, who, label in [(1, "Ada", "glioma"), (2, "Grace", "glioma"), (3, "Ada", "glioma"), (3, "Grace", "glioma")]:
        desk.decide([row], Said("label", label), who, {})
    for who in ("Ada", "Carl"):
        desk.decide([5], Said("label", CLASSES[who == "Ada"]), who, {})
    board = desk.board()
    assert {who: sorted(board.heard_of_others(who)) for who in ("Ada", "Grace", "Bo")} == {
        "Ada": [2],
        "Grace": [1],
        "Bo": [1, 2, 3],
    }
    assert sorted(review.queue.to_read_again(board, "Bo")) == [1, 2, 3]
