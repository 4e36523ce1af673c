"""Labels of a dataset: added, corrected, taken back, never wiped; what is disputed is left out."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.labels.changes import in_words
from fewscan.reviewing.readers import agreement
from tests.fixtures import CLASSES
from tests.made import empty_manifest, write_dataset
from tests.offered import offered_in


@pytest.fixture(scope="module")
def twelve(make_dataset: Callable[..., Snapshot]) -> Path:
    """A dataset of twelve images, whose path `CLASS/ROW.png` holds class and row."""
    return make_dataset(images=12).folder


@pytest.fixture
def dataset(twelve: Path, tmp_path: Path) -> Dataset:
    shutil.copytree(twelve, tmp_path / "dataset")
    return Dataset.open(tmp_path / "dataset")


def labels_of(dataset: Dataset) -> list[str | None]:
    return [None if pd.isna(label) else label for label in dataset.snapshot().manifest["label"]]


def table(dataset: Dataset, *lines: str) -> Path:
    place = dataset.folder.parent / "table.csv"
    place.write_text("\n".join(["path,label", *lines]) + "\n")
    return place


def test_a_table_adds_and_corrects_and_wipes_nothing(dataset: Dataset) -> None:
    before = labels_of(dataset)
    done = dataset.labels.set(table(dataset, "0000.png,pituitary", "0001.png,", "0002.png,no_tumor", "0003.png,new"))
    after = labels_of(dataset)
    assert after == ["pituitary", before[1], before[2], "new", *before[4:]]
    assert done.batch == 2
    assert done.new_classes == ("new",)
    assert dataset.snapshot().classes == tuple(sorted([*CLASSES, "new"]))
    assert done.summary()["changes"] == [
        {"before": "glioma", "after": "pituitary", "scans": 1, "examples": ["squares/glioma/0000.png"]},
        {"before": "pituitary", "after": "new", "scans": 1, "examples": ["squares/pituitary/0003.png"]},
    ]
    assert done.changes.unchanged == 1
    assert len(dataset.labels.entries()) == 14
    assert dataset.labels.set(table(dataset, "0000.png,pituitary")).batch == 0, "what holds already makes no entry"


def test_a_dry_run_says_the_same_and_enters_nothing(dataset: Dataset) -> None:
    said = table(dataset, "0000.png,pituitary", "nowhere.png,glioma")
    last = dataset.labels.last
    dry = dataset.labels.set(said, dry_run=True)
    assert (dry.batch, dataset.labels.last) == (None, last)
    wet = dataset.labels.set(said)
    assert dry.summary() | {"batch": 2, "disputed": 0} == wet.summary()


def test_people_who_differ_leave_a_scan_without_a_label_until_it_is_settled(dataset: Dataset) -> None:
    dataset.labels.set(table(dataset, "0000.png,pituitary"), who="Ada")
    done = dataset.labels.set([0, 1], "no_tumor", who="Grace")
    assert (done.disputed, labels_of(dataset)[:2]) == (1, [None, "no_tumor"])
    found = dataset.labels.conflicts().people
    assert found[["row", "who", "label"]].to_numpy().tolist() == [[0, "Ada", "pituitary"], [0, "Grace", "no_tumor"]]
    settled = dataset.labels.set(0, "glioma", who="Edith", settle=True)
    assert (settled.changes.settled, settled.disputed, labels_of(dataset)[0]) == (1, 0, "glioma")
    assert len(dataset.labels.conflicts().people) == 0


def test_what_becomes_disputed_is_said_to_before_and_when_it_is_entered(dataset: Dataset) -> None:
    dataset.labels.set([0, 1, 2], "pituitary", who="Ada")
    dataset.labels.set([2, 3], "glioma", who=" Grace ")
    dataset.labels.set(table(dataset, "0004.png,glioma", "0004.png,pituitary"))
    said = table(
        dataset, "0000.png,no_tumor", "0001.png,pituitary", "0002.png,pituitary", "0003.png,no_tumor", "0004.png,glioma"
    )
    dry, wet = (dataset.labels.set(said, who="Grace", dry_run=dry_run) for dry_run in (True, False))
    assert {(one["before"], one["after"], one["scans"]) for one in dry.summary()["changes"]} == {
        ("pituitary", "disputed", 1),
        ("disputed", "pituitary", 1),
        ("glioma", "no_tumor", 1),
        ("disputed", "glioma", 1),
    }
    assert dry.summary() | {"batch": wet.batch} == wet.summary()
    assert (dry.disputed, dry.changes.settled) == (1, 2)
    edith = dataset.labels.set([0, 5], "glioma", who="Edith")
    assert (edith.disputed, edith.summary()["still_disputed"], edith.summary()["changed"]) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(8))
def test_a_dry_run_says_what_will_hold(seed: int, dataset: Dataset) -> None:
    drawn = np.random.default_rng(seed)
    for _ in range(8):
        rows = drawn.integers(0, 4, 3).tolist()
        said = table(dataset, *(f"{row:04}.png,{drawn.choice([*CLASSES, 'unsure'])}" for row in rows))
        who = [None, "Ada", "Grace"][drawn.integers(3)]
        settle = bool(drawn.random() < 0.2)
        dry = dataset.labels.set(said, who=who, settle=settle, dry_run=True)
        before = in_words(dataset.labels.current(12))
        dataset.labels.set(said, who=who, settle=settle)
        now, told = dataset.labels.current(12), dict(zip(dry.changes.rows.tolist(), dry.changes.after, strict=True))
        assert before.to_dict() | told == in_words(now).to_dict()
        assert dry.disputed == now["disputed"].sum()


@pytest.mark.parametrize("first", ["Ada", "Grace"])
def test_of_two_readers_it_does_not_matter_whose_table_is_entered_first(first: str, dataset: Dataset) -> None:
    held = labels_of(dataset)
    read = {name: dict(enumerate(held)) for name in ("Ada", "Grace")}
    read["Ada"] |= {0: "no_tumor", 1: "no_tumor"}
    read["Grace"] |= {1: "no_tumor", 2: "glioma"}
    second = "Grace" if first == "Ada" else "Ada"
    for who in (first, second):
        lines = [f"{row:04}.png,{label}" for row, label in read[who].items()]
        dry = dataset.labels.set(table(dataset, *lines), who=who, reading=True, dry_run=True).summary()
        done = dataset.labels.set(table(dataset, *lines), who=who, reading=True)
        told = done.summary()
        assert told["changed"] + told["agreeing_readings"] == dry["changed"] + dry["agreeing_readings"] == 12
        assert sum(change["scans"] for change in told["changes"]) == told["changed"] == 2
    assert done.disputed == 2
    assert labels_of(dataset) == [None, "no_tumor", None, *held[3:]]
    assert dataset.labels.conflicts().people["row"].tolist() == [0, 0, 2, 2]
    assert dataset.labels.history(5)["who"].tolist()[1:] == [first, second]
    (pair,) = agreement(dataset.labels)
    assert (pair.one, pair.other, pair.both, pair.same) == ("Ada", "Grace", 12, 10)
    again = dataset.labels.set(table(dataset, *lines), who=second, reading=True)
    assert (again.batch, again.changes.unchanged) == (0, 12), "nobody reads a scan twice by one table"


def test_a_reading_is_one_persons_and_settles_nothing(dataset: Dataset) -> None:
    last = dataset.labels.last
    for how in ({}, {"who": "Ada", "settle": True}):
        with pytest.raises(FewscanError, match="one person"):
            dataset.labels.set(0, "glioma", reading=True, **how)
    assert dataset.labels.last == last


def test_states_take_a_scan_out_and_back_in(dataset: Dataset) -> None:
    dataset.labels.set([0, 1], state="not a scan")
    dataset.labels.set(2, state="unsure")
    dataset.labels.set(3, state="none")
    now = dataset.snapshot()
    assert labels_of(dataset)[:4] == [None] * 4
    assert sorted(set(range(12)) - set(now.usable)) == [0, 1]
    dataset.labels.set(0, "glioma")
    assert labels_of(dataset)[0] == "glioma"


def test_a_word_for_a_state_given_as_the_label_of_a_row_is_that_state(dataset: Dataset) -> None:
    classes = dataset.unsplit().classes
    done = dataset.labels.set([2, 3], ["Unsure", "not_a_scan"])
    assert done.new_classes == ()
    assert dataset.labels.current(4)["state"].tolist()[2:] == ["unsure", "not a scan"]
    assert dataset.unsplit().classes == classes


def test_undo_by_batch_and_by_scan(dataset: Dataset) -> None:
    before = labels_of(dataset)
    dataset.labels.set([0, 1], "pituitary")
    made = api.undo_labels(dataset, scan="0001.png")
    assert made["name"].tolist() == ["squares/meningioma/0001.png"]
    assert labels_of(dataset)[:2] == ["pituitary", before[1]]
    api.undo_labels(dataset, batch=2)
    assert labels_of(dataset) == before
    assert dataset.labels.batches()["undone"].tolist() == [0, 2, 0, 0]
    assert dataset.labels.batches()["undoes"].fillna(0).tolist() == [0, 0, 2, 2]


def test_the_history_of_a_scan_is_all_that_was_said_of_it(dataset: Dataset) -> None:
    dataset.labels.set(1, "pituitary", who="Ada", note="looked again")
    dataset.labels.undo(who="Grace")
    for scan in (1, "1", "0001.png", "meningioma/0001.png"):
        history = dataset.labels.history(scan)
        assert history["id"].tolist() == [2, 13, 14]
        assert history["who"].fillna("-").tolist() == ["-", "Ada", "Grace"]
        assert history["undone"].tolist() == [False, True, False]
    assert len(dataset.labels.history()) == 14
    with pytest.raises(FewscanError, match="no scan"):
        dataset.labels.history("nowhere.png")


def test_what_was_exported_is_taken_back_on_another_copy_of_the_dataset(dataset: Dataset, tmp_path: Path, twelve: Path) -> None:
    dataset.labels.set([0, 1], "pituitary", who="Ada")
    dataset.labels.set(2, state="unsure", who="Ada")
    out = tmp_path / "labels.csv"
    api.export_labels(dataset, out)
    assert "Ada" not in out.read_text()
    shutil.copytree(twelve, tmp_path / "other")
    other = Dataset.open(tmp_path / "other")
    assert len(other.labels.set(out).changes.rows) == 3
    assert labels_of(other) == labels_of(dataset)
    assert len(dataset.labels.set(out).changes.rows) == 0
    with pytest.raises(FewscanError, match="exists"):
        api.export_labels(dataset, out)
    api.export_labels(dataset, out, overwrite=True)
    api.export_labels(dataset, tmp_path / "book.xlsx")
    assert offered_in(tmp_path / "book.xlsx")["label"] == [*dataset.snapshot().classes, "unsure", "not a scan"]


def test_copies_with_different_labels_are_listed(tmp_path: Path, make_dataset: Callable[..., Snapshot]) -> None:
    pixels = make_dataset(images=4).pixels
    manifest = empty_manifest(4, label=["glioma", "pituitary", "glioma", None], copy_set=[0, 0, 1, 1], group=[0, 0, 1, 1])
    dataset = Dataset.open(write_dataset(tmp_path / "copies", pixels, manifest).folder)
    copies = dataset.labels.conflicts().copies
    assert copies is not None
    assert copies[["row", "label"]].to_numpy().tolist() == [[0, "glioma"], [1, "pituitary"]]
    dataset.labels.set(1, "glioma")
    assert len(dataset.labels.conflicts().copies) == 0  # type: ignore[arg-type]


def test_before_an_audit_nobody_knows_of_copies(tmp_path: Path, make_dataset: Callable[..., Snapshot]) -> None:
    folder = write_dataset(tmp_path / "new", make_dataset(images=4).pixels, empty_manifest(4), audited=False).folder
    assert Dataset.open(folder).labels.conflicts().copies is None


def test_an_image_that_cannot_be_used_gets_no_label(tmp_path: Path, make_dataset: Callable[..., Snapshot]) -> None:
    manifest = empty_manifest(2, set_aside=["damaged", None])
    dataset = Dataset.open(write_dataset(tmp_path / "some", make_dataset(images=2).pixels, manifest, audited=False).folder)
    done = dataset.labels.set([0, 1], "glioma")
    assert (done.changes.rows.tolist(), done.changes.unusable) == ([1], 1)
    assert dataset.labels.table()["path"].str.endswith("0001.png").tolist() == [True]


@pytest.mark.parametrize(
    ("what", "given"),
    [
        (12, {"labels": "glioma"}),
        (-1, {"labels": "glioma"}),
        (0.5, {"labels": "glioma"}),
        (0, {}),
        (0, {"labels": "glioma", "state": "unsure"}),
        ([0, 1], {"labels": ["glioma"]}),
        (0, {"labels": "GLIOMA"}),
        (0, {"labels": "a|b"}),
        (0, {"state": "perhaps"}),
        (0, {"labels": "glioma", "who": " "}),
        ("nowhere.csv", {}),
        ("nowhere.csv", {"labels": "glioma"}),
        ("nowhere.csv", {"unknown_option": 1}),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(dataset: Dataset, what: object, given: dict) -> None:
    with pytest.raises(FewscanError) as caught:
        dataset.labels.set(what, **given)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert dataset.labels.last == 12


@pytest.mark.parametrize(("rows", "labels"), [([0, 1, 2], ["glioma", "pituitary"]), (0, ["glioma", "pituitary"])])
def test_other_than_one_label_for_each_row_or_one_for_all_enters_nothing(
    rows: int | list[int], labels: list[str], dataset: Dataset
) -> None:
    last = dataset.labels.last
    with pytest.raises(FewscanError, match=r"\d rows .* 2 labels"):
        dataset.labels.set(rows, labels)
    assert dataset.labels.last == last
