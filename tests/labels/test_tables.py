"""Tables that say something of a dataset's rows: what is understood, what is refused, and back."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.errors import FewscanError
from fewscan.images.options import TableOptions
from fewscan.images.sources import ScanFile, Source, file_and_part
from fewscan.images.table_rows import TableRows
from fewscan.images.tables.finding import Places
from fewscan.images.tables.reach import within_reach
from fewscan.images.tables.rows import Row
from fewscan.labels.changes import changes_of
from fewscan.labels.log import LABELS_FILE, LabelLog
from fewscan.labels.tables import Statements, find_scan, read_statements, table_of
from fewscan.spreadsheet import write_csv

CLASSES = ("glioma", "pituitary")
SOURCES = (Source("one", Path("/nowhere/one")), Source("two", Path("/nowhere/two")))
IMAGES = pd.DataFrame(
    [
        ("one", "a/1.png"),
        ("one", "a/2.png"),
        ("one", "b/1.png"),
        ("one", "head.nii.gz#axial=3"),
        ("one", "head.nii.gz#axial=4"),
        ("two", "a/1.png"),
        ("two", "c/9.png"),
    ],
    columns=["source", "path"],
).assign(set_aside=None)


def unnumbered(scans: list[ScanFile], texts: Collection[str]) -> list[ScanFile]:
    return scans


def read(
    place: Path, text: str, classes: tuple[str, ...] = CLASSES, rename: dict | None = None, **options: object
) -> Statements:
    (place / "labels.csv").write_text(text)
    return read_statements(
        place / "labels.csv", IMAGES, SOURCES, classes, TableOptions.parse(options), rename or {}, unnumbered
    )


def said(statements: Statements) -> dict[int, str]:
    words = [label or state for label, state in zip(statements.labels, statements.states, strict=True)]
    return dict(zip(statements.rows.tolist(), words, strict=True))


def refusal(place: Path, text: str, classes: tuple[str, ...] = CLASSES, **options: object) -> str:
    with pytest.raises(FewscanError) as caught:
        read(place, text, classes, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rows_mean_what_they_mean_to_an_import(tmp_path: Path) -> None:
    text = "path,label\none/a/2.png,glioma\n/nowhere/two/c/9.png,pituitary\nB\\1.PNG,glioma\nhead#axial=4,glioma\n"
    found = read(tmp_path, text)
    assert said(found) == {1: "glioma", 2: "glioma", 4: "glioma", 6: "pituitary"}
    assert (found.origin, found.table_rows, found.missing, found.unclear) == ("labels.csv", 4, (), ())


def test_a_row_of_a_file_or_folder_speaks_of_all_images_in_it_and_a_closer_one_goes_before(tmp_path: Path) -> None:
    text = "path,label\n/nowhere/one,pituitary\n/nowhere/one/head.nii.gz,glioma\n/nowhere/one/head.nii.gz#axial=3,unsure\n"
    assert said(read(tmp_path, text)) == {0: "pituitary", 1: "pituitary", 2: "pituitary", 3: "unsure", 4: "glioma"}


def test_rows_that_name_no_image_or_several_are_told_and_the_others_count(tmp_path: Path) -> None:
    found = read(tmp_path, "path,label\na/1.png,glioma\nz/7.png,glioma\nc/9.png,glioma\n")
    assert said(found) == {6: "glioma"}
    assert len(found.missing) == len(found.unclear) == 1
    assert "z/7.png" in found.missing[0]
    assert "row 2" in found.unclear[0]


def test_a_table_that_names_no_image_is_refused(tmp_path: Path) -> None:
    assert "names no file" in refusal(tmp_path, "path,label\nz/7.png,glioma\n")
    assert "a/1.png" in refusal(tmp_path, "path,label\na/1.png,glioma\n")


def test_an_empty_cell_and_words_for_no_label_are_no_statement(tmp_path: Path) -> None:
    found = read(tmp_path, "path,label\nc/9.png,\na/2.png,NA\nb/1.png,None\n")
    assert (said(found), found.silent) == ({}, 3)
    assert sum(found.notes.values()) == 3


def test_states_are_written_as_labels_or_in_a_column_of_their_own(tmp_path: Path) -> None:
    assert said(read(tmp_path, "path,label\nc/9.png,Unsure\nb/1.png,not_a_scan\n")) == {2: "not a scan", 6: "unsure"}
    text = "path,label,label_state\nc/9.png,,none\nb/1.png,,Not a scan\na/2.png,glioma,\nhead,,unsure\n"
    for written in (text, text.replace("label_state", "Label State")):
        found = read(tmp_path, written)
        assert said(found) == {1: "glioma", 2: "not a scan", 3: "unsure", 4: "unsure", 6: "none"}
        assert found.labels == ("glioma", None, None, None, None)


@pytest.mark.parametrize("name", ["unsure", "Unsure", "not a scan", "not-a-scan"])
def test_a_class_that_is_called_as_a_state_is_never_mixed_up_with_it(name: str, tmp_path: Path) -> None:
    state = "unsure" if name.casefold() == "unsure" else "not a scan"
    classes = (*CLASSES, name)
    assert "label_state" in refusal(tmp_path, f"path,label\nc/9.png,{name}\n", classes)
    found = read(tmp_path, f"path,label,label_state\nc/9.png,{name},label\nb/1.png,,{state}\n", classes)
    assert found.labels == (None, name)
    assert found.states == (state, "label")


def test_a_word_that_is_renamed_to_a_state_means_that_state_and_makes_no_class(tmp_path: Path) -> None:
    text = "path,label\nc/9.png,nicht sicher\nb/1.png,unsure\na/2.png,glioma\n"
    found = read(tmp_path, text, rename={"nicht sicher": "Unsure"})
    assert said(found) == {1: "glioma", 2: "unsure", 6: "unsure"}
    assert set(found.labels) == {"glioma", None}
    # Where a class goes by that word, it is the class that is named.
    text = "path,label\nc/9.png,nicht sicher\n"
    assert read(tmp_path, text, (*CLASSES, "unsure"), {"nicht sicher": "unsure"}).labels == ("unsure",)
    with pytest.raises(FewscanError, match="sicherlich"):
        read(tmp_path, text, rename={"sicherlich": "unsure"})


def test_the_word_none_is_a_class_only_where_the_table_says_so(tmp_path: Path) -> None:
    assert said(read(tmp_path, "path,label\nc/9.png,none\n")) == {}
    assert read(tmp_path, "path,label,label_state\nc/9.png,none,label\n").labels == ("none",)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("path,label,label_state\nc/9.png,glioma,unsure\n", "keep one"),
        ("path,label,label_state\nc/9.png,,perhaps\n", "label_state"),
        ("path,label\nc/9.png,a\0b\n", "NUL"),
        ("path,patient\nc/9.png,3\n", "label"),
        ("path,label\nc/9.png,GLIOMA\n", "spelling"),
        ("path,label,label_state\nc/9.png,a|b,label\n", "'|'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, word: str, tmp_path: Path) -> None:
    assert word in refusal(tmp_path, text)


def test_labels_go_by_the_names_that_the_dataset_has(tmp_path: Path) -> None:
    classes = ("1", "glioma")
    assert said(read(tmp_path, "path,label\nc/9.png,01\nb/1.png,1.0\n", classes)) == {2: "1", 6: "1"}
    assert said(read(tmp_path, "path,label\nc/9.png,GLIOMA\n", classes, {"GLIOMA": "glioma"})) == {6: "glioma"}
    assert said(read(tmp_path, "path,label\nc/9.png,2.0\nb/1.png,02\na/2.png,new\n", classes)) == {1: "new", 2: "02", 6: "02"}


def test_labels_that_differ_only_in_spelling_are_named_with_their_rows(tmp_path: Path) -> None:
    """Row 3 is right, and of the class that is there nothing is to be corrected."""
    text = "path,label\na/1.png,Glioma\na/2.png,glioma\n\nb/1.png,GLIOMA\nc/9.png,Glioma\n"
    told = refusal(tmp_path, text.replace("a/1.png", str(SOURCES[0].folder / "a/1.png")))
    assert "'Glioma' (labels.csv, rows 2 and 6)" in told
    assert "'GLIOMA' (labels.csv, row 5)" in told
    assert "row 3" not in told


def test_new_classes_and_rows_that_differ_are_named_with_their_rows(tmp_path: Path) -> None:
    paths = [str(SOURCES[0].folder / "a/1.png"), "a/2.png", "b/1.png", "a/2.png"]
    labels = ["menigioma", "glioma", "gliom", "pituitary"]
    pairs = zip(paths, labels, strict=True)
    found = read(tmp_path, "path,label\n" + "".join(f"{path},{label}\n" for path, label in pairs))
    assert {name: [*map(str, rows)] for name, rows in found.new_in.items()} == {
        "menigioma": ["labels.csv, row 2"],
        "gliom": ["labels.csv, row 4"],
    }
    (differing,) = found.repeated.examples
    assert differing.startswith("labels.csv, rows 3 and 5: ")
    assert ("'glioma'" in differing, "'pituitary'" in differing) == (True, True)


def test_of_rows_that_differ_each_label_is_named_with_its_own_row(tmp_path: Path) -> None:
    found = read(tmp_path, "path,label\na/2.png,glioma\na/2.png,gliom\na/2.png,glioma\na/2.png,gliom\n")
    assert [*map(str, found.new_in["gliom"])] == ["labels.csv, rows 3 and 5"]


def test_rows_have_the_numbers_that_a_spreadsheet_shows(tmp_path: Path) -> None:
    """A report may go over several lines of the text, empty lines are rows, and Excel's line of the separator is none."""
    for above, first in (("", 1), ("\n\n", 3), ("sep=,\n", 1)):
        text = f'{above}path,label,report\na/2.png,glioma,"one\ntwo\nthree"\nb/1.png,gliom,short\n\ngone.png,glioma,""\n'
        found = read(tmp_path, text)
        assert [*map(str, found.new_in["gliom"])] == [f"labels.csv, row {first + 2}"]
        assert found.missing == (f"labels.csv, row {first + 4}: 'gone.png'",)


