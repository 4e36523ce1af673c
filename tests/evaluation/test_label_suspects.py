"""Labels that held-out predictions contradict: which are listed, in which order, and that the table goes back."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fewscan.cli.app import app
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.snapshot import Snapshot
from fewscan.errors import FewscanError
from fewscan.evaluation import calibrate, cross_fitting
from fewscan.evaluation.cross_fitting import FOLDS_FOLDER, CrossFit
from fewscan.evaluation.held_out import HeldOut
from fewscan.evaluation.label_suspects import find_label_suspects
from fewscan.evaluation.predictor import Predictor
from fewscan.labels.teaching import SUSPECT_READING
from fewscan.reporting.label_suspects_page import write_label_suspects
from fewscan.training.run import Run
from fewscan.training.settings import RunSettings
from tests.made import remade
from tests.offered import offered_in


def cross_fitted(run: Run, dataset: Snapshot, wrong: dict[int, float]) -> HeldOut:
    """Calibrate a run by made-up predictions: right by 4 logits, but for rows that are `wrong` by so many logits."""
    rows = dataset.rows("labeled", "validation")
    labels = dataset.labels[rows]
    logits = np.zeros((len(rows), len(dataset.classes)), np.float32)
    logits[np.arange(len(rows)), labels] = 4
    for row, by in wrong.items():
        at = int(np.flatnonzero(rows == row)[0])
        logits[at] = 0
        logits[at, (labels[at] + 1) % len(dataset.classes)] = by
    held_out = HeldOut(rows, dataset.groups[rows], labels, logits)
    calibrate._calibrate(run, dataset, held_out, CrossFit(held_out, folds=2, surety=None))
    return held_out


def untaught(dataset: Snapshot, settings: RunSettings, folder: Path, **_: object) -> Run:
    """A fold's training that takes no time: the network keeps its first weights."""
    made = Run.create(folder, settings, dataset, 0)
    made.save_network(made.first_network())
    return made


@pytest.fixture
def run(split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run]) -> Run:
    return untrained_run(split_dataset)


def test_exactly_the_contradicted_labels_are_listed_worst_first(run: Run, split_dataset: Snapshot) -> None:
    first, second, third = split_dataset.rows("labeled", "validation")[[5, 1, 9]].tolist()
    held_out = cross_fitted(run, split_dataset, {second: 3, first: 6, third: 1})
    now = Dataset.open(split_dataset.folder)
    found = find_label_suspects(run, split_dataset, now)
    assert found.table["row"].tolist() == [first, second, third]
    labels = split_dataset.labels[[first, second, third]]
    assert found.table["label"].tolist() == [split_dataset.classes[label] for label in labels]
    assert found.table["predicted"].tolist() == [split_dataset.classes[(label + 1) % 4] for label in labels]
    temperature = calibrate.fit_temperature(held_out.logits, held_out.labels)
    expected = [1 / (np.exp(by / temperature) + 3) for by in (6, 3, 1)]
    assert found.table["label_probability"].tolist() == pytest.approx(expected)
    assert found.table["predicted_probability"].tolist() == pytest.approx([1 - 3 * each for each in expected])


def test_labels_of_single_scans_come_before_those_of_studies_and_of_these_first_the_ones_that_are_wrong_as_a_whole(
    split_dataset: Snapshot, untrained_run: Callable[[Snapshot], Run], tmp_path: Path
) -> None:
    rows = split_dataset.rows("labeled")
    of_one_class = [rows[split_dataset.labels[rows] == label] for label in (0, 1)]
    doubted, right = (of[:2].tolist() for of in of_one_class)  # two scans of a patient each
    (alone,) = rows[split_dataset.labels[rows] == 2][:1].tolist()
    manifest = split_dataset.manifest.copy()
    manifest.loc[doubted, "patient"], manifest.loc[right, "patient"] = "a" * 16, "b" * 16
    manifest.loc[doubted + right, "label_from"] = "table.csv (whole study)"
    dataset = remade(split_dataset, manifest)
    run = untrained_run(dataset)
    cross_fitted(run, dataset, {alone: 1, doubted[0]: 3, doubted[1]: 2, right[0]: 2.5})
    now = Dataset.open(dataset.folder)
    found = find_label_suspects(run, dataset, now)
    assert found.table["row"].tolist() == [alone, *doubted, right[0]]
    assert found.table["given_for"].fillna("").tolist() == ["", "study", "study", "study"]
    assert (found.wholes.given, found.in_doubt_as_wholes, found.patients_in_doubt) == (3, 2, 1)

    write_label_suspects(found, dataset, tmp_path / "check.csv")
    page = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert page.count("given for a whole study") >= 3
    now.labels.set(right[0], dataset.classes[1], who="Ada", reading=True)
    again = find_label_suspects(run, dataset, Dataset.open(dataset.folder)).table
    assert again["row"].tolist() == [right[0], alone, *doubted], "somebody looked at that very scan"


