"""Tables in Excel workbooks: read as the same table in a CSV, and refused where a cell or a sheet has no one meaning."""

import csv
import datetime
import io
import re
import sys
import tracemalloc
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from rich.console import Console

import fewscan
from fewscan import progress, workbooks
from fewscan.errors import FewscanError
from fewscan.images.tables import workbook
from fewscan.images.tables.cut import cut_from
from fewscan.images.tables.reading import read_cells
from fewscan.spreadsheet import write_spreadsheet
from tests.datasets.test_adding import draw
from tests.fixtures import Command
from tests.images.test_label_tables import NAMES, PLAIN, labels_of, make, refusal

HEAD = ("path", "label")


def book_of(place: Path, *rows: Sequence[Any], formats: dict[str, str] | None = None) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cell, shown in (formats or {}).items():
        book.active[cell].number_format = shown
    book.save(place)
    return place


def rewritten(book: Path, part: str, change: Any) -> Path:
    """The workbook with one part changed, a function of its text."""
    with zipfile.ZipFile(book) as read:
        parts = {name: read.read(name) for name in read.namelist()}
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in parts.items():
            written.writestr(name, change(content.decode()) if name == part else content)
    return book


SHEET = "xl/worksheets/sheet1.xml"


def cached(book: Path, cell: str, kind: str, value: str) -> Path:
    """The workbook with the value that a program saved beside the formula in a cell; kind: its type in the file."""

    def change(text: str) -> str:
        text, count = re.subn(rf'(<c r="{cell}")([^>]*>)(<f>.*?</f>)<v ?/?>(</v>)?', rf"\1{kind}\2\3<v>{value}</v>", text)
        assert count == 1
        return text

    return rewritten(book, SHEET, change)


def refused(book: Path) -> str:
    with pytest.raises(FewscanError) as caught:
        read_cells(book)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def column_of(book: Path) -> list[str]:
    """The texts of the second column below its name."""
    return [row[1] if len(row) > 1 else "" for _, row in read_cells(book).rows]


@pytest.mark.parametrize(
    ("value", "shown", "text"),
    [
        ("007", "General", "007"),
        (12, "General", "12"),
        (12.0, "General", "12"),
        (-3, "0000", "-3"),
        (0.1 + 0.2, "General", "0.3"),
        (202400001234567, "General", "202400001234567"),
        (1234567890123456, "General", "1234567890123456"),
        (7, "000", "007"),
        (1234, "000", "1234"),
        (7, '"P-"000', "P-007"),
        (12345, r"00\-00\-00", "01-23-45"),
        (7, "[$-407]000_-;[Red]-000", "007"),
        (7, "[<10]000;00000", "7"),  # a condition, not followed
        (12, "#,##0.00", "12"),
        (True, "General", "TRUE"),
        ("  x ", "General", "  x "),
        ("'=1+1", "General", "=1+1"),  # as fewscan writes it in CSVs
        ("#N/A", "General", "#N/A"),
        (datetime.date(2024, 3, 1), "dd.mm.yyyy", "2024-03-01"),
        (datetime.datetime(2024, 3, 1, 13, 45), "dd.mm.yyyy hh:mm", "2024-03-01 13:45:00"),
        (datetime.time(8, 5), "hh:mm", "08:05:00"),
        (datetime.timedelta(hours=36, minutes=5), "[h]:mm", "36:05:00"),
    ],
)
def test_a_cell_is_the_text_that_people_see(tmp_path: Path, value: Any, shown: str, text: str) -> None:
    assert column_of(book_of(tmp_path / "a.xlsx", HEAD, ("a", value), formats={"B2": shown})) == [text]


@pytest.mark.parametrize("kept", ["123456789012345670", "1.2345678901234567E+17", "123456789012346000"])
def test_digits_that_a_workbook_does_not_keep_are_cut_ones(tmp_path: Path, kept: str) -> None:
    book = rewritten(
        book_of(tmp_path / "a.xlsx", HEAD, ("a", 5)), SHEET, lambda text: text.replace("<v>5</v>", f"<v>{kept}</v>")
    )
    assert cut_from(column_of(book), ["123456789012345678"])