def test_several_findings_are_no_label_unless_asked_for(tmp_path: Path) -> None:
    text = "path,label\nc/9.png,glioma\nc/9.png,pituitary\nb/1.png,glioma|pituitary\n"
    assert 2 not in said(read(tmp_path, text))
    assert said(read(tmp_path, text, several="first")) == {2: "glioma", 6: "glioma"}


@pytest.mark.parametrize("several", ["none", "first", "whole"])
def test_a_finding_beside_a_word_for_not_known_is_not_settled_in_a_cell_as_in_rows(several: str, tmp_path: Path) -> None:
    rows = [("c/9.png", "glioma|Unsure"), ("b/1.png", "glioma| unbekannt"), ("a/2.png", "glioma|?"), ("head", "pituitary|?")]
    whole = {"pituitary|?": "both"} if several == "whole" else {}
    text = "path,label\n" + "".join(f"{path},{label}\n" for path, label in rows[: 4 if whole else 3])
    found = read(tmp_path, text, rename=whole, several=several)
    assert said(found) == {6: "unsure"} | ({3: "both", 4: "both"} if whole else {})
    assert sum("not settled" in note for note in found.notes) == 3
    text = "path,label\n" + "".join(f"{path},{one}\n" for path, label in rows[:2] for one in label.split("|"))
    assert said(read(tmp_path, text, several=several)) == {6: "unsure"}
    # A part that is renamed is what it is renamed to.
    text = "path,label\nc/9.png,glioma|weg\nb/1.png,unbekannt|weg\n"
    assert said(read(tmp_path, text, rename={"weg": "unsure"}, several=several)) == {2: "unsure", 6: "unsure"}


