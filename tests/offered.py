"""What a workbook offers for a column's cells, as a spreadsheet shows it."""

from pathlib import Path

import openpyxl
from openpyxl.utils import range_boundaries


def offered_in(book: Path) -> dict[str, list[str]]:
    """Return, by names of columns of the sheet that is shown, the words of its list; only where others are taken."""
    opened = openpyxl.load_workbook(book)
    (sheet,) = [one for one in opened.worksheets if one.sheet_state == "visible"]
    found = {}
    for one in sheet.data_validations.dataValidation:
        if (one.type, one.errorStyle, one.allow_blank) == ("list", "warning", True):
            name, _, cells = one.formula1.rpartition("!")
            (asked,) = one.sqref.ranges
            assert (asked.min_row, asked.max_row) == (2, sheet.max_row)
            left, top, right, bottom = range_boundaries(cells)
            assert left == right
            listed = opened[name.strip("'")]
            found[sheet.cell(1, asked.min_col).value] = [str(listed.cell(row, left).value) for row in range(top, bottom + 1)]
    return found
