"""Scans that are added: what comes, what is passed over, whose they are, and that they come whole or not at all."""

import random
import re
import shlex
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import PIL.Image
import pytest

import fewscan
from fewscan import api
from fewscan.datasets.dataset import Dataset
from fewscan.errors import FewscanError
from fewscan.images.patient_keys import KEYS_FILE
from tests.processes import exit_code_of

SIZE_PX = 16


def draw(path: Path, seed: int) -> None:
    """A picture that no other seed has, and no copy of another one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(path)


def write_pile(folder: Path, classes: str = "ab", each: int = 3, seed: int = 0) -> Path:
    for number, label in enumerate(classes):
        for image in range(each):
            draw(folder / label / f"{image}.png", seed + 100 * number + image)
    return folder


@pytest.fixture
def pile(tmp_path: Path) -> Path:
    return write_pile(tmp_path / "pile")


@pytest.fixture
def dataset(pile: Path, tmp_path: Path) -> Dataset:
    return fewscan.import_scans(pile, tmp_path / "data", size_px=SIZE_PX)


def facts_of(dataset: Dataset, *columns: str) -> pd.DataFrame:
    return dataset.unsplit().manifest[list(columns or ["source", "path", "label", "label_from", "set_aside", "sha256"])]


def states_of(dataset: Dataset) -> dict[str, tuple[str | None, str]]:
    held = dataset.labels.current(dataset.images.rows)
    return {
        name: (label if isinstance(label, str) else None, state)
        for name, label, state in zip(facts_of(dataset)["path"], held["label"], held["state"], strict=True)
    }


@pytest.mark.slow
def test_what_is_said_in_place_of_a_class_is_entered_by_import_and_add_as_labels_set_does(pile: Path, tmp_path: Path) -> None:
    write_pile(pile / "weg", classes="x", each=1, seed=500)
    table = tmp_path / "labels.csv"
    table.write_text("path,label\npile/a/0.png,unsure\npile/a/1.png,a|unsure\npile/b/0.png,not a scan\n")
    given = {"labels": table, "labels_only": False, "size_px": SIZE_PX}
    dataset = fewscan.import_scans(pile, tmp_path / "data", rename={"x": "unsure"}, **given)
    states = states_of(dataset)
    assert [states[name] for name in ("a/0.png", "a/1.png", "b/0.png", "weg/x/0.png")] == [
        (None, "unsure"), (None, "unsure"), (None, "not a scan"), (None, "unsure")
    ]  # fmt: skip
    assert dataset.unsplit().classes == ("a", "b")
    assert set(dataset.labels.entries()["origin"]) == {"folder", "labels.csv"}
    more = write_pile(tmp_path / "more", classes="c", each=3, seed=900)
    fewscan.add_scans(dataset, more, rename={"c": "unsure"})
    assert states_of(Dataset.open(dataset.folder))["c/0.png"] == (None, "unsure")
    # What was exported is taken back by an import, too.
    exported = tmp_path / "exported.csv"
    fewscan.export_labels(dataset.folder, exported)
    again = fewscan.import_scans([str(pile), str(more)], tmp_path / "again", labels=exported, labels_only=True, size_px=SIZE_PX)
    assert states_of(again) == states_of(Dataset.open(dataset.folder))


@pytest.mark.slow
def test_a_dataset_with_a_class_that_is_called_as_a_state_asks_which_is_meant(dataset: Dataset, tmp_path: Path) -> None:
    dataset.labels.enter([0], ["unsure"], origin="folder")
    more = write_pile(tmp_path / "more", classes="c", each=3, seed=900)
    with pytest.raises(FewscanError, match="--no-label"):
        fewscan.add_scans(dataset, more, rename={"c": "unsure"})
    assert fewscan.add_scans(dataset, more, no_label="c").unlabeled == 3


@pytest.mark.slow
def test_new_sources_and_new_files_of_an_old_one_come_to_the_end_and_the_rest_stays(pile: Path, dataset: Dataset) -> None:
    before, pixels = facts_of(dataset), np.array(dataset.pixels)
    more = write_pile(pile.parent / "more", classes="bc", seed=1000)
    draw(pile / "a" / "new.png", 2000)
    (more / "notes").mkdir()
    (more / "notes" / "readme.txt").write_text("no scan")
    added = fewscan.add_scans(dataset, [pile, more])
    assert (added.images, added.set_aside, added.held, added.changed, added.rows) == (7, 1, 6, 0, 14)
    assert (added.classes, added.new_classes) == ({"a": 1, "b": 3, "c": 3}, ("c",))
    now = Dataset.open(dataset.folder)
    pd.testing.assert_frame_equal(facts_of(now).iloc[:6], before)
    np.testing.assert_array_equal(now.pixels[:6], pixels)
    assert facts_of(now)["path"].iloc[6] == "a/new.png"
    assert [source.name for source in now.unsplit().description.sources] == ["pile", "more"]
    assert [(source.images, source.set_aside) for source in now.unsplit().description.sources] == [(7, 0), (6, 1)]
    now.images.verify()


@pytest.mark.slow
def test_added_images_are_those_of_an_import_of_all(pile: Path, dataset: Dataset, tmp_path: Path) -> None:
    more = write_pile(tmp_path / "more", seed=1000)
    fewscan.add_scans(dataset, more)
    whole = fewscan.import_scans([pile, more], tmp_path / "whole", size_px=SIZE_PX)
    now = Dataset.open(dataset.folder)
    pd.testing.assert_frame_equal(facts_of(now), facts_of(whole))
    np.testing.assert_array_equal(now.pixels, whole.pixels)
    assert now.unsplit().classes == whole.unsplit().classes


def test_nothing_new_changes_nothing(pile: Path, dataset: Dataset) -> None:
    files = {path: path.read_bytes() for path in dataset.folder.rglob("*") if path.is_file()}
    added = fewscan.add_scans(dataset, pile)
    assert (added.images, added.held) == (0, 6)
    assert {path: path.read_bytes() for path in files} == files


def test_what_is_passed_over_counts_as_images_only_those_that_the_dataset_can_use(tmp_path: Path) -> None:
    pile = write_pile(tmp_path / "pile")
    (pile / "a" / "broken.png").write_text("no picture")
    dataset = fewscan.import_scans(pile, tmp_path / "data", size_px=SIZE_PX)
    _, lines = fewscan.plan_add(dataset, pile)
    (said,) = [line for line in lines if "skipped" in line]
    assert "6 images" in said
    assert "1 file" in said


def test_a_file_that_changed_is_named_and_left_out(pile: Path, dataset: Dataset) -> None:
    draw(pile / "a" / "0.png", 3000)
    draw(pile / "a" / "9.png", 3001)
    _, lines = fewscan.plan_add(dataset, pile)
    added = fewscan.add_scans(dataset, pile)
    assert (added.images, added.held, added.changed, added.changed_examples) == (1, 5, 1, ("pile/a/0.png",))
    assert any("pile/a/0.png" in line for line in lines)
    paths = facts_of(Dataset.open(dataset.folder), "path")["path"]
    assert paths.is_unique


def test_a_plan_writes_nothing(pile: Path, dataset: Dataset) -> None:
    draw(pile / "c" / "0.png", 1)
    files = {path: path.read_bytes() for path in dataset.folder.rglob("*") if path.is_file()}
    understood, lines = fewscan.plan_add(dataset, pile)
    assert understood.sources[0].classes == {"c": 1}
    assert any("6" in line for line in lines)
    assert {path: path.read_bytes() for path in dataset.folder.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size_px": 32}, "'size_px' is fixed"),
        ({"channels": 3}, "'channels' is fixed"),
        ({"window": "brain"}, "'window' is fixed"),
        ({"plane": "coronal"}, "'plane' is fixed"),
        ({"colour": True}, "colour"),
        ({"rename": {"nothing": "a"}}, "nothing"),
    ],
)
def test_what_the_dataset_has_settled_is_refused(
    options: dict[str, object], expected: str, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(FewscanError, match=expected):
        fewscan.add_scans(dataset, write_pile(tmp_path / "more", seed=7), **options)
    assert Dataset.open(dataset.folder).images.rows == 6


def test_a_class_under_another_spelling_is_refused_with_the_way_to_the_datasets_name(dataset: Dataset, tmp_path: Path) -> None:
    more = tmp_path / "more"
    draw(more / "A" / "0.png", 1)
    with pytest.raises(FewscanError, match="--rename A=a"):
        fewscan.add_scans(dataset, more)
    assert fewscan.add_scans(dataset, more, rename={"A": "a"}).classes == {"a": 1}


def test_another_folder_of_a_known_name_is_that_source_only_where_its_files_are(
    pile: Path, dataset: Dataset, tmp_path: Path
) -> None:
    other = write_pile(tmp_path / "other" / "pile", seed=500)
    with pytest.raises(FewscanError, match=r"source 'pile'.*NAME="):
        fewscan.add_scans(dataset, other)
    assert fewscan.add_scans(dataset, f"second={other}").images == 6
    moved = pile.rename(tmp_path / "moved")
    draw(moved / "a" / "new.png", 77)
    assert fewscan.add_scans(dataset, f"pile={moved}").images == 1


def test_a_folder_inside_a_source_goes_by_that_source(pile: Path, dataset: Dataset) -> None:
    with pytest.raises(FewscanError, match="overlap"):
        fewscan.add_scans(dataset, pile / "a")


def test_a_source_without_a_usable_new_image_is_refused_and_nothing_is_added(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("no scan")
    with pytest.raises(FewscanError, match="none of its 1 files"):
        fewscan.add_scans(dataset, tmp_path / "texts")
    assert fewscan.add_scans(dataset, write_pile(tmp_path / "more", seed=9)).images == 6


def test_a_table_labels_what_is_new_and_may_tell_of_what_is_there(pile: Path, dataset: Dataset, tmp_path: Path) -> None:
    draw(tmp_path / "more" / "x.png", 1)
    draw(tmp_path / "more" / "y.png", 2)
    table = tmp_path / "labels.csv"
    at_home = tmp_path / "pile" / "b" / "1.png"
    table.write_text(f"path,label\npile/a/0.png,b\nmore/x.png,b\nmore/gone.png,a\npile/b/0.png,b\n{at_home},a\n")
    added = fewscan.add_scans(dataset, tmp_path / "more", labels=table)
    ((told,), held) = added.tables, added.held
    assert (told.held, told.change, told.nothing, held) == ((2, 5, 6), (2, 6), (4,), 3)
    now = facts_of(Dataset.open(dataset.folder)).set_index("path")
    assert (added.images, added.unlabeled, added.set_aside) == (2, 1, 1)
    assert (now["label"]["x.png"], now["label_from"]["x.png"]) == ("b", "labels.csv")
    assert now["label"]["a/0.png"] == "a"
    assert now["set_aside"]["gone.png"].startswith("no such file")


def test_rows_of_a_table_that_contradict_each_other_are_kept_until_somebody_settles_it(tmp_path: Path) -> None:
    pile, table = write_pile(tmp_path / "pile"), tmp_path / "labels.csv"
    rows = "b/0.png,a\nb/0.png,c\nb/1.png,a\nb/1.png,A \n"
    table.write_text(f"path,label\n{rows}")
    dataset = fewscan.import_scans(pile, tmp_path / "data", size_px=SIZE_PX, labels=table, rename={"c": "third"})
    table.write_text(f"path,label\n{rows}a/new.png,third\na/new.png,a\n")
    draw(pile / "a" / "new.png", 5)
    fewscan.add_scans(dataset, pile, labels=table, rename={"c": "third"})
    dataset = Dataset.open(dataset.folder)
    said = fewscan.label_conflicts(dataset).people
    assert said["name"].str.removeprefix("pile/").tolist() == ["b/0.png"] * 2 + ["a/new.png"] * 2
    assert said["label"].tolist() == ["a", "third", "third", "a"]
    assert set(said["origin"]) == {"labels.csv"}
    assert len(fewscan.label_history(dataset, "b/0.png")) == 2
    facts = facts_of(Dataset.open(dataset.folder)).set_index("path")
    assert facts["label"][["b/0.png", "a/new.png"]].isna().all()
    assert facts["label"]["b/1.png"] == "a"
    assert fewscan.set_labels(dataset, table, rename={"c": "third"}).batch == 0
    table.write_text("path,label\nb/0.png,a\na/new.png,a\n")
    assert fewscan.set_labels(dataset, table, who="ann").disputed == 0
    assert facts_of(Dataset.open(dataset.folder)).set_index("path")["label"][["b/0.png", "a/new.png"]].tolist() == ["a", "a"]


def test_labels_that_people_gave_since_stay(pile: Path, dataset: Dataset) -> None:
    dataset.labels.enter([0], ["b"], origin="review", who="ann")
    draw(pile / "b" / "new.png", 5)
    fewscan.add_scans(dataset, pile)
    assert facts_of(Dataset.open(dataset.folder), "label")["label"].tolist() == ["b", "a", "a", "b", "b", "b", "b"]


# Patients.


@pytest.fixture
def with_patients(tmp_path: Path) -> tuple[Dataset, Path]:
    pile = tmp_path / "pile"
    for number in range(4):
        draw(pile / f"{number}.png", number)
    table = tmp_path / "table.csv"
    table.write_text("path,label,patient\n0.png,a,7\n1.png,b,7\n2.png,a,8\n3.png,b,9\n")
    return fewscan.import_scans(pile, tmp_path / "data", size_px=SIZE_PX, labels=table), pile


@pytest.mark.slow
def test_a_patient_who_comes_again_is_the_same_one(with_patients: tuple[Dataset, Path], tmp_path: Path) -> None:
    dataset, pile = with_patients
    draw(pile / "4.png", 4)
    draw(pile / "5.png", 5)
    table = tmp_path / "more.csv"
    table.write_text("path,label,patient\n4.png,a,007\n5.png,b,10\n")
    added = fewscan.add_scans(dataset, pile, labels=table)
    assert (added.patients, added.patients_of_old) == (2, 1)
    draw(pile / "6.png", 6)
    table.write_text("path,label,patient\n6.png,a, 10 \n")
    fewscan.add_scans(dataset, pile, labels=table)
    patients = facts_of(Dataset.open(dataset.folder), "patient")["patient"]
    assert patients[4] == patients[0] == patients[1]
    assert patients[6] == patients[5]
    assert patients.nunique() == 4


def test_the_same_number_in_another_source_and_table_is_somebody_else(
    with_patients: tuple[Dataset, Path], tmp_path: Path
) -> None:
    dataset, _ = with_patients
    draw(tmp_path / "south" / "0.png", 4)
    table = tmp_path / "south.csv"
    table.write_text("path,label,patient\n0.png,a,7\n")
    fewscan.add_scans(dataset, tmp_path / "south", labels=table)
    assert facts_of(Dataset.open(dataset.folder), "patient")["patient"].nunique() == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("known", "more"),
    [
        # Two IDs of one name: this table is read by the name, the other by the ID.
        ("patient_id,patient_name\n0.png,a,7,Meier\n1.png,b,8,Huber\n", "7,Meier\n5.png,b,6,Meier\n"),
        ("patient_name\n0.png,a,Meier\n1.png,b,Huber\n", "7,meier\n5.png,b,6,Wolf\n"),
        ("PatientID\n0.png,a,007\n1.png,b,8\n", "7,Meier\n5.png,b,6,Meier\n"),
    ],
)
def test_a_patient_who_comes_again_by_another_column_is_the_same_one(tmp_path: Path, known: str, more: str) -> None:
    pile, table = tmp_path / "pile", tmp_path / "table.csv"
    for number in range(2):
        draw(pile / f"{number}.png", number)
    table.write_text(f"path,label,{known}")
    dataset = fewscan.import_scans(pile, tmp_path / "data", size_px=SIZE_PX, labels=table)
    for number in (4, 5):
        draw(pile / f"{number}.png", number)
    table.write_text(f"path,label,patient_id,patient_name\n4.png,a,{more}")
    fewscan.add_scans(dataset, pile, labels=table)
    first, other, same, _ = facts_of(Dataset.open(dataset.folder), "patient")["patient"]
    assert same == first != other


@pytest.mark.slow
def test_patients_that_another_column_parted_before_are_refused_as_one_with_the_option(tmp_path: Path) -> None:
    pile, table = tmp_path / "pile", tmp_path / "table.csv"
    for number in range(2):
        draw(pile / f"{number}.png", number)
    header = "path,label,patient_id,patient_name\n"
    table.write_text(f"{header}0.png,a,7,Meier\n1.png,b,6,Meier\n")
    dataset = fewscan.import_scans(pile, tmp_path / "data", size_px=SIZE_PX, labels=table, patient_column="patient_id")
    for number in (4, 5):
        draw(pile / f"{number}.png", number)
    table.write_text(f"{header}4.png,a,7,Meier\n5.png,b,6,Meier\n")
    with pytest.raises(FewscanError, match="--patient-column"):
        fewscan.add_scans(dataset, pile, labels=table)
    fewscan.add_scans(dataset, pile, labels=table, patient_column="patient_id")
    assert facts_of(Dataset.open(dataset.folder), "patient")["patient"].nunique() == 2


def test_two_patients_that_turn_out_to_be_one_ask_for_another_import(
    with_patients: tuple[Dataset, Path], tmp_path: Path
) -> None:
    dataset, pile = with_patients
    draw(tmp_path / "south" / "0.png", 4)
    table = tmp_path / "south.csv"
    table.write_text("path,label,patient\n0.png,a,7\n")
    fewscan.add_scans(dataset, tmp_path / "south", labels=table)
    for number, folder in enumerate((pile, tmp_path / "south")):
        draw(folder / "new.png", 50 + number)
    both = tmp_path / "both.csv"
    both.write_text("path,label,patient\npile/new.png,a,7\nsouth/new.png,a,7\n")
    with pytest.raises(FewscanError, match="import all scans"):
        fewscan.add_scans(dataset, [pile, tmp_path / "south"], labels=both)
    assert Dataset.open(dataset.folder).images.rows == 5


def test_what_recognizes_patients_holds_no_name_and_is_for_its_owner(
    with_patients: tuple[Dataset, Path],
) -> None:
    dataset, pile = with_patients
    path = dataset.folder / KEYS_FILE
    assert path.stat().st_mode & 0o077 == 0
    names = pd.read_parquet(path)["name"]
    assert names.str.fullmatch("[0-9a-f]{64}").all()
    path.unlink()
    draw(pile / "4.png", 4)
    assert fewscan.add_scans(dataset, pile).images == 1
    draw(pile / "5.png", 5)
    table = pile.parent / "more.csv"
    table.write_text("path,label,patient\n5.png,a,7\n")
    with pytest.raises(FewscanError, match=f"{KEYS_FILE} is missing"):
        fewscan.add_scans(dataset, pile, labels=table)


def test_a_dataset_without_patients_keeps_no_key(dataset: Dataset) -> None:
    assert not (dataset.folder / KEYS_FILE).exists()


# Whole or not at all.


@pytest.mark.slow
def test_where_a_split_is_lost_nothing_is_added_and_the_command_that_draws_it_again_works(
    pile: Path, tmp_path: Path, fewscan: Callable[..., CompletedProcess[str]]
) -> None:
    dataset, name = api.import_scans(write_pile(tmp_path / "many", each=20), tmp_path / "data", size_px=SIZE_PX), "two"
    api.audit(dataset.folder)
    fewscan("split", dataset.folder, "--name", name, "--labeled", "8", "--test", "4")
    (file,) = (dataset.folder / "splits").iterdir()
    file.unlink()
    with pytest.raises(FewscanError, match=name) as refused:
        api.add_scans(dataset.folder, pile)
    assert Dataset.open(dataset.folder).images.rows == dataset.images.rows
    (command,) = re.findall("'fewscan (.*)'", str(refused.value))
    assert fewscan(*shlex.split(command)).returncode == 0
    assert api.add_scans(Dataset.open(dataset.folder), pile).images == 6


@pytest.mark.slow
def test_an_error_while_files_are_read_adds_nothing(pile: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(pile / "a" / "new.png", 5)
    with monkeypatch.context() as patch:
        patch.setattr("fewscan.datasets.adding.described_sources", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fewscan.add_scans(dataset, pile)
    now = Dataset.open(dataset.folder)
    assert now.images.rows == 6
    assert (now.labels.current(9)["state"].iloc[6:] == "none").all()
    assert fewscan.add_scans(dataset, pile).images == 1


# Adds to a dataset and counts the lines that are run of what reads and writes it. At the moments named, the folder is copied as
# it stands, which is what a kill would leave; at the last of them this process is killed.
KILLED = """
import os, signal, subprocess, sys
import fewscan
from fewscan.datasets.dataset import Dataset
from fewscan.auditing import adding
WATCHED = ("fewscan.atomic", "fewscan.labels", "fewscan.datasets", "fewscan.images.store", "fewscan.auditing.kept")
more, folder, *moments = sys.argv[1:]
lines = 0
def watch(frame, event, argument):
    return count if str(frame.f_globals.get("__name__")).startswith(WATCHED) else None
