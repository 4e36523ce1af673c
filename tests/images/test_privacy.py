"""Patients' names and numbers reach no file, page or terminal; only a salted hash does, and it says who belongs together."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from fewscan.cli.app import app
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans
from fewscan.errors import FewscanError

NAMES = ("WATERMELON", "19561231", "ZX-4711", "ZX-4712", "QUINCE", "CSVPATIENT-9")


def scan(path: Path, patient: str, seed: int) -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("MR_small.dcm")))
    dataset.PatientName = "WATERMELON^Anna"
    dataset.PatientID = patient
    dataset.PatientBirthDate = "19561231"
    dataset.IssuerOfPatientID = "QUINCE"
    noise = np.random.default_rng(seed).integers(0, 2000, dataset.pixel_array.shape)
    dataset.PixelData = noise.astype(np.int16).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Four scans of two patients and one of neither's, one of them damaged, and a CSV that knows a patient of its own."""
    root = tmp_path / "scans"
    for number in range(5):
        scan(root / "glioma" / f"{number}.dcm", "ZX-4711" if number % 2 else "ZX-4712", number)
    content = (root / "glioma/4.dcm").read_bytes()
    (root / "glioma/cut.dcm").write_bytes(content[:-3000])
    at = content.index(b"19561231")
    (root / "glioma/wrong.dcm").write_bytes(content[: at - 2] + b"\xff\xff" + content[at:])
    (tmp_path / "labels.csv").write_text(
        "path,label,patient\n"
        + "".join(f"scans/glioma/{number}.dcm,glioma,\n" for number in range(4))
        + "scans/glioma/4.dcm,other,CSVPATIENT-9\nscans/gone.dcm,other,CSVPATIENT-9\n"
    )
    return root


def everything_in(folder: Path) -> bytes:
    files = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    return files + Dataset.open(folder).snapshot().manifest.to_csv().encode()


@pytest.mark.slow
def test_after_import_and_audit_no_patients_data_is_anywhere(scans, tmp_path, capfd):
    out = tmp_path / "dataset"
    for command in (["import", scans, "--out", out, "--labels", tmp_path / "labels.csv"], ["audit", out]):
        app([str(word) for word in command], standalone_mode=False)
    said = "".join(capfd.readouterr())
    assert "glioma/cut.dcm: truncated or damaged" in said
    assert (out / "audit.html").is_file()
    for name in NAMES:
        assert name.encode() not in everything_in(out)
        assert name not in said
    manifest = Dataset.open(out).snapshot().manifest.set_index("path")
    patients = manifest["patient"]
    assert patients.dropna().str.fullmatch(r"[0-9a-f]{16}").all()
    assert patients["glioma/1.dcm"] == patients["glioma/3.dcm"] != patients["glioma/0.dcm"] == patients["glioma/2.dcm"]
    assert patients["glioma/4.dcm"] not in set(patients.drop("glioma/4.dcm"))
    assert manifest["group"]["glioma/1.dcm"] == manifest["group"]["glioma/3.dcm"]
    assert manifest["group"]["glioma/1.dcm"] != manifest["group"]["glioma/0.dcm"]


def test_a_contradiction_names_no_patient(scans, tmp_path):
    (tmp_path / "labels.csv").write_text(
        "path,label,patient\nscans/glioma/1.dcm,a,ZX-4711\nscans/glioma/1.dcm,a,CSVPATIENT-9\n"
    )
    with pytest.raises(FewscanError) as caught:
        import_scans([str(scans)], tmp_path / "dataset", labels=[tmp_path / "labels.csv"])
    assert "two values for its patient (labels.csv, row 2 and labels.csv, row 3)" in str(caught.value)
    assert not [name for name in NAMES if name in str(caught.value)]


def test_the_salt_is_new_in_every_import_and_the_fingerprint_is_not(scans, tmp_path):
    one, other = (import_scans([str(scans)], tmp_path / name, size_px=16).snapshot() for name in ("one", "other"))
    known = one.manifest["patient"].notna()
    assert known.sum() >= 5
    assert not set(one.manifest["patient"][known]) & set(other.manifest["patient"][known])
    # Whatever the salt: runs that were trained on the one go on with the other.
    assert one.description == other.description


