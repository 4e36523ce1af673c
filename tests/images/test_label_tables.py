"""Tables as spreadsheets and public sets write them: what is read, what is asked for, what they do to folders' labels."""

import re
import unicodedata
from pathlib import Path
from typing import get_args

import pytest

from fewscan.errors import FewscanError
from fewscan.images.listing import list_scans
from fewscan.images.listing.oddities import few_of_a_class, slips_in_classes, warnings_of
from fewscan.images.options import ImportOptions
from fewscan.images.patient_keys import PatientKeys
from fewscan.images.plan import plan_of
from fewscan.images.sources import ScanFile, parse_sources
from fewscan.images.tables.overlay import label_from_tables
from fewscan.images.tables.predictions import DECISIONS
from fewscan.labeling.rule import Decision

NAMES = [f"ISIC_{number}" for number in range(4)]
PLAIN = dict(zip((f"img/{name}.png" for name in NAMES), ("a", "b", "a", "b"), strict=True))


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "pool", *PLAIN)


def make(root: Path, *relatives: str) -> Path:
    for relative in relatives:
        (root / relative).parent.mkdir(parents=True, exist_ok=True)
        (root / relative).write_bytes(b"x")
    return root


def table(root: Path, text: str, encoding: str = "utf-8", name: str = "labels.csv") -> Path:
    (root / name).write_bytes(text.encode(encoding))
    return root / name


def listed(*sources: Path, labels: Path | list[Path], **options: object) -> list[ScanFile]:
    return list_scans(parse_sources([str(source) for source in sources]), ImportOptions.parse({"labels": labels} | options))


def labels_of(*sources: Path, labels: Path | list[Path], **options: object) -> dict[str, str | None]:
    return {scan.relative: scan.label for scan in listed(*sources, labels=labels, **options) if scan.set_aside is None}


def notes_of(scans: list[ScanFile]) -> str:
    return "\n".join(note for scan in scans for note in scan.notes)


