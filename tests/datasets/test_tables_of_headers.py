"""Tables that name the scans of a dataset by numbers in DICOM headers: import, add and labels set understand them alike."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from fewscan import api
from fewscan.cli.app import app
from fewscan.datasets import labels
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans
from fewscan.errors import FewscanError
from tests.images.formats.dicom_objects import RAMP, saved, scan

# Of each study: its patient; ninety has two.
PATIENTS = {"A0240001": "0070011", "A0240002": "0070022", "A0240003": "0070033", "A0240004": "0070090", "A0240005": "0070090"}
TABLE = "Patienten-ID,Zugangsnummer,Diagnose\n" + "".join(
    f"{patient},{study},{'glioma' if study < 'A0240003' else 'normal'}\n" for study, patient in PATIENTS.items()
)


def add_study(root: Path, study: str, *names: str, below: str = "", **others: object) -> list[Path]:
    """Save slices of a study, below a folder of its patient or another one."""
    files = []
    for name in names or ("1", "2"):
        pixels = (np.random.default_rng([*name.encode(), *study.encode()]).random(RAMP.shape) * 4000).astype("<u2")
        named = {"PatientID": PATIENTS[study], "AccessionNumber": study, **others}
        named = {"StudyInstanceUID": "1.2.826.1" + str(named["AccessionNumber"])[1:], **named}
        files.append(saved(scan(pixels, **named), root / (below or study) / f"{study}_{name}.dcm"))
    return files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for study in PATIENTS:
        add_study(tmp_path / "scans", study)
    return tmp_path / "scans"


def table(root: Path, text: str = TABLE, name: str = "befunde.csv") -> Path:
    path = root.parent / name
    path.write_text(text, encoding="utf-8")
    return path


def imported(root: Path, *tables: Path, **options: object) -> Dataset:
    return import_scans([str(root)], root.parent / "mri", labels=list(tables), size_px=32, **options)


def now(dataset: Dataset) -> dict[str, str]:
    held = dataset.labels.table()
    return {Path(path).stem: label for path, label in zip(held["path"], held["label"], strict=True)}


@pytest.mark.parametrize("damaged", ["A0240001", "A0240004"])
@pytest.mark.parametrize("gone", [False, True])
def test_a_file_whose_pixels_are_damaged_does_not_tell_its_study_from_its_patient(root: Path, damaged: str, gone: bool) -> None:
    (broken,) = add_study(root, damaged, "3")
    broken.write_bytes(broken.read_bytes()[:-300])
    dataset = imported(root, table(root))
    assert dataset.snapshot().manifest["set_aside"].notna().sum() == 1
    if gone:
        broken.unlink()
    before = now(dataset)
    done = dataset.labels.set(table(root))
    assert (done.batch, done.changes.unchanged, now(dataset)) == (0, 10, before)
    dataset.labels.set(table(root, TABLE.replace("A0240005,normal", "A0240005,glioma")))
    assert {name for name, label in now(dataset).items() if label != before[name]} == {"A0240005_1", "A0240005_2"}


def test_a_localizer_whose_patient_only_its_folder_tells_does_not_tell_its_study_from_its_patient(root: Path) -> None:
    for study in ("A0240001", "A0240002", "A0240003"):
        add_study(root, study, "loc", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    rows = [f"{patient},{study},{study},glioma" for study, patient in PATIENTS.items()]
    text = "\n".join(["Patienten-ID,Ordner,Zugangsnummer,Diagnose", *rows])
    dataset = imported(root, table(root, text), patient_level=1)
    assert set(now(dataset).values()) == {"glioma"}


def test_a_cell_in_doubt_of_a_column_of_a_class_enters_nothing(root: Path) -> None:
    dataset = imported(root)
    cells = {"A0240001": "1,", "A0240002": "1,?", "A0240003": ",V.a.", "A0240004": "x,1", "A0240005": "unsure,"}
    crosses = table(root, "Fall,glioma,normal\n" + "".join(f"{study},{said}\n" for study, said in cells.items()))
    done = dataset.labels.set(crosses, label_column="glioma,normal", who="A")
    assert {name: label for name, label in now(dataset).items() if label} == dict.fromkeys(
        ["A0240001_1", "A0240001_2"], "glioma"
    )
    assert set(dataset.labels.current(10)["state"]) == {"label", "none", "unsure"}
    for row, word in ((3, "?"), (4, "V.a."), (5, "x")):
        assert any(f"row {row}" in note and f"'{word}'" in note for note in done.said.notes)


GROWN = TABLE.replace("A0240002,glioma", "A0240002,normal") + "0070099,A0249999,normal\n0070033,A0240006,glioma\n"


@pytest.mark.parametrize("named", ["study", "patient"])
def test_a_table_that_grows_is_told_apart_into_what_is_new_there_or_nowhere(root: Path, named: str) -> None:
    dataset = imported(root, table(root))
    add_study(root.parent / "april", "A0240001", AccessionNumber="A0240006", PatientID="0070033")
    text = (
        GROWN if named == "study" else "Patienten-ID,Diagnose\n0070011,glioma\n0070022,normal\n0070099,normal\n0070033,glioma\n"
    )
    whole = table(root, text, "whole.csv")
    _, lines = api.plan_add(dataset.folder, root.parent / "april", labels=[whole])
    before = now(dataset)
    added = api.add_scans(dataset.folder, root.parent / "april", labels=[whole])
    (told,) = added.tables
    # A patient who comes again has scans there, too: `normal` until now.
    assert told.held == ((2, 3, 4, 5, 6) if named == "study" else (2, 3, 5))
    assert told.change == ((3,) if named == "study" else (3, 5))
    assert told.nothing == ((7,) if named == "study" else (4,))
    assert any(told.command in line for line in lines)
    dataset = Dataset.open(dataset.folder)
    assert now(dataset) == before | {"A0240001_1": "glioma", "A0240001_2": "glioma"}
    api.set_labels(dataset, whole)
    assert now(dataset)["A0240002_1"] == "normal"


def test_a_table_of_new_scans_alone_says_nothing_of_others(root: Path) -> None:
    dataset = imported(root, table(root))
    add_study(root.parent / "april", "A0240001", AccessionNumber="A0240006", PatientID="0070066")
    new = table(root, "Zugangsnummer,Diagnose\nA0240006,glioma\n", "new.csv")
    plan, lines = api.plan_add(dataset.folder, root.parent / "april", labels=[new])
    assert (plan.sources[0].classes, lines) == ({"glioma": 2}, [])


def test_of_a_table_that_names_new_scans_by_patients_few_rows_of_scans_that_are_there_are_told(root: Path) -> None:
    dataset = imported(root, table(root))
    add_study(root.parent / "april", "A0240001", "9", AccessionNumber="A0240006", PatientID="0070066")
    rows = "Patienten-ID,Diagnose\n0070011,normal\n0070066,glioma\n0070097,normal\n0070098,normal\n0070099,normal\n"
    grown = table(root, rows, "grown.csv")
    (told,) = api.add_scans(dataset.folder, root.parent / "april", labels=[grown]).tables
    assert (told.held, told.change, told.nothing, told.unknown) == ((2,), (2,), (4, 5, 6), "")
    app(shlex.split(told.command)[1:], standalone_mode=False)
    assert now(Dataset.open(dataset.folder))["A0240001_1"] == "normal"


def test_where_the_files_are_gone_add_says_that_rows_of_scans_that_are_there_are_not_known(root: Path) -> None:
    dataset = imported(root, table(root))
    add_study(root.parent / "april", "A0240001", AccessionNumber="A0240006", PatientID="0070066")
    root.rename(root.with_name("elsewhere"))
    (line,) = api.plan_add(dataset.folder, root.parent / "april", labels=[table(root, GROWN)])[1]
    assert "not known" in line
    assert "10 of 10 files" in line


BY_PATIENT = "Pat.-ID,Datum,Befund\n70011,2026-03-01,normal\n0070090,2026-03-02,glioma\n0079999,2026-03-04,glioma\n"


@pytest.mark.parametrize("became", ["gone", "moved", "damaged"])
def test_patients_are_found_without_the_files_and_studies_are_not(root: Path, became: str) -> None:
    dataset = imported(root, table(root))
    before = now(dataset)
    if became == "gone":
        (root / "A0240003" / "A0240003_1.dcm").unlink()
    elif became == "moved":
        root.rename(root.with_name("elsewhere"))
    else:
        (root / "A0240003" / "A0240003_1.dcm").write_bytes(b"no scan")
    by_study = "Pat.-ID,Fall,Befund\n0070011,A0240001,normal\n0070090,A0240004,glioma\n"
    for text in (by_study, by_study.replace("Fall", "Zugangsnummer"), by_study.replace("Pat.-ID,", "").replace("00700", "")):
        with pytest.raises(FewscanError, match="read from files again") as refused:
            dataset.labels.set(table(root, text))
        assert "column 'path'" not in str(refused.value).partition("read from files again")[0]
        assert not any(number in str(refused.value) for number in ("0070011", "0070090"))
    assert now(dataset) == before
    done = dataset.labels.set(table(root, BY_PATIENT))
    whole = {"A0240001": "normal", "A0240004": "glioma", "A0240005": "glioma"}
    assert now(dataset) == {name: whole.get(name[:8], label) for name, label in before.items()}
    assert done.said.missing == ("befunde.csv, row 4",)
    assert any("headers could not be read" in note for note in done.said.notes)
    dataset.labels.set(table(root, by_study.replace("0070011", "0070022")), path_column="Pat.-ID=patient")
    assert now(dataset)["A0240002_1"] == "normal"
    if became == "moved":
        root.symlink_to(root.with_name("elsewhere"))
        dataset.labels.set(table(root, by_study))
        assert now(dataset)["A0240001_1"] == "normal"


def test_a_patients_table_says_the_same_with_the_files_and_without(root: Path) -> None:
    dataset = imported(root, table(root))
    with_files = dataset.labels.set(table(root, BY_PATIENT), dry_run=True)
    root.rename(root.with_name("elsewhere"))
    without = dataset.labels.set(table(root, BY_PATIENT), dry_run=True)
    assert with_files.changes.rows.tolist() == without.changes.rows.tolist()
    assert with_files.changes.after == without.changes.after


def test_one_dispute_of_a_study_is_one_line_with_its_scans(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dataset = imported(root, table(root))
    second = table(root, TABLE.replace("A0240002,glioma", "A0240002,normal"), "second.csv")
    dataset.labels.set(table(root, TABLE.replace("A0240001,glioma", "A0240001,normal")), who="Ada")
    for dry_run in ("--dry-run", "--note="):
        app(["labels", "set", str(dataset.folder), str(second), "--who", "Grace", dry_run], standalone_mode=False)
        said = capfd.readouterr().out
        assert "normal -> disputed: 2" in said
        assert "2 scans" in next(line for line in said.splitlines() if "left out" in line)
    dataset.labels.set([8], "unsure", who="Ada")
    dataset.labels.set([8], "glioma", who="Grace")
    app(["labels", "conflicts", str(dataset.folder)], standalone_mode=False)
    said = [line for line in capfd.readouterr().out.splitlines() if "Grace" in line]
    assert [line.count("2 scans") for line in said] == [1, 0]
    assert "Ada: normal" in said[0]
    assert "scan 8" in said[1]


def test_rows_that_differ_on_all_scans_of_a_study_are_named_once(root: Path) -> None:
    dataset = imported(root)
    done = dataset.labels.set(table(root, "Fall,label\nA0240001,glioma\nA0240001,normal\nA0240002,glioma\n"))
    assert (done.summary()["differing"], len(done.summary()["differing_examples"])) == (2, 1)


@pytest.mark.parametrize("text", ["path,label\nx_1.dcm,glioma\nx_2.dcm,normal\n", "path,patient\nx_1.dcm,P1\ngone.dcm,P2\n"])
def test_headers_of_the_dataset_are_not_read_for_a_table_that_names_new_files_or_has_no_labels(
    root: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = imported(root, table(root))
    for number in "12":
        (old,) = add_study(root.parent / "x", "A0240001", number, AccessionNumber="A0240006", PatientID="0070066")
        old.rename(root.parent / "x" / f"x_{number}.dcm")
    monkeypatch.setattr(labels, "with_numbers", lambda *_: pytest.fail("headers of the dataset were read"))
    assert api.plan_add(dataset.folder, root.parent / "x", labels=[table(root, text)])[1] == []
