"""From the layouts people have to one list of files: which file, which label, which patient, and what is refused."""

import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.errors import FewscanError
from fewscan.images.listing import list_scans
from fewscan.images.listing.walk import LINK_OUT, WRITTEN
from fewscan.images.options import ImageSpec, ImportOptions
from fewscan.images.readers import read_images
from fewscan.images.sources import ScanFile, Source, parse_sources


@pytest.fixture
def root(tmp_path):
    return tmp_path / "scans"


def make(root: Path, *relatives: str) -> Path:
    for relative in relatives:
        (root / relative).parent.mkdir(parents=True, exist_ok=True)
        (root / relative).write_bytes(b"x")
    return root


def table(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def listed(*sources: str | Path, unlabeled: tuple[str, ...] = (), **options: object) -> list[ScanFile]:
    return list_scans(parse_sources([str(source) for source in sources], unlabeled), ImportOptions.parse(options))


def labels_of(scans: list[ScanFile]) -> dict[str, str | None]:
    return {scan.relative: scan.label for scan in scans}


def refusal(*sources: str | Path, **options: object) -> str:
    with pytest.raises(FewscanError) as caught:
        listed(*sources, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_label_is_the_folder_right_above_at_any_depth(root):
    make(root, "glioma/a.png", "Training/glioma/b.png", "site 1/Testing/no tumor/c.png")
    assert labels_of(listed(root)) == {
        "glioma/a.png": "glioma",
        "Training/glioma/b.png": "glioma",
        "site 1/Testing/no tumor/c.png": "no tumor",
    }


def test_files_at_the_root_and_in_folders_named_like_parts_have_no_label(root):
    parts = ["train", "Training", "test", "TESTING", "val", "valid", "validation", "unlabeled", "Unlabeled", "images", "data"]
    make(root, "a.png", *(f"{part}/b.png" for part in parts))
    assert set(labels_of(listed(root)).values()) == {None}


def test_the_name_of_the_source_itself_is_no_label(tmp_path):
    assert labels_of(listed(make(tmp_path / "glioma", "a.png"))) == {"a.png": None}


def test_an_unlabeled_source_has_no_labels_whatever_its_folders(root, tmp_path):
    make(root, "glioma/a.png")
    make(tmp_path / "pile", "glioma/b.png")
    scans = listed(root, unlabeled=(f"more={tmp_path / 'pile'}",))
    assert [(scan.source, scan.label) for scan in scans] == [("scans", "glioma"), ("more", None)]


def test_files_come_in_the_order_of_the_sources_then_by_path(tmp_path):
    make(tmp_path / "b", "z/1.png", "a/2.png", "10.png")
    make(tmp_path / "a", "x.png")
    scans = listed(tmp_path / "b", tmp_path / "a")
    assert [(scan.source, scan.relative) for scan in scans] == [
        ("b", "10.png"),
        ("b", "a/2.png"),
        ("b", "z/1.png"),
        ("a", "x.png"),
    ]
    assert all(scan.path.is_file() for scan in scans)


def test_system_files_are_passed_over_and_no_others(root):
    make(
        root, "a/1.png", "a/.DS_Store", ".git/x", "__MACOSX/a/1.png", "a/Thumbs.db", "a/notes.txt", "other.csv", "a/.hidden.png"
    )
    assert list(labels_of(listed(root))) == ["a/1.png", "a/notes.txt", "other.csv"]


def test_sources_are_named_or_take_the_name_of_their_folder(tmp_path, monkeypatch):
    make(tmp_path / "one", "a.png")
    make(tmp_path / "k=v", "a.png")
    monkeypatch.chdir(tmp_path / "one")
    assert parse_sources([f"mine={tmp_path / 'one'}"]) == (Source("mine", tmp_path / "one"),)
    assert parse_sources([str(tmp_path / "k=v")]) == (Source("k=v", tmp_path / "k=v"),)
    assert parse_sources(["."]) == (Source("one", tmp_path / "one"),)
    assert parse_sources([], [str(tmp_path / "one")]) == (Source("one", tmp_path / "one", labeled=False),)


def test_sources_that_cannot_be_are_refused(tmp_path):
    make(tmp_path, "one/scans/a.png", "two/scans/a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "no source given" in refusal()
    assert "cannot open the folder" in refusal(tmp_path / "nowhere")
    assert "cannot open the folder" in refusal(tmp_path / "loop")
    assert "cannot open the folder" in refusal("x" * 5000)
    assert "is a file" in refusal(tmp_path / "one/scans/a.png")
    assert "no files in" in refusal(tmp_path / "empty")
    assert "has no name" in refusal("/")
    assert "two sources are called 'scans'" in refusal(tmp_path / "one/scans", tmp_path / "two/scans")
    assert "is given twice" in refusal(tmp_path / "one", tmp_path / "one")
    assert "did you mean 'dubail'?" in refusal("kaggle:dubai")
    assert "overlap" in refusal(tmp_path / "one", tmp_path / "one/scans")
    assert "overlap" in refusal(f"a={tmp_path / 'one'}", unlabeled=(f"b={tmp_path / 'one'}",))


def test_folders_without_rights_are_refused(root, rights_count):
    make(root, "a/1.png", "b/2.png")
    (root / "b").chmod(0)
    message = refusal(root)
    (root / "b").chmod(0o755)
    assert f"cannot read the folder {root / 'b'}" in message


@pytest.fixture
def linked(root, tmp_path):
    """A source with links to what is inside and outside of it, to nothing, and in circles."""
    make(tmp_path / "store", "x.png", "pituitary/y.png")
    make(root, "glioma/a.png", "zebra/b.png", ".annex/c.png")
    (root / "glioma/linked.png").symlink_to(tmp_path / "store/x.png")
    (root / "glioma/same.png").symlink_to("a.png")
    (root / "glioma/hidden.png").symlink_to("../.annex/c.png")
    (root / "glioma/back").symlink_to(root)
    (root / "more").symlink_to(tmp_path / "store")
    (root / "again").symlink_to(root / "zebra")
    (tmp_path / "store/round").symlink_to(root)
    (root / "glioma/broken.png").symlink_to(tmp_path / "nowhere")
    (root / "glioma/self").symlink_to(root / "glioma/self")
    return root


def test_links_out_of_a_source_are_set_aside_and_those_inside_passed_over_and_counted(linked, capfd):
    found = {scan.relative: (scan.set_aside or "").split(":")[0] for scan in listed(linked)}
    assert found == {
        "glioma/a.png": "",
        "glioma/linked.png": "a link out of the folder",
        "glioma/hidden.png": "",
        "glioma/broken.png": "no such file",
        "glioma/self": "cannot be read",
        "more": "a link out of the folder",
        "zebra/b.png": "",
    }
    # same.png, back and again.
    assert f"{linked.name}: 3 links" in capfd.readouterr().err


def test_links_are_followed_where_that_is_asked_for_and_loops_end(linked):
    assert labels_of(listed(linked, follow_links=True)) == {
        "glioma/a.png": "glioma",
        "glioma/linked.png": "glioma",
        "glioma/same.png": "glioma",
        "glioma/hidden.png": "glioma",
        "glioma/broken.png": "glioma",
        "glioma/self": "glioma",
        "more/x.png": "more",
        "more/pituitary/y.png": "pituitary",
        "zebra/b.png": "zebra",
    }


def test_a_source_that_is_a_link_itself_is_read(linked, tmp_path):
    (tmp_path / "way").symlink_to(linked)
    assert [scan.relative for scan in listed(tmp_path / "way")] == [scan.relative for scan in listed(linked)]


def test_not_even_a_hash_is_taken_through_a_link_that_is_set_aside(linked):
    scans = [scan for scan in listed(linked) if scan.set_aside and scan.set_aside.startswith("a link")]
    assert [(image.reason, image.sha256) for image in read_images(scans, ImageSpec(size_px=8))] == [(LINK_OUT, None)] * 2


def test_what_fewscan_wrote_is_no_folder_of_scans(root):
    dataset = ["mydata/dataset.json", "mydata/labels.db", "mydata/features/0.npy"]
    make(root, "glioma/a.png", *dataset, "runs/first/run.json", "runs/first/config.yaml", "runs/first/stress.png")
    make(root, "nnUNet/dataset.json", "nnUNet/imagesTr/b.png")
    aside = [scan.relative for scan in listed(root) if scan.set_aside == WRITTEN]
    assert aside == ["mydata", "runs/first"]
    assert (
        {"glioma/a.png", "nnUNet/imagesTr/b.png"}
        <= set(labels_of(listed(root)))
        <= {*aside, *("glioma/a.png", "nnUNet/imagesTr/b.png", "nnUNet/dataset.json")}
    )
    assert "fewscan dataset" in refusal(root / "mydata")
    assert "fewscan run" in refusal(root / "runs/first")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
def test_a_name_that_is_not_utf8_is_set_aside(root):
    make(root, "a.png")
    os.close(os.open(os.fsencode(root) + b"/b\xff.png", os.O_CREAT))
    odd = listed(root)[1]
    assert odd.relative == "b\\xff.png"
    assert odd.set_aside.startswith("name is not UTF-8")


def test_a_csv_gives_labels_and_patients_relative_to_itself(root):
    make(root, "a.png", "sub/b.png", "c.png", "d.png")
    labels = table(root / "labels.csv", "path,label,patient\na.png,glioma,p1\nsub/b.png, normal ,\n./c.png,,p2\n")
    scans = listed(root, labels=[labels])
    assert [(scan.relative, scan.label, scan.patient) for scan in scans] == [
        ("a.png", "glioma", "p1"),
        ("c.png", None, "p2"),
        ("d.png", None, None),
        ("sub/b.png", "normal", None),
    ]


def test_a_csv_is_looked_up_in_the_sources_too_and_absolutely(root, tmp_path):
    make(root, "a.png", "b.png")
    (tmp_path / "way").symlink_to(root)
    text = f"path,label\na.png,x\n{tmp_path / 'way' / 'b.png'},y\n"
    labels = table(tmp_path / "elsewhere/labels.csv", text)
    assert labels_of(listed(root, labels=[labels])) == {"a.png": "x", "b.png": "y"}


def test_an_unlabeled_source_stays_so_but_takes_patients(tmp_path):
    make(tmp_path / "pile", "a.png")
    labels = table(tmp_path / "labels.csv", "path,label,patient\npile/a.png,glioma,p7\n")
    (scan,) = listed(unlabeled=(str(tmp_path / "pile"),), labels=[labels])
    assert (scan.label, scan.patient) == (None, "p7")


def test_columns_can_have_other_names_and_a_byte_order_mark(root):
    make(root, "a.png")
    labels = table(root / "labels.csv", "\ufefffile,diagnosis,who,age\na.png,x,p,50\n")
    (scan,) = listed(root, labels=[labels], path_column="file", label_column="diagnosis", patient_column="who")
    assert (scan.label, scan.patient) == ("x", "p")


@pytest.mark.parametrize("paths", [{}, {"path_column": "file"}])
@pytest.mark.parametrize(
    ("columns", "unread"),
    [
        ("file,patient,Enddiagnose", ["Enddiagnose"]),
        ("file,patient,Final diagnosis,age", ["Final diagnosis"]),
        ("file,label,patient,diagnosis,class name", ["diagnosis", "class name"]),
        ("file,label,patient,label_state,stage", []),
    ],
)
def test_columns_that_are_called_like_labels_and_are_not_read_are_named(root, columns, unread, paths):
    make(root, "a.png")
    labels = table(
        root / "labels.csv", f"{columns}\n{','.join(['a.png', 'x', 'p7', 'label', 'v'][: columns.count(',') + 1])}\n"
    )
    (scan,) = listed(root, labels=[labels], **paths)
    said = " ".join(scan.notes)
    assert ("not read" in said) == bool(unread)
    assert all(f"'{name}'" in said for name in unread)


@pytest.mark.parametrize(
    ("columns", "unread"),
    [
        ("file,label,Fall-Nr", "Fall-Nr"),
        ("file,label,Case ID", "Case ID"),
        ("file,label,Inpatient", "Inpatient"),
        ("file,label,PatientenID", None),
        ("file,label,patient,MRN", None),
        ("file,label,Patient Age", None),
        ("file,label,patient0017", None),
    ],
)
def test_a_column_that_is_called_like_patients_and_is_not_read_is_named(root, columns, unread):
    make(root, "a.png")
    labels = table(root / "labels.csv", f"{columns}\n{','.join(['a.png', 'x', 'p7', 'u'][: columns.count(',') + 1])}\n")
    (scan,) = listed(root, labels=[labels])
    said = " ".join(scan.notes)
    assert ("--patient-column" in said) == bool(unread)
    assert unread is None or f"'{unread}'" in said
    assert "patient0017" not in said


def test_where_no_column_holds_labels_one_that_is_called_like_them_is_named(root):
    make(root, "a.png")
    labels = table(root / "labels.csv", "file,Enddiagnose\na.png,x\n")
    for paths in ({}, {"path_column": "file"}):
        assert "--label-column 'Enddiagnose'" in refusal(root, labels=[labels], **paths)


def test_rows_of_missing_files_are_set_aside_once_each(root, tmp_path):
    make(root, "a.png")
    labels = table(tmp_path / "labels.csv", "path,label\nscans/a.png,x\nscans/gone.png,y\nother/z.png,y\nscans/gone.png,y\n")
    scans = listed(root, labels=[labels])
    assert [(scan.relative, scan.set_aside, scan.label) for scan in scans] == [
        ("a.png", None, "x"),
        ("gone.png", "no such file: named in labels.csv, row 3", None),
        ("other/z.png", "no such file: named in labels.csv, row 4", None),
    ]


def test_several_csvs_add_up(root):
    make(root, "a.png", "b.png")
    one = table(root / "one.csv", "path,label\na.png,x\n")
    two = table(root / "two.csv", "path,label\nb.png,y\na.png,x\n")
    assert labels_of(listed(root, labels=[one, two])) == {"a.png": "x", "b.png": "y"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path,lable\na.png,x\n", "has no column 'label': did you mean 'lable'?"),
        (
            "name,label\na.png,x\n",
            "has no column 'path': did you mean 'name'? Then add --path-column 'name'",
        ),
        ("", "is empty: its first line"),
        ("path,label\n", "no rows"),
        ("path,label\ngone.png,x\n", "names no file of the sources: 'gone.png'"),
        ("path,label,patient\na.png,x,p\na.png,x,q\n", "two values for its patient"),
        ("path,label\n,x\n", "labels.csv, row 2: the column 'path' names no file"),
        ("path,label\na\0.png,x\n", "names no file"),
        ("path,label\na, b.png,x\n", "more cells than the first line"),
        ('path,label\n"a.png,x\n', "labels.csv, after line 2: unexpected end of data"),
    ],
)
def test_csvs_that_cannot_be_right_are_refused(root, text, expected):
    make(root, "a.png")
    assert expected in refusal(root, labels=[table(root / "labels.csv", text)])


@pytest.mark.parametrize("column", ["Accession Number", "Pat.-Nr.", "StudyInstanceUID"])
@pytest.mark.parametrize("option", [{}, {"path_column": True}])
def test_who_names_scans_by_numbers_in_their_headers_is_told_how_to_add_paths(root, column, option):
    make(root, "a.png")
    options = {"path_column": column} if option else {}
    assert "docs/labels.md" in refusal(
        root, labels=[table(root / "labels.csv", f"{column},Farbe,label\nA24,rot,x\n")], **options
    )
    assert "docs/labels.md" not in refusal(root, labels=[table(root / "labels.csv", "Seite,Farbe,label\nA24,rot,x\n")])


@pytest.mark.parametrize(("column", "repeated"), [("Patient", False), ("Subject ID", False), ("id", True), ("Image", True)])
def test_a_column_that_was_taken_for_paths_in_vain_is_named_and_no_patient(root, column, repeated):
    make(root, "a.png")
    said = refusal(root, labels=[table(root / "labels.csv", f"Bildnummer,label,{column}\na.png,x,4711\n")])
    assert f"'{column}'" in said
    assert "--path-column" in said
    assert ("4711" in said) == repeated
    assert labels_of(listed(root, labels=[root / "labels.csv"], path_column="Bildnummer")) == {"a.png": "x"}


def test_tables_that_contradict_each_other_are_refused(root):
    make(root, "a.png")
    tables = [table(root / f"{label}.csv", f"path,label\na.png,{label}\n") for label in "xy"]
    assert "two values for its label: 'x' (x.csv, row 2) and 'y' (y.csv, row 2)" in refusal(root, labels=tables)


def test_csvs_that_cannot_be_read_are_refused(root):
    make(root, "a.png")
    (root / "latin.csv").write_bytes("path,label\na.png,Schädel\n".encode("latin-1"))
    assert "not UTF-8" in refusal(root, labels=[root / "latin.csv"])
    assert "cannot read the labels" in refusal(root, labels=[root / "nowhere.csv"])
    assert "is a folder" in refusal(root, labels=[root])


def test_a_patient_column_that_was_asked_for_must_be_there(root):
    make(root, "a.png")
    labels = table(root / "labels.csv", "path,label,patients\na.png,x,p\n")
    assert "did you mean 'patients'?" in refusal(root, labels=[labels], patient_column="patient_id")


def test_a_row_that_fits_several_sources_is_refused(tmp_path):
    make(tmp_path, "one/a.png", "two/a.png")
    labels = table(tmp_path / "labels.csv", "path,label\na.png,x\n")
    assert "'a.png' is in several sources (one, two)" in refusal(tmp_path / "one", tmp_path / "two", labels=[labels])


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='path,label\n"a. \0;', max_size=60).map(str.encode))
def test_no_csv_makes_anything_but_a_list_or_a_clear_refusal(tmp_path_factory, content):
    root = make(tmp_path_factory.mktemp("scans"), "a.png")
    (root / "labels.csv").write_bytes(b"path,label\na.png,x\n" + content)
    try:
        scans = listed(root, labels=[root / "labels.csv"])
    except FewscanError as error:
        message = str(error)
    else:
        message = ""
        # A second row may be of the same image, and say otherwise: then it has no label, and a note says why.
        label = labels_of(scans)["a.png"]
        assert label == "x" or (label is None and any(scan.notes for scan in scans))
    assert "\n" not in message


