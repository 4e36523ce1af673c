"""Tables that name scans by numbers in their headers: a study, a patient, a series or a file."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fewscan.cli.app import app
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.importing import import_scans, plan_import
from fewscan.errors import FewscanError
from fewscan.images.listing import list_scans
from fewscan.images.options import ImportOptions
from fewscan.images.plan import plan_of
from fewscan.images.sources import ScanFile, parse_sources
from tests.images.formats.dicom_objects import RAMP, saved
from tests.images.formats.dicom_objects import scan as scan_object

# Of each study: its patient, and its accession number.
STUDIES = {"one": ("0070011", "A0240001"), "two": ("0070022", "A0240002"), "later": ("0070022", "A0240003")}
STUDIES_LATER = {"four": ("0070044", "A0240009")}
NUMBERS = ("AccessionNumber", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def elements(study: str, number: int) -> dict[str, str]:
    patient, accession = {**STUDIES, **STUDIES_LATER}[study]
    uid = f"1.2.826.1{accession[1:]}"
    uids = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.5", "SOPInstanceUID": f"{uid}.5.{number}"}
    return {"PatientID": patient, "AccessionNumber": accession, **uids}


def add_slices(root: Path, study: str, slices: int = 2, **others: str) -> None:
    for number in range(1, slices + 1):
        pixels = (np.random.default_rng([number, *study.encode()]).random(RAMP.shape) * 4000).astype("<u2")
        saved(scan_object(pixels, **{**elements(study, number), **others}), root / f"{study}_{number}.dcm")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two slices of each study; the last two studies are of one patient."""
    for study in STUDIES:
        add_slices(tmp_path / "scans", study)
    return tmp_path / "scans"


def table(root: Path, text: str) -> Path:
    path = root.parent / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def listed(root: Path, text: str, **options: object) -> list[ScanFile]:
    asked = ImportOptions.parse({"labels": [table(root, text)], **options})
    return list_scans(parse_sources([str(root)]), asked)


def labels(root: Path, text: str, **options: object) -> dict[str, str | None]:
    return {scan.relative.removesuffix(".dcm"): scan.label for scan in listed(root, text, **options)}


def refusal(root: Path, text: str, **options: object) -> str:
    with pytest.raises(FewscanError) as caught:
        listed(root, text, **options)
    return str(caught.value)


def notes(root: Path, text: str, **options: object) -> str:
    scans = listed(root, text, **options)
    return "\n".join(plan_of(scans, parse_sources([str(root)])).lines)


def by(number: str, name: str = "Key") -> str:
    rows = [(elements("one", 1)[number], "glioma"), (elements("two", 2)[number], "normal")]
    return f"{name},label\n" + "".join(f"{value},{label}\n" for value, label in rows)


@pytest.mark.parametrize(
    ("number", "normal"),
    [
        ("AccessionNumber", ["two_1", "two_2"]),
        ("StudyInstanceUID", ["two_1", "two_2"]),
        ("SeriesInstanceUID", ["two_1", "two_2"]),
        ("SOPInstanceUID", ["two_2"]),
        ("PatientID", ["later_1", "later_2", "two_1", "two_2"]),
    ],
)
@pytest.mark.parametrize("name", ["Key", None])
def test_a_row_labels_all_scans_that_have_its_number(root, number, normal, name):
    found = labels(root, by(number, name or number))
    assert sorted(path for path, label in found.items() if label == "normal") == normal
    assert [path for path in found if path.startswith("one")] == ["one_1", "one_2"]
    assert found["one_1"] == "glioma"
    assert found["one_2"] == (None if number == "SOPInstanceUID" else "glioma")


@pytest.mark.parametrize("damaged", ["70011", "70011.0", "70011,0", " 0070011 ", '="0070011"', "0070011^", "\u200b70011"])
def test_what_a_spreadsheet_does_to_numbers_is_undone(root, damaged):
    assert labels(root, f'Fall;label\n"{damaged.replace(chr(34), chr(34) * 2)}";glioma\n')["one_2"] == "glioma"


def test_a_typographic_dash_is_a_dash(root):
    add_slices(root, "one", AccessionNumber="MR-24-001")
    assert labels(root, "Key,label\nMR–24–001,glioma\n")["one_1"] == "glioma"


def test_two_studies_whose_numbers_differ_by_zeros_are_two(root):
    add_slices(root, "one", AccessionNumber="0012345")
    add_slices(root, "two", AccessionNumber="12345")
    found = labels(root, "Key,label\n0012345,glioma\n12345,normal\n")
    assert (found["one_1"], found["two_1"], found["later_1"]) == ("glioma", "normal", None)
    assert labels(root, "Key,label\n012345,glioma\nA0240003,normal\n")["one_1"] is None