def refusal(*sources: Path, labels: Path | list[Path], **options: object) -> str:
    with pytest.raises(FewscanError) as caught:
        listed(*sources, labels=labels, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_separators_and_encodings_are_read_where_the_file_shows_them(root, mark, encoding):
    text = f"path{mark}label\r\n" + "".join(f"{path}{mark}{label}\r\n" for path, label in PLAIN.items())
    assert labels_of(root, labels=table(root, text, encoding)) == PLAIN


def test_excels_line_that_names_the_separator_and_its_empty_rows_are_passed_over(root):
    text = "sep=;\r\npath;label\r\n" + "".join(f"{path};{label}\r\n" for path, label in PLAIN.items()) + ";\r\n;;\r\n"
    assert labels_of(root, labels=table(root, text)) == PLAIN


def test_a_comma_in_a_name_is_no_separator_where_semicolons_are(tmp_path):
    root = make(tmp_path, "a, b.png")
    assert labels_of(root, labels=table(root, "path;label\na, b.png;high, grade\n"))["a, b.png"] == "high, grade"


def test_an_encoding_that_nothing_shows_is_asked_for(root):
    text = "path,label\n" + "".join(f"{path},{label}ö\n" for path, label in PLAIN.items())
    labels = table(root, text, "cp1252")
    assert "--encoding" in refusal(root, labels=labels)
    assert set(labels_of(root, labels=labels, encoding="cp1252").values()) == {"aö", "bö"}
    assert "--encoding" in refusal(root, labels=labels, encoding="utf-7000")
    assert "--encoding" in refusal(root, labels=labels, encoding="utf-8")


def test_a_mark_of_utf_8_before_text_in_another_encoding_is_no_part_of_the_first_column(root):
    text = "path,label\n" + "".join(f"{path},{label}ö\n" for path, label in PLAIN.items())
    labels = root / "labels.csv"
    labels.write_bytes(b"\xef\xbb\xbf" + text.encode("cp1252"))
    assert set(labels_of(root, labels=labels, encoding="cp1252").values()) == {"aö", "bö"}


def test_a_separator_that_may_be_either_is_asked_for(root):
    labels = table(root, "path,x;label\nimg/ISIC_0.png,1;a\n")
    assert "--separator" in refusal(root, labels=labels)
    labels = table(root, "path,x;label\n" + "".join(f"{path};{label}\n" for path, label in PLAIN.items()))
    assert labels_of(root, labels=labels, separator="semicolon", path_column="path,x") == PLAIN


@pytest.mark.parametrize(
    "path",
    [
        r"img\{}.png",
        "{}",
        "{}.png",
        "img/{}.PNG",
        "IMG/{}.png",
        "img/{}.dcm",
        "/home/someone/data/img/{}.png",
        r"C:\Users\someone\img\{}.png",
        "pool/img/{}.png",
        "images_01/{}.png",
    ],
)
def test_paths_that_are_written_in_another_way_are_found_and_that_is_said(root, path):
    text = "path,label\n" + "".join(f"{path.format(name)},{label}\n" for name, label in zip(NAMES, "abab", strict=True))
    scans = listed(root, labels=table(root, text))
    assert {scan.relative: scan.label for scan in scans} == PLAIN
    assert "differently" in notes_of(scans)


def test_a_tail_counts_only_where_it_names_one_image(tmp_path):
    root = make(tmp_path / "pool", "p1/a.png", "p2/a.png", "p2/b.png")
    text = "path,label\n/else/p1/a.png,x\n/else/p2/a.png,y\n/else/p2/b.png,x\n"
    found = labels_of(root, labels=table(tmp_path, text), labels_only=True)
    assert found == {"p1/a.png": "x", "p2/a.png": "y", "p2/b.png": "x"}
    assert "a.png or " in refusal(root, labels=table(tmp_path, "path,label\na.png,x\n"))


def test_a_row_of_another_folder_is_not_taken_for_the_image_of_its_name(tmp_path):
    """Rows of a test set that is not here must not label training images of the same file names."""
    root = make(tmp_path / "train", "p1/1.png", "p1/2.png", "p3/7.png")
    rows = ["/x/train/p1/1.png,a", "/x/train/p1/2.png,b", "/x/test/p9/7.png,b"]
    scans = listed(root, labels=table(tmp_path, "\n".join(["path,label", *rows])), labels_only=True)
    assert {scan.relative: scan.label for scan in scans if scan.set_aside is None} == {
        "p1/1.png": "a",
        "p1/2.png": "b",
        "p3/7.png": None,
    }
    flat = make(tmp_path / "flat/train", "1.png")
    assert "names no file" in refusal(flat, labels=table(tmp_path, "path,label\n/x/test/1.png,a\n"))


def test_names_are_compared_to_the_letter_where_two_differ_in_case(tmp_path):
    root = make(tmp_path / "pool", "a.png", "A.png")
    assert labels_of(root, labels=table(tmp_path, "path,label\nA,x\na,y\n")) == {"A.png": "x", "a.png": "y"}


def test_a_letter_with_an_accent_is_one_however_the_name_of_a_file_or_folder_is_encoded(tmp_path):
    names = ("Müller/schädel.png", "café/é.jpg", "plain/1.png")
    for on_disk, written in (("NFD", "NFC"), ("NFC", "NFD")):
        root = make(tmp_path / on_disk, *(unicodedata.normalize(on_disk, name) for name in names))
        rows = "".join(f"{unicodedata.normalize(written, name)},x\n" for name in names)
        assert sorted(labels_of(root, labels=table(tmp_path, f"path,label\n{rows}")).values()) == ["x", "x", "x"]


def test_a_folder_stands_for_all_of_its_images_and_a_file_goes_before_it(tmp_path):
    root = make(tmp_path / "pool", "p1/a.png", "p1/deep/b.png", "p2/c.png")
    text = "path,label,patient\np1,x,7\np2/,y,8\np1/deep/b.png,z,\n"
    scans = listed(root, labels=table(tmp_path, text), labels_only=True)
    assert [(scan.relative, scan.label, scan.patient) for scan in scans] == [
        ("p1/a.png", "x", "7"),
        ("p1/deep/b.png", "z", "7"),
        ("p2/c.png", "y", "8"),
    ]


def test_columns_go_by_their_common_names_and_that_is_said(root):
    text = "Image Index,Finding Labels,Patient ID,Age\n" + "".join(f"{name}.png,x,{name[-1]},50\n" for name in NAMES)
    scans = [scan for scan in listed(root, labels=table(root, text)) if scan.label]
    assert [(scan.label, scan.patient) for scan in scans] == [("x", str(number)) for number in range(4)]
    assert "path in 'Image Index', label in 'Finding Labels', patient in 'Patient ID'" in notes_of(scans)


@pytest.mark.parametrize(
    ("header", "option"),
    [
        ("file,image,label", "--path-column"),
        ("path,class,diagnosis", "--label-column"),
        ("path,label,subject,pid", "--patient-column"),
        ("path,label,PatientenID,MRN", "--patient-column"),
        ("path,label,subset,partition", "--split-column"),
        ("path,malignant,x", "--label-column"),
        ("x,label,y", "--path-column"),
    ],
)
def test_a_column_that_cannot_be_known_is_asked_for_by_the_option(root, header, option):
    # The last two columns tell apart what the other holds together.
    rows = [["img/ISIC_0.png"] * 2, ["img/ISIC_0.png", "img/ISIC_1.png"], ["img/ISIC_1.png", "img/ISIC_0.png"]]
    lines = [",".join(["img/ISIC_0.png"] * (header.count(",") - 1) + cells) for cells in rows]
    assert option in refusal(root, labels=table(root, "\n".join([header, *lines]) + "\n"))


@pytest.mark.parametrize(
    ("header", "options"),
    [
        ("Bildnummer,Ergebnis,Alter", "--path-column 'Bildnummer' --label-column NAME"),
        # Of columns that are called like paths or labels, and not as them.
        ("Bildnummer,Enddiagnose,Alter", "--path-column 'Bildnummer' --label-column 'Enddiagnose'"),
        # By a column of patients alone no label would be found, and where another holds names of files no file.
        ("Bildnummer,Ergebnis,Fall-ID", "--path-column 'Bildnummer' --label-column NAME"),
        ("Bildnummer,Ergebnis,Patient", "--path-column 'Bildnummer' --label-column NAME"),
        ("Bildnummer,Ergebnis,ID", "--path-column 'Bildnummer' --label-column NAME"),
    ],
)
def test_all_columns_that_cannot_be_known_are_asked_for_at_once(root, header, options):
    text = f"{header}\n" + "".join(f"{name}.png,x,{number}\n" for number, name in enumerate(NAMES))
    assert options in refusal(root, labels=table(root, text))


def test_a_table_without_names_of_columns_is_refused_without_its_cells(root):
    said = refusal(root, labels=table(root, "a.png,Meier,x\nb.png,Huber,y\n"))
    assert "--path-column NAME --label-column NAME" in said
    assert "Meier" not in said


def test_german_names_of_columns_are_known_and_english_ones_go_before_them(root):
    text = "Datei;Befund;Patient\n" + "".join(f"{name}.png;x;p{number}\n" for number, name in enumerate(NAMES))
    scans = [scan for scan in listed(root, labels=table(root, text)) if scan.label]
    assert [(scan.label, scan.patient) for scan in scans] == [("x", f"p{number}") for number in range(4)]
    text = "Datei;Befund;diagnosis\n" + "".join(f"{name}.png;x;y\n" for name in NAMES)
    assert [label for label in labels_of(root, labels=table(root, text)).values() if label] == ["y"] * 4


@pytest.mark.parametrize(
    "column", ["PatientenID", "Patienten-Nr.", "Patientennummer", "Pat.-Nr.", "MRN", "Proband", "Paciente ID", "subject no"]
)
def test_a_column_that_is_surely_one_of_patients_is_read_in_whatever_language(root, column):
    text = f"Datei;Befund;{column}\n" + "".join(f"{name}.png;x;p{number}\n" for number, name in enumerate(NAMES))
    scans = [scan for scan in listed(root, labels=table(root, text)) if scan.label]
    assert [scan.patient for scan in scans] == [f"p{number}" for number in range(4)]
    text = f"Datei;Befund;Patient;{column}\n" + "".join(f"{name}.png;x;q;p\n" for name in NAMES)
    assert {scan.patient for scan in listed(root, labels=table(root, text)) if scan.label} == {"q"}


def test_what_is_said_in_place_of_a_class_is_no_class_wherever_labels_come_from(tmp_path):
    root = make(tmp_path / "pool", "a/1.png", "a/2.png", "unsure/3.png", "Not_a-scan/4.png", "weg/5.png", "leer/6.png")
    labels = table(tmp_path, "path,label,label_state\na/1.png,Unsure,\nb/9.png,b,\na/2.png,,not a scan\n")
    scans = listed(root, labels=labels, labels_only=False, rename={"weg": "UNSURE", "leer": "n/a"})
    of = {scan.relative: (scan.label, scan.state) for scan in scans if scan.set_aside is None}
    assert of == {
        "Not_a-scan/4.png": (None, "not a scan"), "a/1.png": (None, "unsure"), "a/2.png": (None, "not a scan"),
        "leer/6.png": (None, None), "unsure/3.png": (None, "unsure"), "weg/5.png": (None, "unsure"),
    }  # fmt: skip
    plan = plan_of(scans, parse_sources([str(root)]))
    assert (plan.sources[0].classes, plan.sources[0].unlabeled) == ({}, 6)
    renamed = listed(root, labels=labels, labels_only=False, rename={"unsure": "doubtful"}, no_label=["Not_a-scan"])
    assert {scan.relative: (scan.label, scan.state) for scan in renamed if scan.relative[0] in "uN"} == {
        "unsure/3.png": ("doubtful", None), "Not_a-scan/4.png": (None, None)
    }  # fmt: skip
    assert "nobody" in refusal(root, labels=labels, labels_only=False, rename={"nobody": "unsure"})


def test_the_column_of_states_may_repeat_the_label_and_renames_go_before_it(tmp_path):
    root = make(tmp_path / "pool", "1.png", "2.png", "3.png")
    text = "path,label,label_state\n1.png,Unsure,unsure\n2.png,a,label\n"
    scans = listed(root, labels=table(tmp_path, text))
    assert [(scan.label, scan.state) for scan in scans] == [(None, "unsure"), ("a", None), (None, None)]
    text = "path,label,label_state\n1.png,unsure,label\n2.png,,unsure\n"
    assert "--rename" in refusal(root, labels=table(tmp_path, text))
    scans = listed(root, labels=table(tmp_path, text), rename={"unsure": "doubtful"})
    assert [(scan.label, scan.state) for scan in scans[:2]] == [("doubtful", None), (None, "unsure")]
    assert "keep one" in refusal(root, labels=table(tmp_path, "path,label,label_state\n1.png,unsure,not a scan\n"))


def test_ids_are_read_as_spreadsheets_keep_them_and_those_that_lost_their_zeros_are_told(tmp_path):
    root = make(tmp_path / "pool", "0012.png", "0013.png", "15.png")
    text = 'Datei;Befund;PatientenID\r\n="0012";a;="007"\r\n"=""0013""";b\u200b;7\r\n15;\u00a0b;9\r\n'
    scans = listed(root, labels=table(tmp_path, text))
    of = {scan.relative: (scan.label, scan.patient) for scan in scans if scan.set_aside is None}
    assert of == {"0012.png": ("a", "007"), "0013.png": ("b", "7"), "15.png": ("b", "9")}
    assert "0013.png" in refusal(root, labels=table(tmp_path, "Datei;Befund\r\n12;a\r\n13;b\r\n"))


def test_folders_are_classes_beside_a_table_that_says_unsure_of_some(tmp_path):
    root = make(tmp_path / "pool", "a/1.png", "a/2.png", "b/3.png")
    assert list(labels_of(root, labels=table(tmp_path, "path,label\na/1.png,unsure\n")).values()) == [None, "a", "b"]


@pytest.mark.parametrize(("several", "label"), [("none", None), ("first", "b"), ("whole", "both")])
def test_a_cell_with_a_word_for_not_known_is_not_settled_whatever_becomes_of_several_findings(root, several, label):
    cells = ["a|unsure", "unklar|a", "NA|a", "b|a"]
    labels = table(root, "path,label\n" + "".join(f"{path},{cell}\n" for path, cell in zip(PLAIN, cells, strict=True)))
    scans = listed(root, labels=labels, several=several, rename={"b|a": "both"} if label == "both" else {})
    of = [(scan.label, scan.state) for scan in scans if scan.set_aside is None and scan.path.suffix == ".png"]
    assert of == [(None, "unsure"), (None, None), (None, None), (label, None)]


@pytest.mark.parametrize(
    ("columns", "cells", "taken"),
    [
        # Both say the same: the ID, in whichever order, language and spelling; an empty cell and words for nobody say nothing.
        (["PatientenID", "Patientenname"], ["7,Meier", "007,meier ", "8,Huber", "9,"], "7 007 8 9"),
        (["patient_name", "patient_id"], ["Meier,7", "Meier,7", "Huber,8", "Anonymous,9"], "7 7 8 9"),
        (["Nombre del paciente", "ID paciente"], ["Ruiz,7", "Ruiz,7", "Sanz,8", "Vega,9"], "7 7 8 9"),
        (["Patientenname", "MRN"], ["Meier,7", "Meier,7", "Huber,8", "Wolf,9"], "7 7 8 9"),
        # One ID under two names, as after a marriage, is one patient; so are two IDs of one name, which may be one person.
        (["patient_id", "patient_name"], ["7,Meier", "7,Maier", "8,Huber", "9,Wolf"], "7 7 8 9"),
        (["patient_id", "patient_name"], ["7,Meier", "6,Meier", "8,Huber", "9,Wolf"], "Meier Meier Huber Wolf"),
        (["Patient", "PatientenID"], ["Meier,7", "Maier,7", "Huber,8", "Wolf,9"], "7 7 8 9"),
        # A column that knows fewer patients leaves the others' unknown.
        (["patient_id", "patient_name"], [",Meier", "7,Meier", "8,Huber", "9,Wolf"], "Meier Meier Huber Wolf"),
        (["patient_id", "patient_name"], [",Meier", ",Meier", ",Huber", ",Wolf"], "Meier Meier Huber Wolf"),
    ],
)
def test_of_columns_that_name_the_patient_the_one_that_holds_most_together_is_read_and_that_is_said(
    root, columns, cells, taken
):
    text = f"path,label,{','.join(columns)}\n" + "".join(
        f"{name}.png,x,{cell}\n" for name, cell in zip(NAMES, cells, strict=True)
    )
    scans = [scan for scan in listed(root, labels=table(root, text)) if scan.label]
    assert [str(scan.patient) for scan in scans] == taken.split()
    assert all(f"'{column}'" in notes_of(scans) for column in columns)


def test_columns_that_contradict_each_other_over_patients_are_asked_for_without_a_name(root):
    cells = ["7,Meier", "7,Huber", "8,Meier", "9,Wolf"]
    text = "path,label,PatientenID,Patientenname\n"
    labels = table(root, text + "".join(f"{name}.png,x,{cell}\n" for name, cell in zip(NAMES, cells, strict=True)))
    said = refusal(root, labels=labels)
    assert "--patient-column" in said
    assert "Meier" not in said
    scans = [scan for scan in listed(root, labels=labels, patient_column="Patientenname") if scan.label]
    assert [scan.patient for scan in scans] == ["Meier", "Huber", "Meier", "Wolf"]


@pytest.mark.parametrize(
    ("cells", "rows"),
    [
        (["7,Meier", "7,Huber", "8,Meier", "9,Wolf"], []),
        (["7,", "8,", ",Meier", ",Wolf"], ["2 rows", "2 rows"]),
        (["7,", "6,Meier", "8,Meier", "9,Wolf"], ["1 row"]),
    ],
)
def test_of_columns_that_name_no_patient_in_some_rows_the_refusal_says_in_how_many(root, cells, rows):
    text = "path,label,patient_id,patient_name\n"
    labels = table(root, text + "".join(f"{name}.png,x,{cell}\n" for name, cell in zip(NAMES, cells, strict=True)))
    refused = refusal(root, labels=labels)
    assert re.findall(r"\d+ rows?\b", refused) == rows
    assert not re.search(r"\b0 ", refused)


def test_a_column_without_patients_is_not_said_to_have_the_same(root):
    labels = table(root, "path,label,patient_id,subject,patient_name\nISIC_0.png,x,7,,\nISIC_1.png,x,8,unknown,Meier\n")
    said = notes_of(listed(root, labels=labels))
    assert "the same patients in 'subject'" not in said
    assert "the same patients in 'patient_name'" in said


@pytest.mark.parametrize(
    ("cells", "labels"), [(["0,benign", "1,malignant"], ["benign", "malignant"]), (["0,benign", "0,malignant"], None)]
)
def test_of_columns_that_name_the_same_classes_words_go_before_numbers(root, cells, labels):
    text = "path,class,class_name\n" + "".join(f"{name}.png,{cell}\n" for name, cell in zip(NAMES[:2], cells, strict=True))
    if labels is None:
        assert "--label-column" in refusal(root, labels=table(root, text))
    else:
        assert [label for label in labels_of(root, labels=table(root, text)).values() if label] == labels


def test_one_hot_columns_are_classes_and_those_that_are_not_so_are_asked_for(root):
    rows = zip(NAMES, ["1.0,0.0,0", "0,1,0", "0,0,1.0", "1,0,0"], strict=True)
    labels = table(root, "image,MEL,NV,BCC\n" + "".join(f"{name},{cells}\n" for name, cells in rows))
    assert [label for label in labels_of(root, labels=labels).values() if label] == ["MEL", "NV", "BCC", "MEL"]
    text = "image,male,MEL,NV\n" + "".join(
        f"{name},{cells}\n" for name, cells in zip(NAMES, ["1,1,0", "0,0,1", "1,1,1", "1,0,0"], strict=True)
    )
    assert "--label-column" in refusal(root, labels=table(root, text))
    chosen = labels_of(root, labels=table(root, text), label_column="MEL,NV")
    assert [chosen[path] for path in PLAIN] == ["MEL", "NV", None, None]


@pytest.mark.parametrize("yes", ["1", "1.0", "x", "X", "ja", "TRUE"])
@pytest.mark.parametrize("no", ["0", "0,0", "", "nein", "FALSE"])
def test_the_only_mark_of_a_column_that_was_asked_for_is_a_one_and_that_is_said(root, yes, no):
    rows = zip(NAMES, [(yes, no), (no, yes), (yes, yes), (no, no)], strict=True)
    labels = table(root, "image,MEL,NV\n" + "".join(f'{name},"{one}","{other}"\n' for name, (one, other) in rows))
    scans = listed(root, labels=labels, label_column="MEL,NV")
    assert [scan.label for scan in scans if scan.path.suffix == ".png"] == ["MEL", "NV", None, None]
    assert (f"'{yes.lower()}' is read as 1" in notes_of(scans)) == (not yes.startswith("1"))


@pytest.mark.parametrize("doubt", ["?", "V.a.", "x", "-1", "2", "10", "NA", "unsure"])
@pytest.mark.parametrize("beside", ["1", "0", ""])
def test_a_cell_of_a_class_that_is_neither_yes_nor_no_settles_nothing_and_is_named(root, doubt, beside):
    rows = zip(NAMES, [f"{beside},{doubt}", "1,0", "0,1", "0,1"], strict=True)
    labels = table(root, "image,MEL,NV\n" + "".join(f"{name},{cells}\n" for name, cells in rows))
    scans = listed(root, labels=labels, label_column="MEL,NV")
    of_table = [scan for scan in scans if scan.path.suffix == ".png"]
    assert [scan.label for scan in of_table] == [None, "MEL", "NV", "NV"]
    assert of_table[0].state == ("unsure" if doubt == "unsure" else None)
    for expected in ("row 2", f"'{doubt}'", "'NV'"):
        assert expected in notes_of(scans)


@pytest.mark.parametrize("cells", ["1,1", "x,x", "?,?"])
def test_where_a_table_is_given_nobody_is_told_to_give_one(tmp_path, cells):
    root = make(tmp_path, *(f"t{number}/{number}.png" for number in range(4)))
    labels = table(root, "image,MEL,NV\n" + "".join(f"t{number}/{number}.png,{cells}\n" for number in range(4)))
    asked = ImportOptions.parse({"labels": [labels], "label_column": "MEL,NV"})
    sources = parse_sources([str(root)])
    (said,) = [line for line in warnings_of(list_scans(sources, asked), sources, asked) if "--class-level" in line]
    assert "--labels CSV" not in said


def test_words_for_no_label_are_no_class_and_are_counted(root):
    text = "path,label\n" + "".join(f"{path},{word}\n" for path, word in zip(PLAIN, ["a", "NA", "?", "none"], strict=True))
    scans = listed(root, labels=table(root, text))
    assert [scan.label for scan in scans if scan.path.suffix == ".png"] == ["a", None, None, None]
    assert "'none' in labels.csv is read as no label" in notes_of(scans)
    assert set(labels_of(root, labels=table(root, text), rename={"none": "healthy"}).values()) == {"a", "healthy", None}


def test_further_words_for_no_label_leave_the_usual_ones_what_they_are(root):
    text = "path,label\n" + "".join(f"{path},{word}\n" for path, word in zip(PLAIN, ["a", "NA", "k.A.", "-"], strict=True))
    assert set(labels_of(root, labels=table(root, text)).values()) == {"a", "k.A.", "-", None}
    assert set(labels_of(root, labels=table(root, text), no_label=["K.A.", "-"]).values()) == {"a", None}


def test_an_empty_cell_is_told_from_a_word_for_no_label(root):
    text = "path,label\n" + "".join(f"{path},{word}\n" for path, word in zip(PLAIN, ["a", "", " ", "b"], strict=True))
    scans = listed(root, labels=table(root, text))
    assert "labels.csv is empty" in notes_of(scans)
    assert "--no-label" not in notes_of(scans)


@pytest.mark.parametrize(
    ("several", "expected"),
    [("none", [None, "Mass", None]), ("first", ["Effusion", "Mass", "Mass"]), ("whole", None)],
)
def test_a_cell_of_several_findings_is_no_class_unless_it_is_said_how(root, several, expected):
    text = "path,label\n" + "".join(
        f"{path},{cell}\n" for path, cell in zip(PLAIN, ["Effusion|Mass", "Mass|", "Mass|Effusion", "Mass"], strict=True)
    )
    labels = table(root, text)
    if expected is None:
        said = refusal(root, labels=labels, several=several)
        for name in ("Effusion|Mass", "Mass|Effusion"):
            assert f"--rename '{name}=NEW'" in said
        return
    scans = [scan for scan in listed(root, labels=labels, several=several) if scan.path.suffix == ".png"]
    assert [scan.label for scan in scans][:3] == expected
    assert sum("several findings" in notes_of([scan]) for scan in scans) == 2


@pytest.mark.parametrize(
    ("several", "expected"),
    [("none", [None, "Mass", None]), ("first", ["Effusion", "Mass", "Mass"]), ("whole", ["both", "Mass", "three"])],
)
def test_rows_of_one_table_that_name_one_image_are_several_findings(root, several, expected):
    rows = zip("00112222", ["Effusion", "Mass", "Mass", "Mass", "Mass", "Nodule", "Effusion", "Mass"], strict=True)
    labels = table(root, "path,label\n" + "".join(f"{list(PLAIN)[int(at)]},{label}\n" for at, label in rows))
    whole = {"Effusion|Mass": "both", "Mass|Nodule|Effusion": "three"} if several == "whole" else {}
    scans = [scan for scan in listed(root, labels=labels, several=several, rename=whole) if scan.path.suffix == ".png"]
    assert [scan.label for scan in scans][:3] == expected
    assert [notes_of([scan]).count("rows of ") for scan in scans] == [1, 0, 1, 0]


def test_a_patient_is_one_where_headers_or_tables_of_parts_name_another_column(tmp_path):
    train, test = make(tmp_path / "train", "1.png", "2.png"), make(tmp_path / "test", "3.png")
    names = table(train, "path,label,patient_id,patient_name\n1.png,a,7,Meier\n2.png,b,6,Meier\n")
    ids = table(test, "path,label,patient_id,patient_name\n3.png,a,7,Meier\n")
    by_name, by_id = listed(train, labels=names), listed(test, labels=ids)
    assert {scan.patient for scan in by_name if scan.label} == {"Meier"}
    assert {scan.patient for scan in by_id if scan.label} == {"7"}
    assert len(set(PatientKeys().hashed([*by_name, *by_id])) - {None}) == 1
    header = {"patient": "007", "patient_scopes": ("dicom",)}
    north, south = ScanFile("north", "1.png", train / "1.png", **header), ScanFile("south", "3.png", test / "3.png", **header)
    sources = parse_sources([f"north={train}"])
    read = label_from_tables([north], sources, [names], ImportOptions(), {})
    assert len(set(PatientKeys().hashed([*read, south])) - {None}) == 1


def test_a_patient_is_one_however_the_table_writes_its_number(root):
    text = "path,patient\n" + "".join(f"{path},{number}\n" for path, number in zip(PLAIN, ["1", "1.0", "01", "2"], strict=True))
    scans = [scan for scan in listed(root, labels=table(root, text)) if scan.patient]
    hashes = list(PatientKeys().hashed(scans))
    assert len(set(hashes[:3])) == 1
    assert hashes[3] != hashes[0]


@pytest.mark.parametrize(
    ("numbers", "cut"), [(["2.02E+15", "2.02E+15"], 2), (["1234567890123450", "77"], 1), (["1200", "77"], 0)]
)
def test_patients_whose_numbers_a_spreadsheet_cut_are_counted_without_their_numbers(root, numbers, cut):
    text = "path,patient\n" + "".join(f"{path},{number}\n" for path, number in zip(PLAIN, numbers, strict=False))
    scans = [scan for scan in listed(root, labels=table(root, text)) if scan.patient]
    noted = [note for scan in scans for note in scan.notes if "spreadsheet" in note]
    assert len(noted) == cut
    assert not any(number in note for note in noted for number in numbers)


def test_words_for_no_patient_are_no_patient(root):
    text = "path,patient\n" + "".join(f"{path},{word}\n" for path, word in zip(PLAIN, ["nan", "unknown", "", "7"], strict=True))
    scans = [scan for scan in listed(root, labels=table(root, text)) if scan.path.suffix == ".png"]
    assert [scan.patient for scan in scans] == [None, None, None, "7"]


def test_a_table_of_patients_leaves_the_labels_of_folders(tmp_path):
    root = make(tmp_path / "pool", "a/1.png", "b/2.png")
    scans = listed(root, labels=table(tmp_path, "path,patient\na/1.png,p\nb/2.png,q\n"))
    assert [(scan.label, scan.label_from, scan.patient) for scan in scans] == [("a", "folder", "p"), ("b", "folder", "q")]


def test_a_split_column_is_kept_by_any_of_its_words_and_others_are_named(root):
    text = "path,split\n" + "".join(
        f"{path},{part}\n" for path, part in zip(PLAIN, ["Training", "dev", "TEST", "valid"], strict=True)
    )
    scans = [scan for scan in listed(root, labels=table(root, text)) if scan.path.suffix == ".png"]
    assert [scan.given_split for scan in scans] == ["train", "validation", "test", "validation"]
    message = refusal(root, labels=table(root, "path,fold\nimg/ISIC_0.png,3\n"), split_column="fold")
    assert "'3'" in message
    assert "--split-column" in message


def test_a_table_adds_to_folders_and_goes_before_them_with_a_note(tmp_path):
    root = make(tmp_path / "pool", "a/1.png", "a/2.png", "b/3.png", "b/4.png")
    scans = listed(root, labels=table(tmp_path, "path,label\na/1.png,b\nb/3.png,B\n"), rename={"B": "b"})
    assert [(scan.label, scan.label_from) for scan in scans] == [
        ("b", "labels.csv"),
        ("a", "folder"),
        ("b", "labels.csv"),
        ("b", "folder"),
    ]
    sources = parse_sources([str(root)])
    notes = plan_of(scans, sources).sources[0].notes
    assert list(notes.values()) == [1]
    assert all(word in next(iter(notes)) for word in ("labels.csv", "'b'", "'a'"))


def test_labels_only_ignores_folders_and_an_empty_cell_does_not(tmp_path):
    root = make(tmp_path / "pool", "a/1.png", "a/2.png", "b/3.png")
    labels = table(tmp_path, "path,label\na/1.png,b\nb/3.png,\n")
    assert list(labels_of(root, labels=labels).values()) == ["b", "a", "b"]
    assert list(labels_of(root, labels=labels, labels_only=True).values()) == ["b", None, None]


def test_folders_that_are_no_classes_by_a_table_are_asked_about_where_it_leaves_images(tmp_path):
    root = make(tmp_path / "pool", "north/1.png", "north/2.png", "south/3.png")
    labels = table(tmp_path, "path,label\nnorth/1.png,x\nsouth/3.png,y\n")
    message = refusal(root, labels=labels)
    assert "--labels-only" in message
    assert "--labels-and-folders" in message
    assert list(labels_of(root, labels=labels, labels_only=True).values()) == ["x", None, "y"]
    assert list(labels_of(root, labels=labels, labels_only=False).values()) == ["x", "north", "y"]
    whole = table(tmp_path, "path,label\nnorth/1.png,x\nnorth/2.png,NA\nsouth/3.png,y\n")
    assert list(labels_of(root, labels=whole).values()) == ["x", None, "y"]


def test_an_option_about_tables_needs_a_table(root):
    with pytest.raises(FewscanError, match="--labels-only"):
        list_scans(parse_sources([str(root)]), ImportOptions(labels_only=True))


PREDICTED = "path,label,probability_a,probability_b,score,possible,decision,reason\n"


@pytest.mark.parametrize("header", [PREDICTED, PREDICTED.title(), PREDICTED.upper()])
def test_what_fewscan_predicted_is_no_label_unless_it_is_trusted(root, header):
    rows = [f"{path},a,0.9,0.1,0.9,a,{decision},\n" for path, decision in zip(PLAIN, ["accept", "review"] * 2, strict=True)]
    labels = table(root, header + "".join(rows))
    assert "--trust-predictions" in refusal(root, labels=labels)
    scans = [scan for scan in listed(root, labels=labels, trust_predictions=True) if scan.path.suffix == ".png"]
    assert [(scan.label, scan.label_from) for scan in scans] == [("a", "predictions labels.csv"), (None, None)] * 2


@pytest.mark.parametrize("left", ["path,label,decision", "path,label,probability_a", "label,probability_a,probability_b,path"])
def test_nor_is_it_where_columns_were_taken_away(root, left):
    values = {"label": "a", "probability_a": "0.9", "probability_b": "0.1", "decision": "review"}
    rows = [",".join({**values, "path": path}[name] for name in left.split(",")) for path in PLAIN]
    labels = table(root, "\n".join([left, *rows]) + "\n")
    assert "--trust-predictions" in refusal(root, labels=labels)
    if "decision" in left:
        assert {scan.label_from for scan in listed(root, labels=labels, trust_predictions=True)} <= {"folder", None}
    else:
        assert "'decision'" in refusal(root, labels=labels, trust_predictions=True)


def test_a_persons_labels_beside_other_columns_are_hers(root):
    rows = "".join(f"{path},a,surgery,0.2\n" for path in PLAIN)
    labels = table(root, "path,label,decision,probability_of_death\n" + rows)
    assert {scan.label_from for scan in listed(root, labels=labels) if scan.label == "a"} == {"labels.csv"}


def test_what_is_decided_is_what_label_decides():
    assert {*get_args(Decision), "unreadable"} == DECISIONS


def test_a_prediction_changes_no_label_that_a_person_gave(tmp_path):
    root = make(tmp_path / "pool", "a/1.png", "b/2.png", "3.png", "4.png")
    rows = "".join(f"{path},a,0.9,0.1,0.9,a,accept,\n" for path in ("a/1.png", "b/2.png", "3.png", "4.png"))
    guesses = table(tmp_path, PREDICTED + rows, name="guesses.csv")
    checked = table(tmp_path, "path,label\n3.png,b\n", name="checked.csv")
    scans = listed(root, labels=[guesses, checked], trust_predictions=True)
    assert {scan.relative: scan.label_from for scan in scans} == {
        "3.png": "checked.csv",
        "4.png": "predictions guesses.csv",
        "a/1.png": "folder",
        "b/2.png": "folder",
    }
    assert {scan.relative: scan.label for scan in scans} == {"3.png": "b", "4.png": "a", "a/1.png": "a", "b/2.png": "b"}
    assert "a prediction changes no" in notes_of(scans)


@pytest.mark.parametrize("header", ["row,group,label,predicted,probability_a,score", "row,label,logit_a,logit_b"])
def test_tables_about_rows_of_a_dataset_give_no_labels(root, header):
    labels = table(root, f"{header}\n" + ",".join(["1"] * len(header.split(","))) + "\n")
    assert "names no files" in refusal(root, labels=labels, trust_predictions=True)


@pytest.mark.parametrize("column", ["id", "ID code", "patientId"])
def test_a_column_of_numbers_names_files_where_no_other_column_does(root, column):
    names = [path.rpartition("/")[2].rpartition(".")[0] for path in PLAIN]
    labels = table(root, f"{column},diagnosis\n" + "".join(f"{name},x\n" for name in names))
    scans = [scan for scan in listed(root, labels=labels) if scan.label == "x"]
    assert len(scans) == len(names)
    assert (scans[0].patient is None) == (column != "patientId")
    assert f"path in '{column}'" in notes_of(scans)


def test_a_column_of_paths_is_no_column_of_labels(root):
    labels = table(root, "path,label\n" + "".join(f"{path},x\n" for path in PLAIN))
    assert "the column 'path'" in refusal(root, labels=labels, label_column="path")


def test_rows_that_put_one_image_into_two_parts_of_a_split_are_refused_and_a_table_goes_before_a_folder(tmp_path):
    root = make(tmp_path / "pool", "train/1.png", "train/2.png")
    two = table(tmp_path, "path,split,patient\ntrain/1.png,train,p\ntrain/1.png,test,p\n")
    message = refusal(root, labels=two)
    assert all(word in message for word in ("train/1.png", "'train'", "'test'"))
    scans = listed(root, labels=table(tmp_path, "path,split,patient\ntrain/1.png,test,p\ntrain/2.png,,p\ntrain/2.png,,p\n"))
    assert [(scan.given_split, scan.patient) for scan in scans] == [("test", "p"), ("train", "p")]
    assert ["another part of the split" in notes_of([scan]) for scan in scans] == [True, False]


def test_probabilities_alone_are_no_labels(root):
    rows = "".join(f"{path},p{number},0.9\n" for number, path in enumerate(PLAIN))
    scans = listed(root, labels=table(root, "path,patient,probability_a\n" + rows))
    assert {scan.patient for scan in scans if scan.path.suffix == ".png"} == {"p0", "p1", "p2", "p3"}
    assert {scan.label_from for scan in scans if scan.label is not None} <= {"folder"}


def test_the_plan_says_that_labels_are_a_networks(root):
    rows = "".join(f"{path},a,0.9,0.1,0.9,a,accept,\n" for path in PLAIN)
    scans = listed(root, labels=table(root, PREDICTED + rows), trust_predictions=True)
    ((whence, count),) = plan_of(scans, parse_sources([str(root)])).sources[0].labels_from.items()
    assert ("labels.csv" in whence, "network" in whence, count) == (True, True, 4)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Recording,Split,Remark\nA1,train,Meier\nA2,test,Huber\n", True),
        ("Recording,Diagnosis,Remark\nA1,tumor,Meier\nA2,none,Huber\n", True),
        ("Recording,Seen,Remark\nA1.png,x,Meier\nA2.png,y,Huber\n", True),
        ("Anna Meier,tumor,old\nJan Huber,none,new\n", False),
        ("Anna Meier,finding,old\nJan Huber,finding,new\n", False),
        ("Meier.png,finding,Anna Meier\nHuber.png,none,Jan Huber\n", False),
    ],
)
def test_columns_are_named_where_the_first_line_surely_names_them(root, text, named):
    said = refusal(root, labels=table(root, text))
    assert ("'Recording'" in said) == named
    assert "Meier" not in said