@pytest.mark.slow
def test_the_fingerprint_follows_which_images_are_one_patients(tmp_path, scans):
    def fingerprint(name: str, patients: Callable[[int], str]) -> str:
        table = tmp_path / f"{name}.csv"
        table.write_text("path,patient,label\n" + "".join(f"glioma/{n}.dcm,{patients(n)},x\n" for n in range(4)))
        dataset = import_scans([str(scans)], tmp_path / name, labels=[table], labels_only=True, size_px=16)
        return dataset.snapshot().description.fingerprint

    pairs = fingerprint("pairs", lambda number: f"p{number % 2}")
    assert fingerprint("renamed", lambda number: f"other {number % 2}") == pairs
    assert fingerprint("halves", lambda number: f"p{number // 2}") != pairs


def test_one_number_in_the_headers_of_two_sources_is_one_patient(tmp_path):
    """Two patients taken for one only cost images; one that is taken for two may be learned from and tested on."""
    for name in ("one", "two", "three"):
        scan(tmp_path / name / "a.dcm", "ZX-4711", 1)
    scan(tmp_path / "two/b.dcm", "ZX-4712", 2)
    (tmp_path / "labels.csv").write_text("path,label,patient\none/a.dcm,x,ZX-4711\ntwo/b.dcm,x,ZX-4711\n")
    dataset = import_scans(
        [str(tmp_path / "one"), str(tmp_path / "two")],
        tmp_path / "dataset",
        unlabeled=[str(tmp_path / "three")],
        labels=[tmp_path / "labels.csv"],
        size_px=16,
    )
    patients = dataset.snapshot().manifest["patient"]
    assert (len(patients), patients.nunique()) == (4, 1)


@pytest.mark.parametrize(("tables", "patients"), [(["one,two"], 1), (["one", "two"], 2)])
def test_one_number_is_one_patient_within_a_csv_and_not_in_two(tables, patients, tmp_path):
    for name in ("one", "two"):
        scan(tmp_path / name / "a.dcm", "", 1)
    labels = [tmp_path / f"{number}.csv" for number in range(len(tables))]
    for table, names in zip(labels, tables, strict=True):
        table.write_text("path,label,patient\n" + "".join(f"{name}/a.dcm,x,7\n" for name in names.split(",")))
    dataset = import_scans([str(tmp_path / "one"), str(tmp_path / "two")], tmp_path / "dataset", labels=labels, size_px=16)
    assert dataset.snapshot().manifest["patient"].nunique() == patients


@pytest.mark.slow
def test_names_of_arrays_reach_neither_manifest_nor_terminal(tmp_path, capfd):
    arrays = {name: np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8) for name in ("QUINCE\nAnna", "ZX-4711")}
    (tmp_path / "scans").mkdir()
    np.savez(tmp_path / "scans/heads.npz", **arrays)
    app([str(word) for word in ("import", tmp_path / "scans", "--out", tmp_path / "dataset")], standalone_mode=False)
    said = "".join(capfd.readouterr())
    assert list(Dataset.open(tmp_path / "dataset").snapshot().manifest["path"]) == ["heads.npz#array=0", "heads.npz#array=1"]
    for name in NAMES:
        assert name.encode() not in everything_in(tmp_path / "dataset")
        assert name not in said


@pytest.mark.parametrize("first_row", ["scans/glioma/1.dcm,glioma,ZX-4711", "ZX-4711,WATERMELON", "patient-QUINCE7,pathway 7"])
def test_a_csv_without_a_line_of_names_does_not_have_its_first_row_repeated(scans, tmp_path, first_row):
    (tmp_path / "labels.csv").write_text(f"{first_row}\n")
    with pytest.raises(FewscanError) as caught:
        import_scans([str(scans)], tmp_path / "dataset", labels=[tmp_path / "labels.csv"])
    said = str(caught.value)
    assert "columns, which its first line" in said
    assert not [cell for cell in first_row.split(",") if cell in said]