def test_the_plan_says_what_names_the_scans_and_which_rows_find_none(root):
    said = notes(root, "Zugangsnummer,label\nA0240001,glioma\nA0240002,normal\nA0249999,normal\n,glioma\n")
    (line,) = [line for line in said.splitlines() if "AccessionNumber" in line]
    for expected in ("note on 4 images", "'Zugangsnummer'", "2 of 4 rows", "rows 4 and 5", "slices without"):
        assert expected in line
    assert not any(number in said for number in ("A0240001", "A0249999"))


def test_the_plan_counts_numbers_that_several_patients_have(root):
    assert "patients, who" not in notes(root, by("AccessionNumber"))
    add_slices(root, "two", AccessionNumber="A0240001")
    assert "several patients, who share a row: 1 number" in notes(root, by("AccessionNumber"))
    assert labels(root, by("AccessionNumber"))["two_1"] == "glioma"


def test_rows_that_contradict_each_other_give_no_label_unless_the_first_is_to_count(root):
    text = "Key,label\nA0240001,glioma\nA0240001,normal\nA0240002,normal\n"
    found = labels(root, text)
    assert (found["one_1"], found["two_1"]) == (None, "normal")
    assert "differ" in notes(root, text)
    assert labels(root, text, several="first")["one_1"] == "glioma"


def test_a_study_goes_before_its_patient_where_a_table_has_both(root):
    text = "PatientID,Accession,label\n0070011,A0240001,glioma\n0070022,A0240002,normal\n70022,A0249999,glioma\n"
    found = labels(root, text)
    assert (found["one_1"], found["two_1"], found["later_1"]) == ("glioma", "normal", None)
    asked = labels(root, "Accession,PatientID,label\nA0240001,0070011,a\nA0240002,0070022,b\n", path_column="PatientID")
    assert (asked["two_1"], asked["later_1"]) == ("b", "b")


def test_columns_that_mean_different_scans_are_refused_until_one_is_chosen(root):
    text = "Aktuell,Voruntersuchung,label\nA0240001,A0240002,glioma\nA0240003,A0240001,normal\n"
    said = refusal(root, text)
    assert "--path-column" in said
    assert "Aktuell" in said
    assert "Voruntersuchung" in said
    for chosen in ("Voruntersuchung", "Voruntersuchung=AccessionNumber", "Voruntersuchung=accession number"):
        found = labels(root, text, path_column=chosen)
        assert (found["one_1"], found["two_1"], found["later_1"]) == ("normal", "glioma", None)
    assert "AccessionNumber" in refusal(root, text, path_column="Aktuell=Accession")
    assert "PatientID" in refusal(root, text, path_column="Aktuell=PatientID")


def test_a_column_whose_name_may_be_a_number_is_read_and_named_only_if_it_is_asked_for(root):
    text = "A0240003,label\nA0240001,glioma\nA0240002,normal\n"
    assert "A0240003" not in refusal(root, text)
    assert labels(root, text, path_column="A0240003")["two_1"] == "normal"


def test_a_study_by_its_empty_cell_does_not_lose_the_patient_in_silence(root):
    text = "PatientID,Accession,label\n0070011,A0240001,glioma\n0070022,A0240002,normal\n0070022,,glioma\n"
    assert "--path-column" in refusal(root, text)
    assert labels(root, text, path_column="Accession")["later_1"] is None


def test_ages_are_no_numbers_of_patients_unless_the_column_is_called_so(root):
    for study, age in (("one", "45"), ("two", "61")):
        add_slices(root, study, PatientID=age)
    assert "--path-column Alter=PatientID" in refusal(root, "Alter,label\n45,glioma\n61,normal\n")
    assert labels(root, "PatientID,label\n45,glioma\n61,normal\n")["one_1"] == "glioma"
    assert labels(root, "Alter,label\n45,glioma\n61,normal\n", path_column="Alter")["one_1"] == "glioma"


def test_a_few_values_that_happen_to_be_numbers_of_scans_are_not_taken(root):
    add_slices(root, "one", AccessionNumber="80123")
    text = "Ort,label\n80123,glioma\n" + "".join(f"{number},normal\n" for number in range(80000, 80010))
    assert "--path-column Ort=AccessionNumber" in refusal(root, text)
    assert labels(root, text, path_column="Ort=AccessionNumber")["one_1"] == "glioma"


def test_paths_go_before_numbers_and_paths_in_vain_are_not_passed_over(root):
    assert labels(root, "path,Accession,label\none_1.dcm,A0240001,glioma\n") | {"one_1": None} == dict.fromkeys(
        ["one_1", "one_2", "two_1", "two_2", "later_1", "later_2"]
    )
    said = refusal(root, "path,Accession,label\nelsewhere/x.dcm,A0240001,glioma\n")
    assert "names no file" in said
    assert "--path-column Accession=AccessionNumber" in said
    of_files = by("SOPInstanceUID", "image")
    assert labels(root, of_files)["two_2"] == "normal"


