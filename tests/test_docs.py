"""Numbers in the documents are those of the committed tables."""

import csv
import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
DECIMALS = re.compile(r"\d+\.\d+")


def test_no_number_of_the_results_is_missing_from_the_committed_tables() -> None:
    tables = sorted((DOCS / "results").glob("*/*.csv"))
    assert {table.name for table in tables} >= {"comparison.csv", "table1.csv", "table2.csv", "pairs.csv"}
    known: set[str] = set()
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                known |= {cell.lstrip("-") for cell in row.values()}
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    found = DECIMALS.findall(prose)
    assert len(found) > 50
    assert [number for number in found if number not in known] == []