@pytest.mark.parametrize(
    ("wrong", "following"),
    [
        ({"alone": 3, "of": 3, "same": 3}, ["labels", "set"]),
        ({"of": 3, "same": 3}, ["review"]),
        ({"of": 2}, ["calibrate", "evaluate", "report", "label"]),
    ],
    ids=["a single scan", "a study as a whole", "only a scan of a study"],
)
def test_the_next_step_is_for_what_may_be_wrong(
    wrong: dict[str, float],
    following: list[str],
    split_dataset: Snapshot,
    untrained_run: Callable[[Snapshot], Run],
    tmp_path: Path,
) -> None:
    rows = split_dataset.rows("labeled")
    of, same = rows[split_dataset.labels[rows] == 0][:2].tolist()
    alone = int(rows[split_dataset.labels[rows] == 2][0])
    manifest = split_dataset.manifest.copy()
    manifest.loc[[of, same], "patient"], manifest.loc[[of, same], "label_from"] = "a" * 16, "table.csv (whole study)"
    run = untrained_run(dataset := remade(split_dataset, manifest))
    cross_fitted(run, dataset, {{"alone": alone, "of": of, "same": same}[name]: by for name, by in wrong.items()})
    told = CliRunner().invoke(app, ["labels", "suspects", str(run.folder), "--out", str(tmp_path / "check.csv")])
    assert told.exit_code == 0, told.output
    words = told.stdout.splitlines()[-1].split()[2:]
    assert words[: len(following)] == following if following[0] in ("labels", "review") else words[0] in following