def test_a_row_for_a_file_counts_before_one_for_its_study(root):
    first = root.parent / "slices.csv"
    first.write_text("path,label\none_1.dcm,normal\n")
    found = labels(root, "Key,label\nA0240001,glioma\nA0240002,normal\n", labels=[first, root.parent / "labels.csv"])
    assert (found["one_1"], found["one_2"]) == ("normal", "glioma")


def test_a_study_counts_before_its_patient_whichever_table_comes_first(root):
    tables = [root.parent / name for name in ("studies.csv", "patients.csv")]
    tables[0].write_text("Key,label\nA0240002,glioma\nA0240001,normal\n")
    tables[1].write_text("Key,label\n0070022,normal\n")
    for order in (tables, tables[::-1]):
        found = labels(root, "", labels=order)
        assert (found["two_1"], found["later_1"]) == ("glioma", "normal")


@pytest.mark.parametrize("text", ["Key,label\nX1234567,glioma\n", "Key,label\n,glioma\n"])
def test_a_table_whose_rows_find_nothing_is_refused_without_its_numbers(root, text):
    for options in ({}, {"path_column": "Key=AccessionNumber"}):
        assert "X1234567" not in refusal(root, text, **options)


@pytest.mark.parametrize("name", ["AccessionNumber", "Acc. No.", "StudyInstanceUID", "Patienten-Nr"])
def test_a_column_that_should_hold_numbers_and_holds_none_of_these_scans_is_named_without_its_values(root, name):
    text = f"{name},label\nX1234567,glioma\n"
    for options in ({}, {"path_column": name}):
        said = refusal(root, text, **options)
        assert f"no row has a number of these scans in '{name}'" in said
        assert "X1234567" not in said
        assert "rounds" not in said
        assert "rounds" in refusal(root, text + "2.02E+11,normal\n", **options)
    for path in root.iterdir():
        path.unlink()
    PIL.Image.new("L", (9, 9)).save(root / "1.png")
    assert "of these scans" not in refusal(root, text)


LONG = "2024000012345678"


@pytest.mark.parametrize("left", ["2024000012345670", "2.024E+15", "2,02400001234568E+15", "2.0240000123456780e+15"])
def test_what_a_spreadsheet_has_cut_is_said_with_what_helps_and_means_no_scan(root, left):
    add_slices(root, "one", AccessionNumber=LONG)
    for text in (f'Key,label\n"{left}",glioma\n', f'Accession,label\n"{left}",glioma\nX1234567,normal\n'):
        name = text.partition(",")[0]
        for options in ({}, {"path_column": name}, {"path_column": f"{name}=AccessionNumber"}):
            said = refusal(root, text, **options)
            assert f"spreadsheet has cut numbers of these scans in '{name}'" in said
            assert "text" in said
            assert LONG not in said
    found = labels(root, f'Key,label\n"{left}",glioma\nA0240002,normal\nA0240003,normal\n')
    assert (found["one_1"], found["two_1"]) == (None, "normal")


@pytest.mark.parametrize("left", ["2024000012345660", "2.025E+15", "2.024E+16", "20240000123456700", LONG[:15], "20240000"])
def test_what_is_no_number_of_these_scans_is_not_called_cut(root, left):
    add_slices(root, "one", AccessionNumber=LONG)
    assert "cut numbers of these" not in refusal(root, f"Key,label\n{left},glioma\n")


def test_names_of_files_that_a_spreadsheet_has_cut_are_recognized(root):
    PIL.Image.fromarray(np.eye(9, dtype=np.uint8) * 255).save(root / f"{LONG}.png")
    for left in ("2024000012345670", "2.024E+15"):
        said = refusal(root, f"image,label\n1.png,normal\n{left},glioma\n")
        assert f"{LONG}.png" in said
        assert "cut" in said
    assert "cut" not in refusal(root, "image,label\n2024000012345660,glioma\n")


def test_no_number_is_anywhere_in_a_dataset_or_on_the_terminal(root, tmp_path, capfd):
    text = "Patienten-Nr,Accession,label\n70011,A240001,glioma\n70022,A240002,normal\n70099,A0249999,normal\n"
    command = ["import", root, "--out", tmp_path / "mri", "--labels", table(root, text)]
    app([str(word) for word in command], standalone_mode=False)
    said = "".join(capfd.readouterr())
    assert "2 of 3 rows match" in said
    manifest = Dataset.open(tmp_path / "mri").snapshot().manifest
    assert manifest.set_index("path")["label"]["two_1.dcm"] == "normal"
    assert len(manifest) == 6
    files = b"".join(path.read_bytes() for path in (tmp_path / "mri").rglob("*") if path.is_file())
    written = files.decode("latin-1") + manifest.to_csv() + said
    for number in ("70011", "70022", "70099", "A240001", "A0240002", "A0240003", "A0249999", "1.2.826.1"):
        assert number not in written