def test_a_cell_merged_over_rows_counts_in_each_that_holds_anything_else(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    rows = ((*HEAD, "patient"), ("a", "x", "P1"), ("b", "y"), (), ("c", None, None, "far"), ("d", "x", "P2"), ("a note",))
    for row in rows:
        book.active.append(row)
    for merged in ("C2:C5", "A6:B6", "D2:D9", "A7:C9"):
        book.active.merge_cells(merged)
    book.save(tmp_path / "a.xlsx")
    # As left over where a format was pasted: a value below a merged one, which nobody sees.
    rewritten(tmp_path / "a.xlsx", SHEET, lambda text: re.sub(r'<c r="C3"[^>]*/>', '<c r="C3"><v>9</v></c>', text))
    assert read_cells(tmp_path / "a.xlsx").rows == [
        (2, ["a", "x", "P1"]),
        (3, ["b", "y", "P1"]),
        (5, ["c", "", "P1"]),
        (6, ["d", "", "P2"]),
        (7, ["a note"]),
    ]


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ("<t>glioma_x000D_\nWHO 4</t>", "glioma\r\nWHO 4"),
        ("<t>img_x005F_x0012_y0034</t>", "img_x0012_y0034"),
        ("<r><t>gli</t></r><r><rPr><b/></rPr><t>oma</t></r>", "glioma"),
        ("<t>東京</t><rPh sb='0' eb='1'><t>トウキョウ</t></rPh>", "東京"),
    ],
)
def test_texts_are_read_as_excel_keeps_them_beside_the_sheet(tmp_path: Path, held: str, text: str) -> None:
    book = shared(book_of(tmp_path / "a.xlsx", HEAD, ("a", "x")))
    rewritten(book, "xl/sharedStrings.xml", lambda texts: texts.replace("<t>x</t>", held))
    assert column_of(book) == [text]


def shared(book: Path) -> Path:
    """The workbook with its texts beside the sheet, as Excel saves it."""
    texts: list[str] = []

    def moved(found: re.Match[str]) -> str:
        texts.append(found[1])
        return f't="s"><v>{len(texts) - 1}</v>'

    rewritten(book, SHEET, lambda sheet: re.sub('t="inlineStr"><is>(<t.*?</t>)</is>', moved, sheet, flags=re.DOTALL))
    kind, part = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml", "xl/sharedStrings.xml"
    types = f'<Override PartName="/{part}" ContentType="{kind}"/></Types>'
    rewritten(book, "[Content_Types].xml", lambda text: text.replace("</Types>", types))
    with zipfile.ZipFile(book, "a") as parts:
        held = "".join(f"<si>{text}</si>" for text in texts)
        parts.writestr(part, f"<sst xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'>{held}</sst>")
    return book


def test_a_workbook_of_ours_that_another_program_saved_has_the_same_texts(tmp_path: Path) -> None:
    texts = ["tile_x0012_y0034", "_x0041_", "a\rb", "a\r\nb", "=1+1", "-x", "01", "Ärzte", "#N/A"]
    book = tmp_path / "a.xlsx"
    write_spreadsheet(pd.DataFrame({"path": "a", "label": texts}), book)
    openpyxl.load_workbook(book).save(tmp_path / "again.xlsx")
    assert column_of(tmp_path / "again.xlsx") == texts
    assert column_of(shared(book)) == texts
    # Copied out by a program that knows nothing of codes.
    copied = [row[1].value for row in openpyxl.load_workbook(tmp_path / "again.xlsx").active.iter_rows(min_row=2)]
    assert column_of(book_of(book, HEAD, *[("a", text) for text in copied if not text.startswith("=")])) == [
        text for text in texts if not text.startswith("=")
    ]


def test_lines_are_excels_and_what_is_empty_at_the_edges_is_left_out(tmp_path: Path) -> None:
    book = book_of(
        tmp_path / "a.xlsx", (), (*HEAD, None, ""), ("a", "x", None, "a remark"), (), (" ",), ("b",), (None, None),
        formats={"Z90": "000"},
    )  # fmt: skip
    assert read_cells(book) == (HEAD, [(3, ["a", "x"]), (6, ["b"])])