def test_a_table_without_labels_is_noted_where_no_image_has_one(root):
    flat = make(root.parent / "flat", "a.png", "b.png")
    without = table(flat, "Image,,Patient\nName,Diagnosis,Number\na.png,tumor,7\nb.png,none,8\n")
    assert "no column of labels" in notes_of(listed(flat, labels=without))
    labels = table(flat, "path,label\na.png,tumor\nb.png,none\n", name="others.csv")
    assert "no column of labels" not in notes_of(listed(flat, labels=[without, labels]))
    unlabeled = list_scans(parse_sources([], [str(flat)]), ImportOptions.parse({"labels": without}))
    assert "no column of labels" not in notes_of(unlabeled)


def test_a_column_of_free_text_is_named(root):
    names = [f"{number}.png" for number in range(101)]
    flat = make(root.parent / "flat", *names)
    text = "".join(f"{name},seen on day {name[:-4]}\n" for name in names)
    said = refusal(flat, labels=table(flat, f"path,Finding\n{text}"))
    assert all(words in said for words in ("labels.csv", "'Finding'"))
    assert not any(words in said for words in ("day", "folders"))
    # Rows of other images do not count.
    table(flat, f"path,Finding\n{text}" + "x.png,a\n")
    (flat / names[0]).unlink()
    assert "seen on day 1" in labels_of(flat, labels=flat / "labels.csv").values()


