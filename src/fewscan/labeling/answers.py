"""The file in which a reader answers: scans in the order of a draw, and what was said of the first of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fewscan.errors import FewscanError
from fewscan.images.classes import spelling_key
from fewscan.images.sources import CHECK
from fewscan.images.tables.predictions import ORIGIN_COLUMN
from fewscan.images.tables.reading import Cells, read_cells
from fewscan.labeling.table import table_beside
from fewscan.labels.content import State
from fewscan.spreadsheet import SPREADSHEETS, write_spreadsheet

NO_LABELS: tuple[State, ...] = ("unsure", "not a scan")


def answers_beside(table: Path) -> Path:
    """Return where answers about the labels of a table are kept, unless somebody names another place."""
    beside = table_beside(table, "check")
    return beside if beside.suffix.lower() in SPREADSHEETS else beside.with_suffix(".csv")


class AnotherDrawError(FewscanError):
    """The answers are of other scans than are drawn, or in another order."""


class Answers(NamedTuple):
    """The file as it stands, with columns of the reader's own, and the answers of its first rows, up to one without."""

    cells: Cells
    given: tuple[str, ...]

    @classmethod
    def read(cls, file: Path, paths: Sequence[str], classes: Sequence[str]) -> "Answers":
        """Read the answers in a file, whose rows are the first of `paths`; where there is none, nothing was asked yet.

        Raises AnotherDrawError where they are not, FewscanError where an answer is no class and none of NO_LABELS, and where
        one was passed over.
        """
        if not file.exists():
            return cls(Cells(("path", "label", ORIGIN_COLUMN), []), ())
        cells = read_cells(file)
        if lacking := [name for name in ("path", "label") if name not in cells.columns]:
            raise FewscanError(f"{file} has no column '{lacking[0]}', so 'fewscan check' did not write it: choose another file")
        path, label = (cells.columns.index(name) for name in ("path", "label"))
        # A program that writes tables may leave out what is empty at the end of a row.
        width = len(cells.columns)
        cells = Cells(cells.columns, [(line, [*row, *[""] * width][:width]) for line, row in cells.rows])
        if [row[path] for _, row in cells.rows] != list(paths[: len(cells.rows)]):
            raise AnotherDrawError(
                f"{file} has other scans than those drawn from these labels, or has them in another order: leave its rows as "
                "they are and give the same options again, or name another file with --answers. Which labels are drawn depends "
                "on --least-score and, where neither this is given nor any label was accepted, on --at-most"
            )
        words = {spelling_key(word): word for word in (*NO_LABELS, *classes)}
        given = [words.get(spelling_key(row[label])) if row[label].strip() else "" for _, row in cells.rows]
        for answer, (line, row) in zip(given, cells.rows, strict=True):
            if answer is None:
                raise FewscanError(f"{file}, line {line}: '{row[label]}' is not one of {', '.join((*classes, *NO_LABELS))}")
        answered = given.index("") if "" in given else len(given)
        if any(given[answered:]):
            raise FewscanError(
                f"{file}, line {cells.rows[answered][0]} has no label, but a later line has: answer the scans in their order, "
                "and write 'unsure' where you are"
            )
        return cls(cells, tuple(word for word in given[:answered] if word is not None))

    def rows(self, more: Sequence[str] = ()) -> pd.DataFrame:
        """Return the rows of the file, texts, and more of these paths, without a label; all with the origin CHECK."""
        columns, standing = list(self.cells.columns), [row for _, row in self.cells.rows]
        new = pd.DataFrame({"path": list(more)}, dtype="str").reindex(columns=columns, fill_value="")
        rows = pd.concat([pd.DataFrame(standing, columns=columns, dtype="str"), new], ignore_index=True)
        # By that `labels set` and `import` know that these labels measure no network.
        return rows.assign(**{ORIGIN_COLUMN: CHECK})


def write_answers(rows: pd.DataFrame, file: Path) -> None:
    """Write rows as `Answers.rows` returns them."""
    write_spreadsheet(rows, file)
