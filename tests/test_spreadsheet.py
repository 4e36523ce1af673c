import csv
import gc
import io
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan import workbooks
from fewscan.config import json_object
from fewscan.datasets.snapshot import Snapshot
from fewscan.digests import known_content
from fewscan.errors import FewscanError
from fewscan.images.tables.reading import read_cells
from fewscan.spreadsheet import as_text, from_text, read_csv, write_csv, write_spreadsheet, write_spreadsheet_to
from fewscan.training.run import Run
from tests.fixtures import Command
from tests.offered import offered_in

NASTY = [
    "=1+1",
    "+cmd",
    "-x",
    "@SUM(A1)",
    "\t=x",
    "\r=x",
    " =x",
    "'=x",
    "''=x",
    "'x",
    "'",
    "a;=x",
    "a;'=x;-y",
    "a\n@x",
    "=",
    "'-1",
    "\uff1dx",
]
names = st.one_of(st.sampled_from(NASTY), st.text(st.sampled_from("=+-@'\t\r\n;,\" a1.eE"), max_size=12), st.text(max_size=6))


def cells_of_any_program(text: str) -> list[str]:
    """The cells that a program finds in a CSV, whether it separates by commas, semicolons or tabs."""
    found = [csv.reader(io.StringIO(text, newline=""), delimiter=mark) for mark in ",;\t"]
    return [cell.strip(" ") for reader in found for row in reader for cell in row]


@pytest.mark.slow
@given(names)
def test_every_text_is_read_back_as_it_was(name: str) -> None:
    assert from_text(as_text(name)) == name


@pytest.mark.slow
@given(names, names)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (as_text(one) == as_text(other)) == (one == other)


@pytest.mark.parametrize("name", ["tumor", "-1", "+2.5", "-1e-05", "a-b", "a=b", "'x", "x@y", "", "meningioma; glioma"])
def test_what_no_spreadsheet_calculates_stays_as_it_is(name: str) -> None:
    assert as_text(name) == name


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(names.filter(lambda name: "\0" not in name), min_size=1, max_size=4))
def test_no_cell_of_a_table_is_a_formula_and_the_table_reads_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    name = f"probability_{texts[0]}"
    table = pd.DataFrame({"row": range(len(texts)), "label": texts, name: [-0.5] * len(texts)})
    write_csv(table, path)
    kinds = {"row": "int64", "label": "str", name: "float64"}
    pd.testing.assert_frame_equal(read_csv(path, kinds, "again"), table.astype(kinds))
    formula = re.compile(r"[=@\uff1d\uff0b\uff0d\uff20]|[+-](?!\d+(\.\d+)?(e[+-]?\d+)?$)", re.IGNORECASE | re.ASCII)
    text = path.read_bytes().decode()
    assert [cell for cell in cells_of_any_program(text) if formula.match(cell)] == []


def test_a_table_of_labels_gives_import_the_names_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    texts = [text for text in NASTY if text == text.strip()]
    write_csv(pd.DataFrame({"path": texts, "label": texts[::-1]}), path)
    assert [row for _, row in read_cells(path).rows] == [list(pair) for pair in zip(texts, texts[::-1], strict=True)]


# What Excel would take for something else, cannot hold, or writes in a code of its own.
IN_A_WORKBOOK = ["01", "NA", "true", "1e5", "12:30", "2024-03-01", "1-2", "#N/A", "#REF!", '="0012"', "http://a.b", "Ärzte–ß😀"]
IN_A_WORKBOOK += [
    "a\x01b",
    "\x12",
    "\ufffe",
    "a\rb",
    "a\r\nb",
    "_x0041_",
    "_x0001_",
    "_x000D_",
    "tile_x0012_y0034",
    "_x005F_x0041_",
]
coded = st.text(st.sampled_from("_x005F41\x01\r"), max_size=20)