def test_all_columns_and_rows_that_cannot_be_read_are_named_at_once(root):
    images = "".join(f"img/{name}.png,a,train\n" for name in NAMES)
    columns = refusal(root, labels=table(root, f"file,kind,fold\n{images}"), label_column="finding", patient_column="person")
    assert "'finding'" in columns
    assert "'person'" in columns
    rows = f"path,label,split\nimg/{NAMES[0]}.png,a,fifth\nimg/{NAMES[1]}.png,b,train\nimg/{NAMES[2]}.png,a,sixth\n"
    said = refusal(root, labels=table(root, rows))
    assert "row 2" in said
    assert "row 4" in said
    make(root, *(f"{folder}/{name}.png" for folder in ("one/x", "two/x") for name in ("7", "8")))
    unclear = refusal(root, labels=table(root, "path,label\n7.png,a\n8.png,b\n"))
    assert "'7.png'" in unclear
    assert "'8.png'" in unclear


def test_all_rows_that_contradict_each_other_are_named_at_once(root):
    rows = "".join(f"img/{name}.png,{part}\n" for name in NAMES[:2] for part in ("train", "test"))
    said = refusal(root, labels=table(root, f"path,split\n{rows}"))
    assert NAMES[0] in said
    assert NAMES[1] in said


def test_a_label_that_is_spelled_otherwise_is_named_with_its_rows_beside_folders_and_tables(tmp_path):
    pool = make(tmp_path / "pool", *(f"glioma/{number}.png" for number in range(6)), "pituitary/3.png", "pituitary/4.png")
    first = table(pool, "path,label\nglioma/1.png,Glioma\n", name="first.csv")
    second = table(
        pool, "path,label\nglioma/2.png,GLIOMA\npituitary/4.png,pituitary\npituitary/3.png,Glioma\n", name="second.csv"
    )
    said = refusal(pool, labels=[first, second])
    assert "'Glioma' (first.csv, row 2; second.csv, row 4)" in said
    assert "'GLIOMA' (second.csv, row 2)" in said


def test_the_plan_names_rows_that_differ_or_name_no_file_and_a_class_that_may_be_a_slip(tmp_path):
    pool = make(tmp_path / "pool", *(f"{name}/{number}.png" for name in ("meningioma", "pituitary") for number in range(4)))
    rows = ["meningioma/0.png,menigioma", "gone.png,pituitary", "pituitary/1.png,pituitary", "away.png,pituitary"]
    rows.append("pituitary/1.png,meningioma")
    labels = table(pool, "path,label\n" + "".join(f"{row}\n" for row in rows))
    scans = listed(pool, labels=labels)
    lines = plan_of(scans, parse_sources([str(pool)])).lines
    (aside,) = [line for line in lines if "set aside" in line]
    assert all(words in aside for words in ("gone.png (labels.csv, row 3)", "away.png (labels.csv, row 5)"))
    (differ,) = [line for line in lines if "rows of labels.csv differ" in line]
    assert "pituitary/1.png (labels.csv, rows 4 and 6)" in differ
    for (warning,) in (slips_in_classes(scans), few_of_a_class(scans)):
        assert "'menigioma' (labels.csv, row 2)" in warning