def test_the_command_says_it_in_its_plan(root, capfd):
    app(["import", str(root), "--plan", "--labels", str(table(root, by("AccessionNumber")))], standalone_mode=False)
    assert "labels.csv names studies by AccessionNumber, column 'Key': 2 of 2 rows match" in capfd.readouterr().out


def test_add_finds_new_scans_by_their_numbers(root, tmp_path):
    labels_csv = table(root, by("AccessionNumber", "Accession") + "A0240009,normal\n")
    out = tmp_path / "mri"
    import_scans([str(root)], out, labels=[labels_csv])
    add_slices(tmp_path / "march", "four")
    app(["add", str(out), str(tmp_path / "march"), "--labels", str(labels_csv)], standalone_mode=False)
    manifest = Dataset.open(out).snapshot().manifest
    assert manifest.set_index("path")["label"]["four_2.dcm"] == "normal"
    assert len(manifest) == 8


@pytest.fixture
def mri(root, tmp_path) -> Dataset:
    PIL.Image.fromarray(np.eye(9, dtype=np.uint8) * 255).save(root / "picture#1.png")
    return import_scans([str(root)], tmp_path / "mri", labels=[table(root, by("AccessionNumber"))])


def now(dataset: Dataset) -> dict[str, str | None]:
    held = dataset.labels.table()
    return {Path(path).stem: label or None for path, label in zip(held["path"], held["label"], strict=True)}


@pytest.mark.parametrize("options", [{}, {"path_column": "Key"}, {"path_column": "Key=AccessionNumber"}])
def test_labels_set_reads_the_numbers_of_the_imported_files_again(mri, root, options, capfd):
    corrections = table(root, "Key,label\nA0240001,normal\n a240003 ,glioma\nA0249999,glioma\nA0240002,\n")
    (root / "picture#1.png").unlink()  # has no header
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    app(["labels", "set", str(mri.folder), str(corrections), *words], standalone_mode=False)
    said = capfd.readouterr().out
    assert now(mri) == {
        **dict.fromkeys(["one_1", "one_2", "two_1", "two_2"], "normal"),
        **dict.fromkeys(["later_1", "later_2"], "glioma"),
        "picture#1": None,
    }
    for expected in ("3 of 4 rows match", "row 4", "slices without"):
        assert expected in said
    written = (mri.folder / "labels.db").read_bytes().decode("latin-1") + said
    assert not any(number in written for number in ("240001", "240003", "A0249999"))


def test_labels_set_of_several_numbers_and_rows_that_differ_follows_the_rules_of_import(mri, root):
    mri.labels.set(table(root, "PatientID,Accession,label\n0070022,A0240002,glioma\n0070011,A0240001,glioma\n"))
    assert now(mri)["later_1"] is None
    mri.labels.set(table(root, "Key,label\nA0240001,normal\nA0240001,glioma\n"))
    assert set(mri.labels.conflicts().people["name"]) == {"scans/one_1.dcm", "scans/one_2.dcm"}


@pytest.mark.parametrize("became", ["gone", "empty", "cut", "another"])
def test_where_a_file_is_gone_damaged_or_another_one_nothing_is_entered_by_numbers(mri, root, became):
    if became == "gone":
        (root / "later_2.dcm").unlink()
    elif became != "another":
        (root / "later_2.dcm").write_bytes((root / "later_2.dcm").read_bytes()[: {"empty": 0, "cut": 300}[became]])
    else:
        (root / "later_1.dcm").rename(root / "one_2.dcm")  # takes the place of another patient's
        add_slices(root, "later")
    before = now(mri)
    for options in ({}, {"path_column": "Key=AccessionNumber"}):
        with pytest.raises(FewscanError, match="one_2" if became == "another" else "later_2") as refused:
            mri.labels.set(table(root, "Key,label\nA0240003,normal\n"), **options)
        assert "A0240003" not in str(refused.value)
    assert now(mri) == before
    mri.labels.set(table(root, "path,label\none_1.dcm,normal\n"))
    assert now(mri)["one_1"] == "normal"
    with pytest.raises(FewscanError, match="names no file"):
        mri.labels.set(table(root, "path,label\nnowhere/x.png,normal\n"))


def test_numbers_are_kept_only_where_a_table_may_name_them(root):
    scans = list_scans(parse_sources([str(root)]), ImportOptions())
    assert not any(scan.numbers for scan in scans)
    assert "A0240001" not in repr(listed(root, by("AccessionNumber")))


def test_plan_import_counts_the_labels(root):
    plan = plan_import([str(root)], labels=[table(root, by("PatientID"))])
    assert plan.sources[0].classes == {"glioma": 2, "normal": 4}