@settings(max_examples=40)
@given(st.lists(st.one_of(names, st.sampled_from(IN_A_WORKBOOK), coded), min_size=1, max_size=20))
def test_every_text_is_read_back_from_a_workbook(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("table") / "table.xlsx"
    write_spreadsheet(pd.DataFrame({"row": range(len(texts)), "label": texts}), path)
    assert [row for _, row in read_cells(path).rows] == [
        [str(number), *([text] if text else [])] for number, text in enumerate(texts)
    ]


def test_a_workbook_holds_texts_as_texts_and_numbers_as_numbers(tmp_path: Path) -> None:
    texts = [*NASTY, *IN_A_WORKBOOK]
    columns = {
        "label": texts,
        "row": range(len(texts)),
        "score": [0.1234567] * len(texts),
        "reason": None,
        "most": float("nan"),
    }
    tables = [pd.DataFrame(columns | {"-why": ""}), pd.DataFrame({name: ["x"] for name in (*columns, "-why")})]
    write_spreadsheet_to(tmp_path / "made.xlsx", tables, tmp_path / "a.XLSX", float_format="%.4f")
    (sheet,) = openpyxl.load_workbook(tmp_path / "made.xlsx").worksheets
    top, *rows, last = sheet.iter_rows()
    assert [(cell.value, cell.data_type, cell.font.bold) for cell in top] == [(name, "s", True) for name in (*columns, "-why")]
    for number, row in enumerate(rows):
        assert [cell.data_type for cell in row] == ["s", "n", "n", "n", "n", "n"]
        assert [cell.value for cell in row[1:]] == [number, 0.1235, None, None, None]
    assert [row[0].value for row in rows][: len(NASTY) - 1] == [text.replace("\r", "_x000D_") for text in NASTY[:-1]]
    assert [cell.value for cell in last] == ["x"] * 6
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", f"A1:F{len(texts) + 2}")
    # What somebody types into an empty cell of texts is one: 01, 1-2.
    assert [sheet.column_dimensions[letter].number_format == "@" for letter in "ABCF"] == [True, False, False, True]
    assert all(8 <= sheet.column_dimensions[letter].width <= 60 for letter in "ABCDEF")


def test_cells_are_offered_words_of_any_kind_and_number_and_the_table_reads_back_the_same(tmp_path: Path) -> None:
    """Excel's list in the cell itself holds no comma, and 255 characters in all."""
    words = [
        *(text for text in NASTY if text.isprintable() and text),
        "a, b",
        "01",
        *(f"stage {number:03}" for number in range(90)),
    ]
    table = pd.DataFrame({"path": ["a.png", "b.png"], "label": ["", "x"], "state": ["none", ""]})
    write_spreadsheet(table, tmp_path / "plain.xlsx")
    write_spreadsheet(table, tmp_path / "offered.xlsx", choices={"label": words, "state": ["none"], "not there": ["z"]})
    assert offered_in(tmp_path / "plain.xlsx") == {}
    assert offered_in(tmp_path / "offered.xlsx") == {"label": words, "state": ["none"]}
    assert read_cells(tmp_path / "offered.xlsx") == read_cells(tmp_path / "plain.xlsx")
    assert pd.read_excel(tmp_path / "offered.xlsx").equals(pd.read_excel(tmp_path / "plain.xlsx"))
    # A program that knows no hidden sheets shows this one.
    book = openpyxl.load_workbook(tmp_path / "offered.xlsx")
    for sheet in book.worksheets:
        sheet.sheet_state = "visible"
    book.save(tmp_path / "shown.xlsx")
    assert read_cells(tmp_path / "shown.xlsx") == read_cells(tmp_path / "plain.xlsx")
    write_spreadsheet(table[:0], tmp_path / "empty.xlsx", choices={"label": words})
    assert offered_in(tmp_path / "empty.xlsx") == {}


@pytest.mark.parametrize(
    ("table", "what"),
    [(pd.DataFrame({"a": range(2**20)}), "1,048,575"), (pd.DataFrame({"a": ["x", "\U0001f600" * 16_384]}), "32,767")],
)
def test_what_is_too_much_for_excel_is_refused_and_leaves_nothing(
    table: pd.DataFrame, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with pytest.raises(FewscanError, match=f"{what}.*\\.csv"):
        write_spreadsheet(table, tmp_path / "a.xlsx")
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]
    write_spreadsheet(table[:1], tmp_path / "a.xlsx")
    assert read_cells(tmp_path / "a.xlsx").rows == [(2, [str(table["a"][0])])]


def test_rows_that_nobody_has_counted_are_refused_where_they_become_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "_MOST_ROWS", 1_200)
    for tables, refused in ((12, False), (13, True)):
        read = (pd.DataFrame({"a": range(100)}) for _ in range(tables))
        with pytest.raises(FewscanError, match="1,200 rows, and this table has 1,201") if refused else nullcontext():
            write_spreadsheet_to(tmp_path / "a", read, Path("a.xlsx"))


