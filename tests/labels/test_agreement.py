"""Labels that contradict each other, by people and by copies."""

from pathlib import Path

import pandas as pd

from fewscan.labels.agreement import copies_that_differ, people_who_differ
from fewscan.labels.log import LABELS_FILE, LabelLog


def test_who_says_what_of_rows_that_people_differ_on(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / LABELS_FILE)
    log.enter([0, 1, 2, 3], ["unsure"] * 4, origin="folder")
    log.enter([0, 1, 2, 3], ["x", "x", "unsure", "x"], origin="review", who="Ada")
    log.enter([0, 1, 3], ["y", "x", "y"], origin="review", who="Grace")
    log.enter([2], [None], states=["unsure"], origin="review", who="Grace")
    log.enter([3], ["x"], origin="review", who="Grace", settles=True)
    found = people_who_differ(log, 4)
    assert found["row"].tolist() == [0, 0, 2, 2]
    assert found["who"].tolist() == ["Ada", "Grace"] * 2
    assert found["label"].fillna("-").tolist() == ["x", "y", "unsure", "-"]
    assert found["state"].tolist() == ["label", "label", "label", "unsure"], "a class may be called 'unsure'"
    assert sorted(found["row"].unique()) == log.current(4).query("disputed").index.tolist()


def test_what_one_batch_says_of_a_row_contradicts_itself_until_somebody_speaks(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / LABELS_FILE)
    log.enter([0, 0, 1, 2, 2], ["x", "y", "x", "z", "z"], origin="labels.csv")
    log.enter([1, 1], ["x", "y"], origin="ada.csv", who="Ada")
    found = people_who_differ(log, 3)
    told = found.assign(who=found["who"].fillna("-"))[["row", "who", "origin", "label"]].to_numpy().tolist()
    assert told == [
        [row, who, table, label] for row, who, table in ((0, "-", "labels.csv"), (1, "Ada", "ada.csv")) for label in "xy"
    ]
    assert log.current(3)["label"].fillna("-").tolist() == ["-", "-", "z"]
    # What was entered at once is taken back at once.
    batch = log.undo(rows=[1])
    assert log.current(3)["label"].fillna("-").tolist() == ["-", "x", "z"]
    log.undo(batch)
    log.enter([0, 1], ["y", "y"], origin="review", who="Ada")
    assert log.current(3)["label"].tolist() == ["y", "y", "z"]
    assert len(people_who_differ(log, 3)) == 0


def test_copies_with_different_labels() -> None:
    labels = pd.Series(["x", "y", "x", "x", None, "y", "z"], dtype="str")
    copy_sets = pd.Series([0, 0, 1, 1, 2, 2, None], dtype="Int64")
    found = copies_that_differ(labels, copy_sets)
    assert found[["copy_set", "row", "label"]].to_numpy().tolist() == [[0, 0, "x"], [0, 1, "y"]]
    # Numbers as people are told them, not 0.0.
    assert [str(number) for number in found["copy_set"]] == ["0", "0"]
    assert len(copies_that_differ(labels, pd.Series([None] * 7, dtype="Int64"))) == 0