@pytest.mark.parametrize("source", ["sartaj", "nickparvar", "Dubail", "dubail_standin"])
def test_the_studys_sources_spell_their_classes_alike(root, source):
    spellings = ["glioma_tumor", "glioma", "meningioma_tumor", "meningioma", "pituitary_tumor", "no_tumor", "notumor", "normal"]
    make(root, *(f"Training/{spelling}/{number}.png" for number, spelling in enumerate(spellings)))
    counts = Counter(labels_of(listed(f"{source}={root}")).values())
    assert counts == {"glioma": 2, "meningioma": 2, "pituitary": 1, "no_tumor": 3}


@pytest.mark.slow
def test_the_studys_setting_lists_its_7671_images(real_scans, tmp_path):
    """The real sources, and files named and placed as in the third, hold what the study's data table says, class by class."""
    folder = tmp_path / "third" / "Data"
    third = {"glioma_tumor": ("G", 901), "meningioma_tumor": ("M", 913), "normal": ("N", 438), "pituitary_tumor": ("P", 844)}
    make(
        folder, *(f"{name}/{letter}_{number}.jpg" for name, (letter, count) in third.items() for number in range(1, count + 1))
    )
    scans = listed(
        f"sartaj={real_scans / 'sartaj'}", f"nickparvar={real_scans / 'nickparvar'}", f"dubail_standin={tmp_path / 'third'}"
    )
    assert len(scans) == 7671
    assert all(scan.path.suffix == ".jpg" and scan.set_aside is None for scan in scans)
    counts = Counter((scan.source, scan.label) for scan in scans)
    expected = {
        "sartaj": {"glioma": 926, "meningioma": 937, "pituitary": 901, "no_tumor": 500},
        "nickparvar": {"glioma": 300, "meningioma": 306, "pituitary": 300, "no_tumor": 405},
        "dubail_standin": {"glioma": 901, "meningioma": 913, "pituitary": 844, "no_tumor": 438},
    }
    assert counts == {(source, label): count for source, classes in expected.items() for label, count in classes.items()}


