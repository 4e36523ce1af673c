"""Tables that name patients, whom names of files or folders tell."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans
from fewscan.errors import FewscanError
from fewscan.images.listing import list_scans
from fewscan.images.options import ImportOptions
from fewscan.images.patient_keys import KEYS_FILE
from fewscan.images.plan import plan_of
from fewscan.images.sources import ScanFile, parse_sources

TABLE = "patient ID,Diagnosis\nP001,glioma\nP002,normal\nP009,normal\n"
NAMES = ["P001_T1.png", "P001_T2.png", "P002_T1.png", "P003_T1.png"]


def add(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels = np.random.default_rng([*name.encode()]).integers(0, 256, (16, 16), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return add(tmp_path / "scans", *NAMES)


def listed(roots: list[Path], text: str = TABLE, **options: object) -> list[ScanFile]:
    table = roots[0].parent / "patients.csv"
    table.write_text(text, encoding="utf-8")
    return list_scans(parse_sources([*map(str, roots)]), ImportOptions.parse({"labels": [table], **options}))


def labels(roots: list[Path], text: str = TABLE, **options: object) -> dict[str, str | None]:
    return {scan.relative: scan.label for scan in listed(roots, text, **options) if scan.set_aside is None}


def refusal(roots: list[Path], text: str = TABLE, **options: object) -> str:
    with pytest.raises(FewscanError) as caught:
        listed(roots, text, **options)
    return str(caught.value)


def test_a_row_labels_all_scans_of_its_patient_whom_names_tell(root: Path) -> None:
    found = labels([root], patient_from=r"(P\d+)_")
    assert found == {"P001_T1.png": "glioma", "P001_T2.png": "glioma", "P002_T1.png": "normal", "P003_T1.png": None}


def test_a_row_without_its_scan_is_counted_and_no_file_that_is_set_aside(root: Path) -> None:
    scans = listed([root], patient_from=r"(P\d+)_")
    assert [scan for scan in scans if scan.set_aside is not None] == []
    (note,) = [line for line in plan_of(scans, parse_sources([str(root)])).lines if "match" in line]
    assert "2 of 3 rows match" in note
    assert "row 4" in note


@pytest.mark.parametrize("written", ["p1", " P001 ", "P01"])
def test_a_patient_may_be_spelled_otherwise(root: Path, written: str) -> None:
    assert labels([root], f"patient ID,Diagnosis\n{written},glioma\n", patient_from=r"(P\d+)_")["P001_T2.png"] == "glioma"


def test_folders_tell_patients_too(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    for folder in ("sub 001 a", "sub 002 a"):
        add(root / folder, "1.png", "2.png")
    found = labels([root], "patient,label\n1,glioma\n2,normal\n", patient_from=r"sub (\d+)")
    assert found == {f"sub 00{n} a/{i}.png": label for n, label in ((1, "glioma"), (2, "normal")) for i in (1, 2)}


def test_a_row_for_a_file_counts_before_one_for_its_patient(root: Path) -> None:
    (root.parent / "files.csv").write_text("path,label\nP001_T2.png,normal\n", encoding="utf-8")
    scans = listed([root], patient_from=r"(P\d+)_")
    assert {scan.label for scan in scans if scan.patient == "P001"} == {"glioma"}
    tables = [root.parent / "patients.csv", root.parent / "files.csv"]
    asked = ImportOptions.parse({"labels": tables, "patient_from": r"(P\d+)_"})
    found = {scan.relative: scan.label for scan in list_scans(parse_sources([str(root)]), asked)}
    assert (found["P001_T1.png"], found["P001_T2.png"]) == ("glioma", "normal")


def test_a_patient_of_two_sources_is_counted(root: Path, tmp_path: Path) -> None:
    other = add(tmp_path / "other", "P001_1.png")
    scans = listed([root, other], patient_from=r"(P\d+)_")
    assert {scan.label for scan in scans if scan.relative.startswith("P001")} == {"glioma"}
    notes = {note for scan in scans for note in scan.notes if "match" in note}
    assert len(notes) == 1
    assert "in several sources, which share a row: 1 number" in notes.pop()


def test_where_names_hold_the_patients_the_option_that_says_so_is_named(root: Path) -> None:
    said = refusal([root])
    assert r"--patient-from '(?:\b|_)(P\d+)'" in said
    assert labels([root], patient_from=r"(?:\b|_)(P\d+)") == labels([root], patient_from=r"(P\d+)_")
    assert "P001" not in said


@pytest.mark.parametrize(
    "text",
    [
        "patient ID,Diagnosis\nX0000001,glioma\nX0000002,normal\n",  # of other scans
        "patient ID,Diagnosis\nMeier,glioma\nHuber,normal\n",  # names
        "age,Diagnosis\n1,glioma\n2,normal\n",
    ],
)
def test_no_such_option_is_named_where_names_hold_no_number_of_patients(root: Path, text: str) -> None:
    assert "--patient-from" not in refusal([root], text)


def test_a_number_that_is_the_end_of_a_word_is_no_patient(tmp_path: Path) -> None:
    root = add(tmp_path / "scans", "T1_001.png", "T1_002.png", "T1_003.png")
    said = refusal([root], "patient ID,Diagnosis\n001,glioma\n002,normal\n003,normal\n")
    assert labels([root], "patient ID,Diagnosis\n002,glioma\n", patient_from=said.split("'")[-2])["T1_002.png"] == "glioma"


def test_an_image_goes_before_a_mask_of_its_name(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    add(root / "imagesTr", "P001.png", "P002.png")
    add(root / "labelsTr", "P001.png", "P002.png")
    assert labels([root]) == {"imagesTr/P001.png": "glioma", "imagesTr/P002.png": "normal"}


def test_a_table_whose_rows_find_masks_alone_names_patients(tmp_path: Path) -> None:
    """As in nnU-Net's folders, where images go on from the name of a case and masks do not."""
    root = tmp_path / "scans"
    add(root / "imagesTr", "P001_0000.png", "P002_0000.png")
    add(root / "labelsTr", "P001.png", "P002.png")
    assert r"--patient-from '(?:\b|_)(P\d+)'" in refusal([root])
    assert labels([root], patient_from=r"(P\d+)") == {"imagesTr/P001_0000.png": "glioma", "imagesTr/P002_0000.png": "normal"}


