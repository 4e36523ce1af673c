"""Labels of scans that a network was sure of are learned from, and measure no network."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fewscan.datasets.asked_labels import teaching_labels
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.cross_fitting import _without_labels_of
from fewscan.evaluation.held_out import most_folds
from fewscan.labels.log import LabelLog
from fewscan.splits.class_gaps import gap_warnings, never_measured
from fewscan.splits.sizes import suitable_sizes
from fewscan.splits.split import split
from fewscan.splits.units import independent
from tests.made import remade

CHECKED = {"origin": "check"}
BY_HAND = {"origin": "labels.csv", "who": "ada"}
CHECKED_ON_PAGE = {"origin": "review", "who": "ada", "note": json.dumps({"reading": "check", "run": "a"})}
IN_BULK = {"origin": "review", "who": "ada", "note": json.dumps({"reading": "grid"})}
ASKED_FOR = {"origin": "review", "who": "ada", "note": json.dumps({"reading": "first"})}
PREDICTED = {"origin": "predictions labels.csv"}


@pytest.mark.parametrize(
    ("said", "only_teaches"),
    [
        ([(BY_HAND, "a")], False),
        ([(ASKED_FOR, "a")], False),
        ([(CHECKED, "a")], True),
        ([(CHECKED_ON_PAGE, "a")], True),
        ([(IN_BULK, "a")], True),
        ([(PREDICTED, "a")], True),
        ([(BY_HAND, "a"), (CHECKED_ON_PAGE, "a")], False),
        ([(BY_HAND, "a"), (CHECKED, "b")], False),
        ([(BY_HAND, "unsure"), (CHECKED, "a")], False),
        ([(CHECKED, "a"), (BY_HAND, "b")], True),
        ([(CHECKED, "unsure"), (BY_HAND, "b")], True),
        ([(PREDICTED, "a"), (BY_HAND, "a")], True),
        ([(CHECKED, "a"), (BY_HAND, "none"), (BY_HAND, "a")], False),
        ([(BY_HAND, "a"), (BY_HAND, "none"), (CHECKED, "a")], True),
    ],
)
def test_what_chose_a_scan_is_told_by_its_first_answer(said: list, only_teaches: bool, tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / "labels.db")
    for head, word in said:
        log.enter([1], [word if word in "ab" else None], states=["label" if word in "ab" else word], **head)
    assert log.held(3).only_teaches.tolist() == [False, only_teaches, False]


def test_what_was_taken_back_chose_nothing(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / "labels.db")
    batch = log.enter([0], ["a"], **CHECKED)
    log.enter([0], ["a"], **BY_HAND)
    assert log.held(1).only_teaches.all()
    log.undo(batch)
    assert not log.held(1).only_teaches.any()


def without(dataset: Snapshot, rows: np.ndarray) -> Snapshot:
    """The dataset without labels of these rows."""
    return remade(dataset, dataset.manifest.assign(label=dataset.manifest["label"].mask(dataset.manifest.index.isin(rows))))


def entered(dataset: Snapshot, rows: np.ndarray, **head: str) -> Snapshot:
    """The dataset as it is once these rows got the label that their number says."""
    labels = [dataset.classes[row % 4] for row in rows.tolist()]
    Dataset.open(dataset.folder).labels.enter(rows, labels, **head)
    return Dataset.open(dataset.folder).unsplit()


@pytest.mark.parametrize("groups", [range(120), [row % 60 for row in range(120)]])
@pytest.mark.parametrize("how", [{"test": 0, "validation": 0.0}, {"test": 16, "validation": 0.2}])
def test_labels_of_a_check_join_nothing_that_judges_and_move_none_that_does(
    how: dict, groups: list[int], make_dataset: Callable[..., Snapshot]
) -> None:
    checked = np.arange(80, 120)
    bare = without(make_dataset(120, groups=groups, copies=range(120)), checked)
    before = split(bare, **how)
    frozen = entered(before, checked, **CHECKED)
    now = Dataset.open(frozen.folder).snapshot()
    anew = split(frozen, **how)
    for after in (now, anew):
        assert not np.isin(after.rows("test", "validation"), checked).any()
        assert np.array_equal(after.rows("test"), before.rows("test"))
    assert np.array_equal(now.rows("validation"), before.rows("validation"))
    if not how["test"]:
        assert np.array_equal(now.measuring("labeled"), before.rows("labeled"))
        assert np.array_equal(anew.measuring("labeled"), before.rows("labeled"))
        assert teaching_labels(anew) == len(checked)
        assert independent(anew, "labeled", "validation") == independent(before, "labeled", "validation")


def test_scans_that_belong_to_what_is_held_out_teach_no_fold_that_holds_it_out(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = without(make_dataset(80, groups=[row % 40 for row in range(80)], copies=range(80)), np.arange(40, 80))
    done = split(entered(dataset, np.arange(40, 60), **CHECKED), test=0, validation=0)
    held_out = done.measuring("labeled")[:10]
    new, pile = (_without_labels_of(done, held_out, as_pile) for as_pile in (False, True))
    beside = np.setdiff1d(np.flatnonzero(np.isin(done.groups, done.groups[held_out])), held_out)
    assert len(np.intersect1d(beside, done.rows("labeled")))
    assert new.manifest["split"].iloc[beside].isna().all()
    assert (pile.manifest["split"].iloc[beside] == "unlabeled").all()
    assert np.array_equal(new.rows("labeled"), np.setdiff1d(done.rows("labeled"), np.union1d(held_out, beside)))


def test_without_labels_that_measure_nothing_can_be_held_out() -> None:
    with pytest.raises(FewscanError, match="no label can be held out"):
        most_folds(np.zeros(0, np.int64), np.zeros(0, np.int64), 5)


def test_a_test_set_larger_than_what_may_test_is_refused(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = entered(without(make_dataset(80), np.arange(20, 80)), np.arange(20, 80), **CHECKED)
    with pytest.raises(FewscanError, match="20 labels can test"):
        split(dataset, labeled=20, test=30)


def test_labels_that_all_measure_nothing_are_learned_from(make_dataset: Callable[..., Snapshot]) -> None:
    dataset = entered(without(make_dataset(40), np.arange(4, 40)), np.arange(4, 40), **PREDICTED)
    Dataset.open(dataset.folder).labels.set([0, 1, 2, 3], state="none")
    dataset = Dataset.open(dataset.folder).unsplit()
    sizes = suitable_sizes(dataset)
    done = split(dataset, labeled=sizes.labeled, test=sizes.test, validation=sizes.validation)
    assert (len(done.rows("labeled")), len(done.measuring("labeled")), len(done.rows("test", "validation"))) == (36, 0, 0)


@pytest.mark.parametrize(("by_hand", "named"), [(0, ("glioma",)), (2, ())])
def test_a_class_of_which_no_label_may_measure_is_named(
    by_hand: int, named: tuple[str, ...], make_dataset: Callable[..., Snapshot]
) -> None:
    dataset = make_dataset(80)
    rows = np.flatnonzero(dataset.manifest["label"] == "glioma")[by_hand:]
    bare = without(dataset, rows)
    Dataset.open(bare.folder).labels.enter(rows, ["glioma"] * len(rows), **CHECKED)
    done = split(Dataset.open(bare.folder).unsplit(), test=0, validation=0)
    assert never_measured(done) == named
    warnings = [line for line in gap_warnings(done) if "'glioma'" in line]
    assert len(warnings) == len(named)
    assert not any(f"'{name}'" in line for line in warnings for name in done.classes if name != "glioma")


@pytest.mark.parametrize("written", [str, str.title, str.upper])
def test_a_table_keeps_what_its_column_says_in_another_dataset(
    written: Callable[[str], str], make_dataset: Callable[..., Snapshot], tmp_path: Path
) -> None:
    one = entered(without(make_dataset(40), np.arange(20, 40)), np.arange(20, 30), **CHECKED)
    table = Dataset.open(one.folder).labels.table()
    assert (table["origin"] == "check").sum() == 10
    other = without(make_dataset(40), np.arange(40))
    names = other.manifest["path"].to_numpy()
    folder = Path(Dataset.open(other.folder).description.sources[0].folder)
    file = tmp_path / "labels.csv"
    table["origin"] = table["origin"].map(written)
    table.assign(path=[f"{folder}/{name}" for name in names]).rename(columns=written).to_csv(file, index=False)
    Dataset.open(other.folder).labels.set(file)
    now = Dataset.open(other.folder).unsplit()
    assert now.manifest["label"].notna().sum() == 30
    assert np.flatnonzero(now.manifest["only_teaches"]).tolist() == list(range(20, 30))
    assert now.manifest["label_from"].iloc[0] == "labels.csv"


def test_a_snapshot_of_before_lets_its_labels_measure(make_dataset: Callable[..., Snapshot], tmp_path: Path) -> None:
    made = split(entered(without(make_dataset(40), np.arange(20, 40)), np.arange(20, 30), **CHECKED), test=0, validation=0)
    file = tmp_path / "snapshot.parquet"
    file.write_bytes(made.as_parquet())
    assert np.array_equal(Snapshot.read(file, made.folder, made.store, "").measuring("labeled"), made.measuring("labeled"))
    table = pq.read_table(file).drop_columns("only_teaches")
    pq.write_table(table, file)
    read = Snapshot.read(file, made.folder, made.store, "")
    assert len(read.measuring("labeled")) == 30
    assert read.description.fingerprint == made.description.fingerprint


@pytest.mark.parametrize("test", [0, 24])
def test_an_accuracy_stays_that_of_the_pile_when_its_surest_labels_are_checked(
    test: int, make_dataset: Callable[..., Snapshot]
) -> None:
    """Half of the scans are easy and called right, of the hard ones half are: 75 %. A check adds 40 easy scans to 80 drawn."""
    counted, measured = [], []
    for draw in range(12):
        random = np.random.default_rng(draw)
        easy = random.random(200) < 0.5
        right = easy | (random.random(200) < 0.5)
        drawn = random.permutation(200)[:80]
        checked = random.permutation(np.setdiff1d(np.flatnonzero(easy), drawn))[:40]
        bare = without(make_dataset(200), np.setdiff1d(np.arange(200), drawn))
        done = split(entered(bare, checked, **CHECKED), test=test, validation=0)
        rows = done.measuring("test") if test else done.measuring("labeled")
        measured.append(right[rows].mean() - right.mean())
        counted.append(right[np.union1d(drawn, checked)].mean() - right.mean())
    error = pd.Series(measured).sem()
    assert abs(np.mean(measured)) < 3 * error
    assert np.mean(counted) > 0.05