def test_a_title_above_the_names_is_told_from_them_and_patients_are_not_repeated(both: tuple[Path, Path, Path]) -> None:
    root, book, text = both
    rows = [
        ("List 2024",),
        (),
        ("Scan", "ICD-10", "Finding", "Note"),
        ("Meier", "C71", "tumor"),
        ("Huber", "C72", "none", "old"),
    ]
    for mark in ",;":
        for title in ("List 2024", f"List 2024{mark * 3}"):
            text.write_text("\n".join([title, "", *(mark.join(row) for row in rows[2:])]))
            for options in ({}, {"path_column": "Scan"}):
                said = refusal(root, labels=text, **options)
                assert all(words in said for words in ("one cell", "row 3"))
                assert "Meier" not in said
    said = refusal(root, labels=book_of(book, *rows))
    assert all(words in said for words in ("one cell", "row 3"))
    # Without names of columns there is no line to name.
    assert "one cell" not in refusal(root, labels=book_of(book, ("List",), ("Meier.png", "tumor"), ("Huber.png", "none")))


def test_a_size_that_the_file_states_wrongly_leaves_out_no_row(tmp_path: Path) -> None:
    book = book_of(tmp_path / "a.xlsx", HEAD, ("a", "x"))
    rewritten(book, SHEET, lambda text: re.sub('<dimension ref="[^"]*"', '<dimension ref="A1"', text))
    assert column_of(book) == ["x"]


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Scans, and a table of them as a workbook and as a CSV."""
    rows = [("image", "diagnosis", "patient"), *((name, PLAIN[f"img/{name}.png"], f"0{at}") for at, name in enumerate(NAMES))]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return make(tmp_path / "pool", *PLAIN), book_of(tmp_path / "labels.xlsx", *rows), tmp_path / "labels.csv"


def test_a_workbook_says_what_the_same_csv_says(both: tuple[Path, Path, Path]) -> None:
    root, book, text = both
    assert read_cells(book) == read_cells(text)
    assert labels_of(root, labels=book) == labels_of(root, labels=text) == PLAIN
    book.rename(book.with_suffix(".XLSM"))
    assert labels_of(root, labels=book.with_suffix(".XLSM")) == PLAIN


def test_import_and_labels_set_take_a_workbook_as_they_take_a_csv(tmp_path: Path) -> None:
    found = []
    for kind in ("csv", "xlsx"):
        rows = [(*HEAD, "patient"), *((f"{at}.png", "ab"[at % 2], f"00{at // 2}") for at in range(6))]
        later = [HEAD, ("0.png", "b"), ("1.png", "unsure"), ("2.png", None)]
        folder = tmp_path / kind
        for at in range(6):
            draw(folder / "scans" / f"{at}.png", at)
        for name, held in (("labels", rows), ("later", later)):
            with (folder / f"{name}.csv").open("w", newline="") as file:
                csv.writer(file).writerows(held)
            book_of(folder / f"{name}.xlsx", *held)
        dataset = fewscan.import_scans(folder / "scans", folder / "data", size_px=16, labels=folder / f"labels.{kind}")
        done = fewscan.set_labels(dataset, folder / f"later.{kind}").summary()
        table = fewscan.export_labels(dataset, folder / f"out.{kind}").drop(columns=["path", "origin"])
        assert fewscan.set_labels(dataset, folder / f"out.{kind}").summary()["changed"] == 0
        patients = pd.factorize(dataset.snapshot().manifest["patient"])[0].tolist()
        found.append((str(done).replace("xlsx", "csv"), table.to_csv(), patients))
    assert found[0] == found[1]
    assert patients == [0, 0, 1, 1, 2, 2]


def test_of_a_formula_the_saved_value_counts(tmp_path: Path) -> None:
    book = book_of(tmp_path / "a.xlsx", HEAD, ("a", '="x"'), ("b", "=1+1"), ("c", '=""'), ("d", "=NA()"), ("e", "plain"))
    cached(book, "B2", ' t="str"', "x")
    cached(book, "B3", "", "2")
    cached(book, "B4", ' t="str"', "")
    cached(book, "B5", ' t="e"', "#N/A")
    assert column_of(book) == ["x", "2", "", "#N/A", "plain"]


def test_a_formula_without_a_value_is_no_empty_cell(tmp_path: Path) -> None:
    book = book_of(tmp_path / "a.xlsx", HEAD, ("a", "=1+1"), ("b", "secret"))
    told = refused(book)
    assert "B2" in told
    assert "secret" not in told
    # Where cells do not say where they are, too.
    assert "B2" in refused(rewritten(book, SHEET, lambda text: re.sub(r'<c r="\w+"', "<c", text)))


def test_an_error_in_a_cell_is_named(tmp_path: Path) -> None:
    assert "B3 (#REF!)" in refused(book_of(tmp_path / "a.xlsx", HEAD, ("a", "x"), ("b", "#REF!")))
    # Beside the table nobody reads it.
    assert column_of(book_of(tmp_path / "a.xlsx", HEAD, ("a", "x", "#REF!"))) == ["x"]


def test_the_one_sheet_that_is_shown_and_holds_anything_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("choices").append(["glioma"])
    table = book.create_sheet("findings")
    for row in (HEAD, ("a", "x")):
        table.append(row)
    book.save(tmp_path / "a.xlsx")
    told = refused(tmp_path / "a.xlsx")
    assert "'choices' and 'findings'" in told
    assert "glioma" not in told
    book["choices"].sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    assert column_of(tmp_path / "a.xlsx") == ["x"]


def test_the_strict_kind_of_excel_is_not_called_empty(tmp_path: Path) -> None:
    book = book_of(tmp_path / "a.xlsx", HEAD, ("a", "x"))
    spaces = {
        "http://schemas.openxmlformats.org/spreadsheetml/2006/": "http://purl.oclc.org/ooxml/spreadsheetml/",
        "http://schemas.openxmlformats.org/officeDocument/2006/": "http://purl.oclc.org/ooxml/officeDocument/",
    }
    for part in ("_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml", SHEET):
        for usual, strict in spaces.items():
            rewritten(book, part, lambda text, usual=usual, strict=strict: text.replace(usual, strict))
    told = refused(book)
    assert "empty" not in told
    assert "Excel Workbook" in told


def test_an_empty_workbook_is_refused(tmp_path: Path) -> None:
    assert "is empty" in refused(book_of(tmp_path / "a.xlsx"))


@pytest.mark.parametrize("name", ["~$list.xlsx", ".~lock.list.xlsx#"])
def test_what_a_program_keeps_beside_an_open_workbook_and_folders_are_no_tables(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x05Meier" * 20)
    assert str(tmp_path / "list.xlsx") in refused(tmp_path / name)
    assert "is a folder" in refused(tmp_path)


def test_damaged_files_and_other_kinds_are_one_line(tmp_path: Path) -> None:
    content = book_of(tmp_path / "whole.xlsx", HEAD, ("a", "x")).read_bytes()
    old, locked = b"\xd0\xcf\x11\xe0" + bytes(600), b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le")
    cases = {
        "cut.xlsx": (content[:2000], "damaged"),
        "text.xlsx": (b"path,label\na,x\n", "damaged"),
        "none.xlsx": (b"", "damaged"),
    }
    cases |= {
        "zip.xlsx": (b"PK\x03\x04 and so on", "damaged"),
        "locked.xlsx": (locked, "password"),
        "old.xlsx": (old, "old format"),
    }
    cases |= {"a.xls": (old, "old format"), "a.ods": (content, "OpenDocument"), "a.numbers": (content, "Numbers")}
    cases |= {"a.csv": (content, "another name")}
    for name, (held, told) in cases.items():
        (tmp_path / name).write_bytes(held)
        assert told in refused(tmp_path / name)
    rewritten(tmp_path / "whole.xlsx", SHEET, lambda text: text.replace("</row>", "", 1))
    assert "damaged" in refused(tmp_path / "whole.xlsx")


HUGE = {
    "unpacked": lambda text: text + " " * (workbook._MOST_BYTES + 1),
    "rows": lambda text: text.replace("</sheetData>", "<row/>" * (workbook._MOST_ROWS + 1) + "</sheetData>"),
    "one row": lambda text: text.replace("</row>", "<c/>" * (workbook._MOST_AT_ONCE + 1) + "</row>", 1),
    "beside rows": lambda text: text.replace("</sheetData>", "</sheetData>" + "<a/>" * (workbook._MOST_AT_ONCE + 1)),
    "a far row": lambda text: text.replace('<row r="2"', '<row r="99999999999"'),
    "a far row in other digits": lambda text: text.replace('<row r="2"', '<row r="1e11"'),
}


@pytest.mark.parametrize("change", HUGE.values(), ids=HUGE.keys())
def test_a_small_file_that_unpacks_to_much_takes_little_memory(tmp_path: Path, change: Any) -> None:
    book = rewritten(book_of(tmp_path / "a.xlsx", HEAD, ("a", "x")), SHEET, change)
    tracemalloc.start()
    told = refused(book)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "save it as CSV" in told
    assert peak < 20 * 2**20


@pytest.mark.parametrize(("far", "lines"), [(49, [1, 49, 50]), (50, None)])
def test_rows_that_follow_the_last_one_that_excel_has_are_too_many(
    far: int, lines: list[int] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "_MOST_ROWS", 50)

    def moved(text: str) -> str:
        """The second row far down, and the third one right below, as one is that says no number."""
        return re.sub(r' r="[AB]?3"', "", re.sub(r' r="([AB]?)2"', rf' r="\g<1>{far}"', text))

    book = rewritten(book_of(tmp_path / "a.xlsx", HEAD, ("a", "x"), ("b", "x")), SHEET, moved)
    if lines is None:
        assert "than a sheet of Excel can" in refused(book)
    else:
        assert [line for line, _ in workbook.workbook_rows(book, book.read_bytes())] == lines


def test_wide_rows_of_few_cells_take_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "_MOST_CELLS", 100_000)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (HEAD, *[(str(number), "x") for number in range(20)]):
        sheet.append([*row, *[None] * 16_000, "far"])
    book.save(tmp_path / "a.xlsx")
    assert "100,000 cells" in refused(tmp_path / "a.xlsx")


def test_without_openpyxl_the_extra_is_named(
    both: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, fewscan: Command
) -> None:
    root, book, text = both
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "fewscan[excel]" in refusal(root, labels=book)
    assert labels_of(root, labels=text) == PLAIN
    done = fewscan("import", root, "--labels", book, "--plan")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_options_of_text_have_no_use_for_workbooks_alone(both: tuple[Path, Path, Path]) -> None:
    root, book, text = both
    assert "--encoding" in refusal(root, labels=book, encoding="cp1252")
    assert "--separator" in refusal(root, labels=book, separator="tab")
    assert labels_of(root, labels=[book, text], encoding="utf-8") == PLAIN


def test_a_large_workbook_of_labels_is_read_and_a_small_one_that_unpacks_to_as_much_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = np.random.default_rng(0).random((500, 4))
    write_spreadsheet(pd.DataFrame(numbers).add_prefix("n").assign(path="a", label="x"), tmp_path / "a.xlsx")
    monkeypatch.setattr(workbook, "_MOST_BYTES", 2**14)
    assert len(read_cells(tmp_path / "a.xlsx").rows) == 500
    write_spreadsheet(pd.DataFrame({"path": ["a" * 30_000] * 20}), tmp_path / "b.xlsx")
    assert "unpacks" in refused(tmp_path / "b.xlsx")


def test_what_is_read_and_written_of_a_large_workbook_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=120, force_terminal=True, color_system=None)
    monkeypatch.setattr(progress, "console", console)
    monkeypatch.setattr(workbook, "_BLOCK_BYTES", 1000)
    table = pd.DataFrame({"path": [f"{number}.png" for number in range(60)], "label": "x"})

    def told(rows_without_bar: int) -> str:
        screen.truncate(0)
        for module in (workbooks, workbook):
            monkeypatch.setattr(module, "ROWS_WITHOUT_BAR", rows_without_bar)
        monkeypatch.setattr(workbook, "_BLOCKS_WITHOUT_BAR", rows_without_bar // 10)
        write_spreadsheet(table, tmp_path / "a.xlsx")
        assert len(read_cells(tmp_path / "a.xlsx").rows) == 60
        return screen.getvalue()

    assert told(1000) == ""
    said = told(10)
    for what in ("write a.xlsx", "look into a.xlsx", "read a.xlsx", "60/60", "61/61"):
        assert what in said
