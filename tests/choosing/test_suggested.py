"""`fewscan suggest`: of datasets and runs, as a table that `labels set` takes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fewscan as package
from fewscan.choosing.model import held_out_accuracy
from fewscan.choosing.pool import any_open, parts_of, pool_of
from fewscan.choosing.random_sample import random_order
from fewscan.choosing.uncertain import margin
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.learnable import without_labels
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation.intervals import Interval
from fewscan.mapping.scan_map import map_of
from fewscan.training.run import Run
from tests.made import remade
from tests.offered import offered_in

ENCODER = "resnet_small"


@pytest.fixture
def unlabeled(split_dataset: Snapshot) -> Snapshot:
    """A split whose unlabeled images really have no label."""
    manifest = split_dataset.manifest.copy()
    manifest.loc[split_dataset.rows("unlabeled"), "label"] = None
    return remade(split_dataset, manifest)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "read", "write"),
    [("suggested.csv", pd.read_csv, pd.DataFrame.to_csv), ("suggested.xlsx", pd.read_excel, pd.DataFrame.to_excel)],
)
def test_a_table_that_is_filled_in_goes_back_into_the_log(
    name: str, read: Callable, write: Callable, unlabeled: Snapshot, tmp_path: Path, fewscan: Callable
) -> None:
    out = tmp_path / name
    words = ("suggest", unlabeled.folder, "--count", 10, "--encoder", ENCODER, "--out", out)
    said = fewscan(*words)
    assert said.returncode == 0
    # Both ways to label what is suggested: a table to fill in, and the page.
    assert all(f"fewscan {way} {unlabeled.folder}" in said.stdout for way in ("labels set", "review"))
    table = read(out, keep_default_na=False)
    assert len(table) == 10
    if name.endswith(".xlsx"):
        assert offered_in(out) == {"label": [*unlabeled.classes, "unsure", "not a scan"]}
    assert (table["label"] == "").all()
    assert table["reason"].str.contains("random").sum() == 2
    rows = table["row"].to_numpy()
    assert table["path"].str.endswith(tuple(unlabeled.manifest["path"].iloc[rows])).all()
    # Left empty, it says nothing.
    assert package.set_labels(unlabeled.folder, out).summary()["changed"] == 0
    table["label"] = [path.split("/")[-2] for path in table["path"]]
    write(table, out, index=False)
    assert fewscan("labels", "set", unlabeled.folder, out).returncode == 0
    now = Dataset.open(unlabeled.folder).snapshot()
    assert now.manifest["label"].iloc[rows].tolist() == table["label"].tolist()
    again = package.suggest(unlabeled.folder, 10, encoder=ENCODER)
    assert not {one.row for one in again.suggestions} & {*rows.tolist()}
    refused = fewscan(*words)
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr


@pytest.mark.slow
def test_what_judges_is_never_suggested_nor_what_belongs_to_it(make_dataset: Callable, tmp_path: Path) -> None:
    dataset = make_dataset(40)
    parts = np.array(["labeled", "unlabeled", "test", "validation"] * 10, dtype=object)
    labels = dataset.manifest["label"].where(np.isin(parts, ("labeled", "test", "validation")))
    # Rows 4 and 6, of which one tests, are one patient's; so are 1 and 7, of which one validates.
    groups = dataset.manifest["group"].copy()
    groups[4], groups[1] = groups[6], groups[7]
    dataset = remade(dataset, dataset.manifest.assign(label=labels, group=groups, copy_set=range(40), split=parts))
    found = package.suggest(dataset.folder, 40, encoder=ENCODER)
    rows = {one.row for one in found.suggestions}
    assert rows == {*range(1, 40, 4)} - {1}
    assert found.judging == 22
    assert found.summary()["open"] == 9


@pytest.mark.slow
def test_what_was_set_aside_is_called_files_since_it_may_be_no_scan(make_dataset: Callable) -> None:
    dataset = make_dataset(24)
    manifest = dataset.manifest.assign(label=None)
    manifest.loc[3, "set_aside"] = "cannot be read"
    found = package.suggest(remade(dataset, manifest).folder, 4, encoder=ENCODER)
    (line,) = (line for line in found.lines() if "set aside" in line)
    assert "1 file" in line


@pytest.mark.slow
def test_scans_that_are_answered_are_not_asked_again_and_contradictions_come_first(make_dataset: Callable) -> None:
    dataset = make_dataset(24)
    labels = dataset.manifest["label"].where(np.arange(24) < 8)
    copies = np.arange(24)
    copies[9] = 0  # a copy of a labeled scan
    copies[5] = 4  # copies with two labels
    conflict = np.isin(np.arange(24), (4, 5))
    dataset = remade(dataset, dataset.manifest.assign(label=labels, group=copies, copy_set=copies, conflict=conflict))
    package.set_labels(dataset.folder, [10], state="unsure")
    package.set_labels(dataset.folder, [11], state="not a scan")
    for who, label in (("A", "glioma"), ("B", "pituitary")):
        package.set_labels(dataset.folder, [12], label, who=who)
    parts = parts_of(Dataset.open(dataset.folder))
    assert np.flatnonzero(parts.disputed).tolist() == [4, 5, 12]
    assert np.flatnonzero(parts.open).tolist() == [4, 5, 8, 12, *range(13, 24)]
    assert np.flatnonzero(parts.taught >= 0).tolist() == [0, 1, 2, 3, 6, 7]
    found = package.suggest(dataset.folder, 6, encoder=ENCODER)
    assert [one.kind for one in found.suggestions[:3]] == ["disputed"] * 3
    of_copies, of_people = (found.suggestions[place].why for place in (0, 2))
    assert "copies" in of_copies
    assert "copies" not in of_people


@pytest.mark.slow
def test_a_run_says_what_it_is_unsure_of_and_keeps_its_own_test_set_closed(
    unlabeled: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(unlabeled)
    found = package.suggest(run, 8, strategy="uncertain")
    rows = np.array([one.row for one in found.suggestions])
    assert np.isin(rows, unlabeled.rows("unlabeled")).all()
    assert {one.kind for one in found.suggestions} == {"random", "uncertain"}
    # Another split, under which the run's test images are to learn from.
    package.split(unlabeled.folder, name="other", test=0, validation=0)
    tested = unlabeled.rows("test", "validation")
    package.set_labels(unlabeled.folder, tested[:3].tolist(), state="none")
    again = package.suggest(run, 60)
    assert not np.isin([one.row for one in again.suggestions], tested).any()


@pytest.mark.slow
def test_without_an_encoder_at_hand_one_line_says_what_to_do(
    unlabeled: Snapshot, fewscan: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = fewscan("suggest", unlabeled.folder, cwd=tmp_path)
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "pretrained" in line
    assert "--encoder" in line


@pytest.mark.slow
def test_a_dataset_with_nothing_left_to_label_is_refused(make_dataset: Callable) -> None:
    with pytest.raises(FewscanError, match="no scan left"):
        package.suggest(make_dataset(8).folder, encoder=ENCODER)


@pytest.mark.slow
def test_accuracy_is_said_by_scans_that_nobody_chose_each_held_out(make_dataset: Callable) -> None:
    dataset = make_dataset(80)
    assert package.suggest(remade(dataset, dataset.manifest.assign(label=None)).folder, 4, encoder=ENCODER).accuracy is None
    order = random_order(dataset.groups, np.ones(80, bool))
    # The first 30 of the random order are labeled, and ten that were chosen: these are all wrong, and tell nothing.
    labels = dataset.manifest["label"].where(np.isin(np.arange(80), order[:30]))
    labels[order[31:41]] = "pituitary"
    found = package.suggest(remade(dataset, dataset.manifest.assign(label=labels)).folder, 4, encoder=ENCODER)
    assert (found.labels, found.honest) == (40, 30)
    assert found.accuracy is not None
    assert found.accuracy.value is not None
    assert (30 * found.accuracy.value) % 1 == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_held_out_accuracy_is_chance_where_features_say_nothing_and_1_where_they_say_all() -> None:
    random = np.random.default_rng(0)
    labels, groups = np.arange(200) % 2, np.arange(200)
    noise = random.normal(size=(200, 5)).astype(np.float32)
    telling = noise + 10 * labels[:, np.newaxis].astype(np.float32)
    of_noise, of_telling = (
        held_out_accuracy(one, labels, groups, ("a", "b"), one.std(axis=0), groups) for one in (noise, telling)
    )
    assert of_telling is not None
    assert of_telling.value == 1
    assert of_noise is not None
    assert of_noise.value is not None
    assert abs(of_noise.value - 0.5) < 0.12
    # A model that had learned from its own group would know these by heart.
    doubled = np.repeat(np.arange(100), 2)
    by_heart = np.repeat(random.normal(size=(100, 200)), 2, axis=0).astype(np.float32)
    halves = np.repeat(np.arange(100) % 2, 2)
    held_out = held_out_accuracy(by_heart, halves, doubled, ("a", "b"), by_heart.std(axis=0), groups)
    assert held_out is not None
    assert held_out.value is not None
    assert held_out.value < 0.65
    assert held_out_accuracy(noise, labels, groups, ("a", "b"), noise.std(axis=0), groups[:5]) is None


@pytest.mark.slow
def test_a_run_that_learned_without_labels_lends_its_encoder_and_the_labels_of_now_say_what_is_uncertain(
    unlabeled: Snapshot, untrained_run: Callable[[Snapshot], Run]
) -> None:
    run = untrained_run(without_labels(unlabeled))
    found = package.suggest(run, 8, strategy="uncertain", random_share=0)
    assert found.model is not None
    assert "logistic regression on" in found.model
    assert np.isin([one.row for one in found.suggestions], unlabeled.rows("unlabeled")).all()


def test_what_is_told_of_suggestions_is_what_is_known_of_the_pile(unlabeled: Snapshot) -> None:
    found = package.suggest(unlabeled.folder, 4, encoder=ENCODER)
    lines = found.lines()
    assert any(str(found.judging) in line for line in lines)
    accuracy = Interval(value=0.75, low=0.5, high=0.9)
    more = replace(found, accuracy=accuracy, labels=417, honest=313, set_aside=29, audited=False, judging=0)
    text = "\n".join(more.lines())
    assert all(number in text for number in ("75", "417", "313", "29"))
    assert len(more.lines()) == len(lines) + 2


def test_where_all_but_one_patient_say_the_same_accuracy_is_not_known() -> None:
    labels = np.array([0] * 30 + [1] * 30)
    groups = np.array([*range(30), *[30] * 30])
    features = np.zeros((60, 2), np.float32)
    assert held_out_accuracy(features, labels, groups, ("a", "b"), np.ones(2, np.float32), np.arange(60)) is None


def test_of_one_class_nothing_is_uncertain() -> None:
    assert margin(np.ones((3, 1), np.float32)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("look", [any_open, pool_of, map_of])
def test_the_dataset_of_a_run_is_opened_once(
    look: Callable[[Run], object],
    split_dataset: Snapshot,
    untrained_run: Callable[[Snapshot], Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, as_it_is = untrained_run(split_dataset), Run.dataset_now
    opened: list[Path] = []

    def noting(run: Run, moved_to: Path | None = None) -> Dataset:
        opened.append(run.folder)
        return as_it_is(run, moved_to)

    monkeypatch.setattr(Run, "dataset_now", noting)
    look(run)
    assert opened == [run.folder]