def test_a_label_that_is_renamed_to_a_word_for_no_label_says_nothing(tmp_path: Path) -> None:
    text = "path,label\nc/9.png,weg\nb/1.png,leer\na/2.png,glioma\n"
    found = read(tmp_path, text, rename={"weg": "NA", "leer": "entfällt"}, no_label=["entfällt"])
    assert (said(found), found.silent) == ({1: "glioma"}, 2)


def test_patients_and_parts_in_a_table_change_nothing(tmp_path: Path) -> None:
    text = "path,label,patient,split\nc/9.png,glioma,1,train\nc/9.png,glioma,2,test\n"
    assert said(read(tmp_path, text)) == {6: "glioma"}
    found = read(tmp_path, "path,label,patient,patient_id,split\nc/9.png,glioma,1,1,nowhere\n")
    assert said(found) == {6: "glioma"}
    assert not any("patient" in note for note in found.notes)


PREDICTED = "path,label,score,decision,probability_glioma\nc/9.png,glioma,0.9,accept,0.9\nb/1.png,pituitary,0.5,review,0.5\n"


def test_predictions_count_only_where_they_are_trusted_and_nobody_spoke(tmp_path: Path) -> None:
    assert "--trust-predictions" in refusal(tmp_path, PREDICTED)
    found = read(tmp_path, PREDICTED, trust_predictions=True)
    assert said(found) == {6: "glioma"}
    assert found.origin == "predictions labels.csv"
    log = LabelLog.create(tmp_path / LABELS_FILE)
    usable = pd.Series([True] * len(IMAGES))

    def changed() -> tuple[int, int]:
        changes = changes_of(log, log.current(len(IMAGES)), usable, found, None, settle=False)
        return len(changes.rows), changes.predicted

    assert changed() == (1, 0)
    log.enter([6], ["pituitary"], origin="predictions other.csv")
    assert changed() == (1, 0), "a later prediction replaces an earlier one"
    log.enter([6], [None], states=["unsure"], origin="review", who="Ada")
    assert changed() == (0, 1)
    with pytest.raises(FewscanError, match="--who"):
        changes_of(log, log.current(len(IMAGES)), usable, found, "Ada", settle=False)