def test_copies_with_one_label_are_asked_about_once_and_what_is_said_of_one_goes_for_all(
    run: Run, split_dataset: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, labels = split_dataset.rows("labeled", "validation"), split_dataset.labels
    alone, first, *others = rows[:1].tolist() + [row for row in rows[1:].tolist() if labels[row] == labels[rows[1]]]
    second, apart = others[0], next(row for row in rows[2:].tolist() if labels[row] != labels[first])
    cross_fitted(run, split_dataset, {first: 6, apart: 5, alone: 3, second: 1})
    copies = split_dataset.manifest.assign(copy_set=pd.array([None] * len(split_dataset.manifest), dtype="Int64"))
    copies.loc[[first, second, apart], "copy_set"] = 0
    unsplit = Dataset.unsplit

    def audited(self: Dataset) -> Snapshot:
        plain = unsplit(self)
        return replace(plain, manifest=plain.manifest.assign(copy_set=copies["copy_set"]))

    monkeypatch.setattr(Dataset, "unsplit", audited)
    now = Dataset.open(split_dataset.folder)
    found = find_label_suspects(run, split_dataset, now)
    # Copies of another label contradict, and are none of them.
    assert found.table["row"].tolist() == [first, second, apart, alone]
    assert found.copies == {first: [second], apart: [], alone: []}
    table = tmp_path / "check.csv"
    write_label_suspects(found, split_dataset, table)
    written = pd.read_csv(table, dtype="str")
    assert written["label"].isna().tolist() == [False, True, False, False]
    unchanged = now.labels.set(table)
    assert (unchanged.summary()["changed"], unchanged.summary()["unchanged"]) == (0, 4)
    write_label_suspects(found, split_dataset, tmp_path / "book.xlsx")
    assert now.labels.set(tmp_path / "book.xlsx").summary()["unchanged"] == 4
    offered = offered_in(tmp_path / "book.xlsx")
    assert offered["label"] == [*split_dataset.classes, "unsure", "not a scan"]
    assert "none" in offered["label_state"]
    as_text = pd.read_excel(tmp_path / "book.xlsx", dtype={"row": "str", "copy_of": "str"})
    assert as_text.astype("str").equals(pd.read_csv(table, dtype={"row": "str", "copy_of": "str"}).astype("str"))
    corrected = split_dataset.classes[(labels[first] + 1) % 4]
    written.loc[0, "label"] = corrected
    written.to_csv(table, index=False)
    now.labels.set(table)
    current = Dataset.open(split_dataset.folder).unsplit().manifest["label"]
    assert current.iloc[[first, second]].tolist() == [corrected] * 2
    assert current.iloc[alone] == split_dataset.classes[labels[alone]]
    # Read as numbers, `copy_of` comes back with a point; and somebody corrects in a column of their own.
    again = split_dataset.classes[(labels[first] + 2) % 4]
    answers = pd.read_csv(table).assign(corrected=[again, None, None, None])
    answers.to_csv(table, index=False)
    assert now.labels.set(table, label_column="corrected").summary()["changed"] == 2
    assert Dataset.open(split_dataset.folder).unsplit().manifest["label"].iloc[[first, second]].tolist() == [again] * 2


@pytest.mark.slow
def test_a_list_by_predictions_no_better_than_chance_says_so(run: Run, split_dataset: Snapshot) -> None:
    rows = split_dataset.rows("labeled", "validation")
    now = Dataset.open(split_dataset.folder)
    cross_fitted(run, split_dataset, {int(row): 3 for row in rows[:2]})
    found = find_label_suspects(run, split_dataset, now)
    assert found.warning is None
    assert found.agreement.value == 1 - 2 / len(rows)
    assert found.chance == 0.25
    cross_fitted(run, split_dataset, {int(row): 3 for row in rows[4:]})
    assert "chance (25.0 %)" in str(find_label_suspects(run, split_dataset, now).warning)


@pytest.mark.slow
def test_each_label_is_checked_or_counted_as_not_checked(run: Run, split_dataset: Snapshot) -> None:
    cross_fitted(run, split_dataset, {})
    now = Dataset.open(split_dataset.folder)
    found = find_label_suspects(run, split_dataset, now)
    assert len(found.table) == 0
    assert (found.checked, found.test) == (16, 24)
    assert found.checked + found.test + found.others == now.unsplit().manifest["label"].notna().sum()


@pytest.mark.slow
def test_labels_are_those_of_today(run: Run, split_dataset: Snapshot) -> None:
    corrected, spoiled, unsure = split_dataset.rows("labeled", "validation")[[0, 3, 4]].tolist()
    cross_fitted(run, split_dataset, {corrected: 2, unsure: 2})
    now = Dataset.open(split_dataset.folder)
    assert set(find_label_suspects(run, split_dataset, now).table["row"]) == {corrected, unsure}
    predicted = split_dataset.classes[(split_dataset.labels[corrected] + 1) % 4]
    wrong = split_dataset.classes[(split_dataset.labels[spoiled] + 1) % 4]
    now.labels.set([corrected, spoiled], [predicted, wrong])
    now.labels.set(unsure, state="unsure")
    found = find_label_suspects(run, split_dataset, now)
    assert found.table["row"].tolist() == [spoiled]
    assert found.checked == 15
    now.labels.set(split_dataset.rows("labeled", "validation").tolist(), state="unsure")
    nothing = find_label_suspects(run, split_dataset, now)
    assert (nothing.checked, nothing.agreement.value, nothing.warning) == (0, None, None)


def test_what_somebody_confirmed_is_left_out_and_counted_until_it_is_taken_back(run: Run, split_dataset: Snapshot) -> None:
    confirmed, other = split_dataset.rows("labeled", "validation")[[2, 6]].tolist()
    cross_fitted(run, split_dataset, {confirmed: 2, other: 2})
    log = Dataset.open(split_dataset.folder).labels
    labels = [split_dataset.classes[split_dataset.labels[row]] for row in (confirmed, other)]
    note = json.dumps({"reading": SUSPECT_READING, "run": "r"})
    log.enter([confirmed], labels[:1], origin="review", who="Ada", note=note, settles=True)
    # The same label without having been asked about a doubt, and another one, confirm nothing.
    log.enter([other], labels[1:], origin="review", who="Ada")
    found = find_label_suspects(run, split_dataset, Dataset.open(split_dataset.folder))
    assert (found.table["row"].tolist(), found.confirmed, found.summary()["confirmed"]) == ([other], 1, 1)
    log.undo(rows=[confirmed])
    again = find_label_suspects(run, split_dataset, Dataset.open(split_dataset.folder))
    assert (sorted(again.table["row"]), again.confirmed) == (sorted([confirmed, other]), 0)


@pytest.mark.slow
def test_a_run_on_validation_images_alone_has_all_its_labels_held_out_and_only_once(
    run: Run, split_dataset: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Dataset.open(split_dataset.folder)
    rows = split_dataset.rows("validation")
    calibrate._calibrate(run, split_dataset, cross_fitting.predict_held_out(Predictor.of(run), split_dataset, rows))
    before = (run.folder / "calibration.json").read_bytes()
    monkeypatch.setattr(cross_fitting, "train_new", untaught)
    found = find_label_suspects(run, split_dataset, now, folds=2)
    assert found.checked == len(split_dataset.rows("labeled", "validation"))
    assert (run.folder / "calibration.json").read_bytes() == before
    assert len(list((run.folder / FOLDS_FOLDER).iterdir())) == 2
    monkeypatch.delattr(cross_fitting, "train_new")
    again = find_label_suspects(run, split_dataset, now, folds=2)
    pd.testing.assert_frame_equal(again.table, found.table)
    with pytest.raises(FewscanError, match="at least 2"):
        find_label_suspects(run, split_dataset, now, folds=1)


@pytest.mark.slow
def test_the_verb_writes_a_table_that_set_takes_back(
    run: Run, split_dataset: Snapshot, fewscan: Callable, tmp_path: Path
) -> None:
    suspect = int(split_dataset.rows("labeled")[2])
    cross_fitted(run, split_dataset, {suspect: 3})
    shutil.copytree(split_dataset.folder, tmp_path / "data")
    asked = ("labels", "suspects", run.folder, "--data", "data")
    done = fewscan(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    name = split_dataset.manifest["path"][suspect]
    page = (tmp_path / "labels_to_check.html").read_text(encoding="utf-8")
    assert f"scan {suspect}" in done.stdout
    assert "--names" in done.stdout
    assert f"row {suspect}" not in done.stdout + page, "their own table has rows, too"
    assert f"scan {suspect}" in page
    assert name not in done.stdout + page
    assert page.count('<img src="data:') == 1
    assert "http" not in page.replace("http-equiv", "")

    assert fewscan(*asked, cwd=tmp_path).returncode == 2
    named = fewscan(*asked, "--names", "--overwrite", cwd=tmp_path)
    assert name in named.stdout
    by_name = (tmp_path / "labels_to_check.html").read_text(encoding="utf-8")
    assert name in by_name
    # Both pages may be passed on: where files lie may name the user.
    assert not any(str(folder) in page + by_name for folder in (tmp_path, split_dataset.folder.parent, run.folder.parent))

    table = tmp_path / "labels_to_check.csv"
    dry = fewscan(*done.stdout.splitlines()[-1].removeprefix("next: fewscan ").split(), cwd=tmp_path)
    assert "0 labels would change" in dry.stdout
    label, predicted = (split_dataset.classes[(split_dataset.labels[suspect] + by) % 4] for by in (0, 1))
    head, line = table.read_text(encoding="utf-8").splitlines()
    table.write_text(f'{head}\n{line.replace(f""","{label}",""", f""","{predicted}",""")}\n', encoding="utf-8")
    assert fewscan("labels", "set", "data", table, cwd=tmp_path).returncode == 0
    assert Dataset.open(tmp_path / "data").unsplit().manifest["label"][suspect] == predicted
    assert fewscan(*asked, "--overwrite", "--json", cwd=tmp_path).stdout.count('"contradicted": 0') == 1


@pytest.mark.slow
def test_json_names_files_only_when_asked(run: Run, split_dataset: Snapshot, fewscan: Callable, tmp_path: Path) -> None:
    suspect = int(split_dataset.rows("labeled")[0])
    cross_fitted(run, split_dataset, {suspect: 3})
    name = split_dataset.manifest["path"][suspect]
    asked = ("labels", "suspects", run.folder, "--json", "--overwrite")
    assert name not in fewscan(*asked, cwd=tmp_path).stdout
    assert name in fewscan(*asked, "--names", cwd=tmp_path).stdout
    assert fewscan(*asked, "--out", "page.html", cwd=tmp_path).returncode == 2