@pytest.fixture
def mri(root: Path, tmp_path: Path) -> Dataset:
    return import_scans([str(root)], tmp_path / "mri", patient_from=r"(P\d+)_", size_px=16)


def corrected(mri: Dataset, place: Path, text: str) -> dict[str, str | None]:
    (place / "later.csv").write_text(text, encoding="utf-8")
    mri.labels.set(place / "later.csv")
    held = mri.labels.table()
    return {Path(path).name: label for path, label in zip(held["path"], held["label"], strict=True) if label}


def test_labels_set_finds_patients_whom_names_told(mri: Dataset, tmp_path: Path) -> None:
    found = corrected(mri, tmp_path, "patient ID,Diagnosis\np1,glioma\nP003,normal\nP009,normal\n")
    assert found == {"P001_T1.png": "glioma", "P001_T2.png": "glioma", "P003_T1.png": "normal"}


def test_labels_set_finds_patients_of_pictures_that_are_gone(mri: Dataset, root: Path, tmp_path: Path) -> None:
    for name in NAMES:
        (root / name).unlink()
    assert corrected(mri, tmp_path, "patient ID,Diagnosis\nP003,normal\n") == {"P003_T1.png": "normal"}


def test_labels_set_finds_patients_whom_a_table_told(root: Path, tmp_path: Path) -> None:
    (tmp_path / "whose.csv").write_text("path,patient\n" + "".join(f"{name},{name[1:4]}\n" for name in NAMES), encoding="utf-8")
    mri = import_scans([str(root)], tmp_path / "mri", labels=[tmp_path / "whose.csv"], size_px=16)
    assert corrected(mri, tmp_path, "patient,label\n1,glioma\n") == {"P001_T1.png": "glioma", "P001_T2.png": "glioma"}


def test_without_what_recognizes_patients_labels_set_finds_none(mri: Dataset, tmp_path: Path) -> None:
    (mri.folder / KEYS_FILE).unlink()
    with pytest.raises(FewscanError, match="names no file"):
        corrected(mri, tmp_path, TABLE)
