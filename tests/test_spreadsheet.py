import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewscan.config import json_object
from fewscan.digests import known_content
from fewscan.errors import FewscanError
from fewscan.images.tables.reading import read_cells
from fewscan.spreadsheet import as_text, from_text, read_csv, write_csv
from fewscan.training.run import Run

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