@pytest.mark.parametrize(
    "words",
    [
        ["label", "RUN", "--out", "a.xlsx"],
        ["suggest", "RUN", "--out", "a.xlsx"],
        ["labels", "export", "DATA", "--out", "a.xlsx"],
        ["labels", "suspects", "RUN", "--out", "a.xlsx"],
        ["check", "labels.csv", "--out", "a.xlsx"],
        ["check", "labels.csv", "--answers", "a.xlsx"],
    ],
)
def test_without_openpyxl_the_extra_is_named_before_anything_is_done(
    words: list[str],
    split_dataset: Snapshot,
    untrained_run: Callable[[Snapshot], Run],
    fewscan: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    (tmp_path / "labels.csv").touch()
    places = {"RUN": untrained_run(split_dataset).folder, "DATA": split_dataset.folder}
    done = fewscan(*(places.get(word, word) for word in words), cwd=tmp_path)
    assert done.returncode == 2
    assert "fewscan[excel]" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.xlsx*"))


def test_a_missing_text_is_an_empty_cell(tmp_path: Path) -> None:
    write_csv(pd.DataFrame({"path": ["a"], "reason": [None]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == '"path","reason"\n"a",""\n'


@pytest.mark.parametrize(
    "content",
    [
        "",
        "row\n1\n",
        "row,label\nx,a\n",
        "row,label\n,a\n",
        f"row,label\n{'9' * 5000},a\n",
        'row,label\n1,"a',
        "\xff\xfe",
        "row,label\n1.5,a\n",
        "row,label\n1e999,a\n",
        "row,label\n1e19,a\n",
    ],
)
def test_a_damaged_table_is_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(FewscanError, match="damaged") as caught:
        read_csv(path, {"row": "int64", "label": "str"}, "run it again")
    assert "\n" not in str(caught.value)


def test_a_number_that_is_none_is_damage(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("row,score\n1,nan\n")
    with pytest.raises(FewscanError, match="damaged"):
        read_csv(tmp_path / "table.csv", {"row": "int64", "score": "float32"}, "run it again")


def test_what_may_not_be_read_is_not_called_damaged(tmp_path: Path, rights_count: None) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("{}")
    path.chmod(0)
    (tmp_path / "run.json").touch()
    for read in (
        lambda: read_csv(path, {"row": "int64"}, "run it again"),
        lambda: json_object(path, "run it again"),
        lambda: known_content(path, [], "run it again"),
        lambda: Run.open(tmp_path),
    ):
        with pytest.raises(FewscanError, match="permission"):
            read()


def test_a_table_that_is_not_there_says_what_helps(tmp_path: Path) -> None:
    with pytest.raises(FewscanError, match="run it again"):
        read_csv(tmp_path / "none.csv", {"row": "int64"}, "run it again")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_workbook_on_a_full_disk_leaves_no_file_that_python_complains_of_later(monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda seen: complaints.append(str(seen.exc_value)))
    table = pd.DataFrame({"path": [f"{number}.png" for number in range(1000)]})
    with pytest.raises(OSError, match="No space left"):
        write_spreadsheet_to(Path("/dev/full"), [table], Path("table.xlsx"), choices={"path": ["a.png"]})
    gc.collect()
    assert complaints == []