@pytest.mark.slow
def test_only_what_changes_something_is_entered(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / LABELS_FILE)
    log.enter([1, 2, 6], ["glioma", "glioma", "glioma"], origin="folder")
    log.enter([3], ["pituitary"], origin="review", who="Ada")
    log.enter([3], ["glioma"], origin="review", who="Grace")
    text = "path,label\nc/9.png,glioma\nb/1.png,pituitary\nhead.nii.gz#axial=3,glioma\nhead.nii.gz#axial=4,glioma\n"
    statements = read(tmp_path, text)
    usable = pd.Series([number != 4 for number in range(len(IMAGES))])

    def changes(who: str | None, *, settle: bool = False) -> tuple[list[int], int, int]:
        found = changes_of(log, log.current(len(IMAGES)), usable, statements, who, settle=settle)
        assert found.unusable == 1
        assert found.before[0] == "glioma"
        assert found.after[0] == "pituitary"
        return found.rows.tolist(), found.unchanged, found.settled

    assert changes("Ada") == ([2, 3], 1, 1), "she agrees with Grace of row 3 now"
    assert changes("Grace") == ([2], 2, 0), "she said so of row 3 already"
    assert changes("Grace", settle=True) == ([2, 3], 1, 1)
    assert changes(None) == ([2, 3], 1, 1), "a table of nobody's speaks for the dataset"
    log.enter([2], ["glioma"], origin="review", who="Ada", settles=True)
    for who, settle, overruled in ((None, False, 1), ("Grace", True, 1), ("Grace", False, 0), ("Ada", True, 0)):
        found = changes_of(log, log.current(len(IMAGES)), usable, statements, who, settle=settle)
        assert found.overruled == overruled


