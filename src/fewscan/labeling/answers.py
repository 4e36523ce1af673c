"""The file in which a reader answers: scans in the order of a draw, and what was said of the first of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fewscan.errors import FewscanError
from fewscan.images.classes import spelling_key
from fewscan.images.slips import likely_meant
from fewscan.images.sources import CHECK
from fewscan.images.table_rows import TableRows, in_rows, standing
from fewscan.images.tables.predictions import ORIGIN_COLUMN
from fewscan.images.tables.reading import Cells, read_cells
from fewscan.labeling.table import table_beside
from fewscan.labels.tables import NO_LABELS, choices_of
from fewscan.spreadsheet import SPREADSHEETS, write_spreadsheet


def answers_beside(table: Path, word: str = "check") -> Path:
    """Return where answers about the labels of a table are kept, unless somebody names another place; word: see `file_word`."""
    beside = table_beside(table, word)
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

        Raises AnotherDrawError where they are not, FewscanError where answers are no class and none of NO_LABELS, and where
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
        drawn = [*paths[: len(cells.rows)], *[None] * (len(cells.rows) - len(paths))]
        if (
            other := next((line for (line, row), one in zip(cells.rows, drawn, strict=True) if row[path] != one), None)
        ) is not None:
            raise AnotherDrawError(
                f"{file}, row {other} has another scan than is drawn from these labels: leave the rows and their order as they "
                "are and give the same options again, or name another file with --answers. Which labels are drawn depends on "
                "--class, --least-score and, where no score is given and no such label was accepted, on --at-most"
            )
        given = _words(file, [(line, row[label].strip()) for line, row in cells.rows], (*classes, *NO_LABELS))
        answered = given.index("") if "" in given else len(given)
        if any(given[answered:]):
            later = next(at for at in range(answered, len(given)) if given[at])
            raise FewscanError(
                f"{file}, row {cells.rows[answered][0]} has no label, but row {cells.rows[later][0]} has: answer the scans in "
                "their order, and write 'unsure' where you are"
            )
        return cls(cells, tuple(given[:answered]))

    def rows(self, more: Sequence[str] = ()) -> pd.DataFrame:
        """Return the rows of the file, texts, and more of these paths, without a label; all with the origin CHECK."""
        columns, there = list(self.cells.columns), [row for _, row in self.cells.rows]
        new = pd.DataFrame({"path": list(more)}, dtype="str").reindex(columns=columns, fill_value="")
        rows = pd.concat([pd.DataFrame(there, columns=columns, dtype="str"), new], ignore_index=True)
        # By that `labels set` and `import` know that these labels measure no network.
        return rows.assign(**{ORIGIN_COLUMN: CHECK})


def _words(file: Path, answers: Sequence[tuple[int, str]], known: Sequence[str]) -> list[str]:
    """Return which of the words that are known each answer is, "" for none yet; answers: their rows and texts.

    Raises FewscanError, with all rows that hold another word.
    """
    words = {spelling_key(word): word for word in known}
    other = standing((said, TableRows("", (line,))) for line, said in answers if said and spelling_key(said) not in words)
    if other:
        told = in_rows(other, other, lambda said: likely_meant(said, known))
        raise FewscanError(
            f"{file} has answers that are none of {', '.join(known)}: {told}: correct these cells, and write 'unsure' where no "
            "class fits"
        )
    return [words[spelling_key(said)] if said else "" for _, said in answers]


def write_answers(rows: pd.DataFrame, file: Path, classes: Sequence[str]) -> None:
    """Write rows as `Answers.rows` returns them, to be answered with one of these classes or of NO_LABELS."""
    write_spreadsheet(rows, file, choices=choices_of(classes))