def count(frame, event, argument):
    global lines
    if event == "line":
        lines += 1
        if str(lines) in moments:
            subprocess.run(["cp", "-R", folder, f"{folder}-{lines}"], check=True)
            if str(lines) == moments[-1]:
                os.kill(os.getpid(), signal.SIGKILL)
    return count
sys.settrace(watch)
adding.add_scans(Dataset.open(folder), [more])
sys.settrace(None)
open(folder + "-lines", "w").write(str(lines))
"""
MOMENTS = 12


@pytest.mark.slow  # processes of their own
def test_killed_at_any_moment_it_adds_nothing_or_all(tmp_path: Path) -> None:
    dataset = fewscan.import_scans(write_pile(tmp_path / "pile", each=2), tmp_path / "data", size_px=SIZE_PX)
    fewscan.audit(dataset)
    fewscan.split(dataset, labeled=2, test=2, validation=0)
    more = write_pile(tmp_path / "more", classes="bc", each=1, seed=900)
    undisturbed, killed = (shutil.copytree(dataset.folder, tmp_path / name) for name in ("undisturbed", "killed"))
    before = facts_of(Dataset.open(dataset.folder))
    assert exit_code_of(KILLED, more, undisturbed) == 0
    after = facts_of(Dataset.open(undisturbed))
    assert len(after) == 6
    lines = int((tmp_path / "undisturbed-lines").read_text())
    moments = sorted(random.Random(0).sample(range(1, lines), MOMENTS))
    assert exit_code_of(KILLED, more, killed, *moments) == -signal.SIGKILL
    folders = [*(tmp_path / f"killed-{moment}" for moment in moments), killed]
    whole = []
    for folder in folders:
        now = Dataset.open(folder)
        facts = facts_of(now)
        whole.append(len(facts) == len(after))
        pd.testing.assert_frame_equal(facts, after if whole[-1] else before)
        now.images.verify()
        now.labels.verify()
        now.snapshot().require_split()
    assert not all(whole)
    for folder in random.Random(1).sample(folders, 4):
        fewscan.add_scans(folder, more)
        pd.testing.assert_frame_equal(facts_of(Dataset.open(folder)), after)


def test_labels_of_an_addition_that_was_killed_go_to_nobody_else(pile: Path, dataset: Dataset) -> None:
    """As after a kill between the log of labels and the dataset's description."""
    dataset.labels.enter([6, 7], ["a", "a"], origin="folder")
    dataset.labels.enter([6], [None], states=["not a scan"], origin="audit")
    (dataset.folder / "images" / "0001.parquet").write_bytes(b"cut")
    draw(pile / "b" / "x.png", 1)
    draw(pile / "y.png", 2)
    fewscan.add_scans(dataset, pile)
    now = facts_of(Dataset.open(dataset.folder))
    assert now["label"].iloc[6:].tolist()[0] == "b"
    assert now["label"].iloc[6:].isna().tolist() == [False, True]
    assert now["set_aside"].isna().all()


def test_ctrl_c_leaves_no_labels_behind(pile: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(pile / "a" / "new.png", 5)
    monkeypatch.setattr("fewscan.datasets.adding._extended", lambda *_: signal.raise_signal(signal.SIGINT))
    # A shell lets what it starts in the background ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fewscan.add_scans(dataset, pile)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(dataset.labels.entries([6])) == 2  # the label, and that it was taken back
    assert (dataset.labels.current(7)["state"].iloc[6:] == "none").all()