def test_other_sources_keep_their_spellings(root):
    make(root, "normal/a.png", "no_tumor/b.png")
    assert set(labels_of(listed(root)).values()) == {"normal", "no_tumor"}


def test_labels_are_renamed_by_either_spelling_of_a_study_source(root):
    make(root, "notumor/a.png", "normal/b.png", "glioma/c.png")
    scans = listed(f"nickparvar={root}", rename={"notumor": "healthy", "glioma": "tumor"})
    assert labels_of(scans) == {"notumor/a.png": "healthy", "normal/b.png": "no_tumor", "glioma/c.png": "tumor"}
    assert set(labels_of(listed(f"nickparvar={root}", rename={"no_tumor": "healthy"})).values()) == {"healthy", "glioma"}


def test_renaming_what_is_not_there_is_refused(root):
    make(root, "glioma/a.png")
    assert "no image is labeled 'gliom', so it cannot be renamed: did you mean 'glioma'?" in refusal(
        root, rename={"gliom": "x"}
    )
    assert "cannot be renamed" in refusal(root, rename={"glioma": " "})


@pytest.mark.parametrize("other", ["Glioma", "gli oma", "gli-oma", "GLI_OMA"])
def test_labels_that_differ_only_in_spelling_are_refused_until_renamed(root, other):
    make(root, "site 1/glioma/a.png", f"site 2/{other}/b.png")
    message = refusal(root)
    assert "--rename" in message
    assert f"'{other}'" in message
    assert "'glioma'" in message
    assert set(labels_of(listed(root, rename={other: "glioma"})).values()) == {"glioma"}


def test_more_folders_than_there_can_be_classes_are_refused_with_the_ways_out(root):
    make(root, *(f"{'abcdefghijk'[number // 10]}{'lmnopqrstu'[number % 10]}y/a.png" for number in range(101)))
    message = refusal(root)
    assert all(option in message for option in ("--unlabeled", "--labels", "--class-level"))
    assert len(listed(unlabeled=(str(root),))) == 101


def test_one_hundred_classes_are_allowed(root):
    make(root, *(f"c{number}/a.png" for number in range(100)))
    assert len(set(labels_of(listed(root)).values())) == 100


def test_a_file_that_is_called_like_an_image_in_another_file_is_refused(tmp_path):
    np.save(tmp_path / "stack.npy", np.zeros((4, 8, 9), np.uint8))
    name = list_scans([Source("in", tmp_path)])[0].relative
    PIL.Image.new("L", (8, 8)).save(tmp_path / name, "PNG")
    with pytest.raises(FewscanError, match="rename the file"):
        list_scans([Source("in", tmp_path)])