WORDS = st.sampled_from(
    [None, "glioma", "pituitary", "unsure", "not a scan", "NA", "none", "01", "=1+1", 'a "b", c', "new\nline"]
)
STATED = st.lists(st.tuples(WORDS, st.sampled_from(["label", "none", "unsure", "not a scan"])), min_size=7, max_size=7)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(stated=STATED)
def test_a_table_of_what_holds_says_just_that(stated: list, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("round")
    log, copy = (LabelLog.create(place / name) for name in ("one.db", "two.db"))
    entries = [(row, None if state != "label" else label, state) for row, (label, state) in enumerate(stated)]
    entries = [(row, label, state) for row, label, state in entries if label or state != "label"]
    rows, labels, states = zip(*entries, strict=True) if entries else ((), (), ())
    log.enter(rows, labels, states=states, origin="folder")
    copy.enter([0, 1], ["glioma", "glioma"], origin="folder")
    before, usable = log.current(len(IMAGES)), pd.Series([True] * len(IMAGES))
    write_csv(table_of(before, IMAGES, SOURCES), place / "table.csv")
    classes = sorted({label for label, state in stated if label and state == "label"})
    if not (before["entry"] > 0).any():
        return
    again = read_statements(place / "table.csv", IMAGES, SOURCES, classes, TableOptions(), {}, unnumbered)
    assert len(changes_of(log, before, usable, again, None, settle=False).rows) == 0
    changes = changes_of(copy, copy.current(len(IMAGES)), usable, again, None, settle=False)
    copy.enter(changes.rows, changes.labels, states=changes.states, origin=again.origin)
    spoken, after = before["entry"] > 0, copy.current(len(IMAGES))
    assert after["state"][spoken].tolist() == before["state"][spoken].tolist()
    assert after["label"][spoken].fillna("").tolist() == before["label"][spoken].fillna("").tolist()


def test_a_disputed_row_says_nothing_in_a_table(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / LABELS_FILE)
    for who, label in (("Ada", "glioma"), ("Grace", "pituitary")):
        log.enter([0], [label], origin="review", who=who)
    table = table_of(log.current(len(IMAGES)), IMAGES, SOURCES)
    assert table.iloc[0].tolist() == ["/nowhere/one/a/1.png", "", "", ""]
    assert not table.astype("str").apply(lambda column: column.str.contains("Ada|Grace")).any(axis=None)


NAMES = st.sampled_from(
    [
        "a",
        "A",
        "b",
        "1.png",
        "1.PNG",
        "1.jpg",
        "1",
        "x.nii.gz",
        "X.nii",
        "x.gz.png",
        ".png",
        "ß.png",
        "SS.png",
        "\u00e4.png",
        "a\u0308.png",
    ]
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    paths=st.lists(st.tuples(PATHS, st.booleans(), st.sampled_from(["one", "two"])), min_size=1, max_size=8),
    asked=PATHS | st.just("."),
)
def test_images_within_reach_are_all_that_a_row_may_mean(paths: list, asked: str) -> None:
    images = pd.DataFrame(
        [(source, f"{path}#axial=1" if part else path) for path, part, source in paths], columns=["source", "path"]
    ).drop_duplicates(ignore_index=True)
    scans = []
    for source, path in zip(images["source"], images["path"], strict=True):
        file, _, part = path.rpartition("#")
        scans.append(ScanFile(source, path, Path("/nowhere", source, file or path), part=part if file else None))
    for written in (asked, f"{asked}#axial=1", asked.replace("/", "\\"), f"/nowhere/one/{asked}", f"{asked}/", "/nowhere/two"):
        row = Row(table=Path("/elsewhere/labels.csv"), where=TableRows("labels.csv", (2,)), path=written)
        near = within_reach([row], SOURCES, images)
        every, some = Places(scans, SOURCES), Places([scans[number] for number in near], SOURCES)
        (expected,), (found,) = every.look([row]), some.look([row])
        assert str(found) == str(expected)
        if expected is not None and not isinstance(expected, FewscanError):
            mean = [number for number, of in enumerate(every.of_each) if expected.place in of]
            assert [near[number] for number, of in enumerate(some.of_each) if expected.place in of] == mean


def test_a_scan_is_found_by_its_row_or_its_path() -> None:
    assert find_scan("6", IMAGES, SOURCES).tolist() == [6]
    assert find_scan("c/9.png", IMAGES, SOURCES).tolist() == [6]
    assert find_scan("/nowhere/one/head.nii.gz", IMAGES, SOURCES).tolist() == [3, 4]
    for name in ("7", "z.png", "a/1.png"):
        with pytest.raises(FewscanError):
            find_scan(name, IMAGES, SOURCES)
    assert isinstance(find_scan("0", IMAGES, SOURCES), np.ndarray)


def test_a_number_sign_in_the_name_of_a_folder_or_at_the_beginning_of_a_files_is_no_part() -> None:
    images = pd.DataFrame({"source": "one", "path": ["case#3/1.png", "case#3/2.png", "b/#7.png", "head.nii#axial=1"]})
    for name, rows in (
        ("case#3", [0, 1]),
        ("case#3/2.png", [1]),
        ("b/#7.png", [2]),
        ("head.nii", [3]),
        ("head.nii#axial=1", [3]),
    ):
        assert find_scan(f"/nowhere/one/{name}", images, SOURCES).tolist() == rows


AWKWARD = (
    *("scan#1.png", "#1.png", "scan?.png", "a%20b.png", "a b.png", "ünï.png", "-dash.png", "--out.png", "new\nline.png"),
    *("tab\there.png", "back\\slash.png", "q'uote.png", 'dq"uote.png', "comma,name.png", "=1+1.png", "<b>.png", "&amp;.png"),
    *("star*.png", "[br].png", "~.png", "$x$.png", "100%.png", "e\u202ever.png", "scan.png.png", f"{'x' * 240}.png"),
)


@pytest.mark.parametrize("folder", ["", "one/fol#der %20?/", "/nowhere/one/fol#der %20?/"])
def test_a_scan_is_found_by_its_name_whatever_signs_that_has(folder: str, tmp_path: Path) -> None:
    images = pd.DataFrame({"source": "one", "path": [f"fol#der %20?/{name}" for name in AWKWARD], "set_aside": None})
    for row, name in enumerate(AWKWARD):
        assert find_scan(f"{folder}{name}", images, SOURCES).tolist() == [row], name
    table = pd.DataFrame({"path": [f"{folder}{name}" for name in AWKWARD], "label": "glioma"})
    write_csv(table, tmp_path / "labels.csv")
    said = read_statements(tmp_path / "labels.csv", images, SOURCES, (), TableOptions(), {}, unnumbered)
    assert (said.rows.tolist(), said.missing) == (list(range(len(AWKWARD))), ())


def test_files_with_a_number_sign_in_their_names_are_no_images_of_one_file() -> None:
    names = ["scan#1.png", "scan#2.png", "scan.nii#axial=1", "scan.nii#axial=2", "scan#1"]
    images = pd.DataFrame({"source": "one", "path": [f"a/{name}" for name in names]})
    asked = {"scan#2": [1], "a/scan#1.png": [0], "scan.nii": [2, 3], "scan.nii#axial=2": [3], "scan": [2, 3]}
    for name, rows in asked.items():
        assert find_scan(name, images, SOURCES).tolist() == rows, name
    assert [file_and_part(name)[0] for name in names] == ["scan#1.png", "scan#2.png", "scan.nii", "scan.nii", "scan#1"]


def test_rows_that_contradict_each_other_are_entered_at_once_and_once(tmp_path: Path) -> None:
    log = LabelLog.create(tmp_path / LABELS_FILE)
    log.enter([2, 6], ["glioma", "glioma"], origin="folder")
    usable = pd.Series([True] * len(IMAGES))
    text = "path,label\nc/9.png,glioma\nc/9.png,pituitary\nc/9.png,Glioma\nb/1.png,glioma\nb/1.png,?\n"
    for who in (None, "Ada"):
        for _ in range(2):
            statements = read(tmp_path, text)
            found = changes_of(log, log.current(len(IMAGES)), usable, statements, who, settle=False)
            # One of them holds already: alone the other one would be a correction.
            assert found.rows.tolist() == [6, 6]
            assert found.labels == ("glioma", "pituitary")
            # What the table of nobody said twice stays disputed.
            assert (found.disputing, found.still.all()) == ((1, False) if who is None else (0, True))
            assert ([change["scans"] for change in found.told(["c/9.png"] * 2)], found.settled) == ([1] * found.disputing, 0)
            log.enter(found.rows, found.labels, origin="labels.csv", who=who)
            assert log.current(len(IMAGES))["disputed"].tolist() == [row == 6 for row in range(len(IMAGES))]
            again = changes_of(log, log.current(len(IMAGES)), usable, statements, who, settle=False)
            assert (len(again.rows), again.unchanged) == (0, 2)
            log.undo(rows=[6])
        log.enter([6, 6], ["glioma", "pituitary"], origin="labels.csv")
    # Who says one of the two says something new.
    one = read(tmp_path, "path,label\nc/9.png,glioma\n")
    found = changes_of(log, log.current(len(IMAGES)), usable, one, "Ada", settle=False)
    assert found.labels == ("glioma",)
    log.enter(found.rows, found.labels, origin="labels.csv", who="Ada")
    assert log.current(len(IMAGES))["label"].iloc[6] == "glioma"


def test_rows_that_name_a_scan_again_are_counted_by_whether_they_agree(tmp_path: Path) -> None:
    text = "path,label\none/a/1.png,glioma\nONE/A/1.PNG,glioma\none/a/2.png,glioma\n"
    text += "two/c/9.png,glioma\ntwo/c/9.png,pituitary\ntwo/c/9.png,glioma\n"
    for several, label in (("none", None), ("first", "glioma")):
        found = read(tmp_path, text, several=several)
        repeated = found.repeated
        assert (repeated.rows, repeated.agreeing, repeated.differing) == (5, 1, 1)
        # What is said of those that differ once more is one of the notes.
        assert found.notes[repeated.note] == 1
        labels = [one for row, one in zip(found.rows, found.labels, strict=True) if row == 6]
        assert labels == ([label] if label else ["glioma", "pituitary"])
    assert read(tmp_path, "path,label\none/a,glioma\none/a/1.png,pituitary\n").repeated.rows == 0
