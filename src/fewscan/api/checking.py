"""The verb that says at most how many labels of a table are wrong: check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.atomic import refuse_replacing, require_place
from fewscan.errors import FewscanError
from fewscan.idle import refuse_idle_overwrite
from fewscan.splits.support import TARGET_ERROR

if TYPE_CHECKING:
    from fewscan.labeling.checked import Checked


def check(
    table: str | Path,
    *,
    at_most: float = TARGET_ERROR,
    least_score: float | None = None,
    class_name: str | Sequence[str] = (),
    answers: str | Path | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> Checked:
    """Draw labels of a table that `label` wrote, for a reader to check, and say at most how many of all are wrong.

    The first call writes the file `answers`, by default TABLE.check.csv beside the table, or .xlsx beside a workbook: scans in
    the order of a random draw that follows from the labels, and an empty column `label`. Fill it in from the top and call
    again. In at least 95 of 100 draws, no more of the labels are wrong than the result says (`fewscan.labeling.wrong_share`),
    whenever you stop. More rows are written if more checks could show that at most a share `at_most` is wrong.

    least_score: check the labels with at least this score; by default those that were accepted or, if none was, those of which
    the run expects two thirds of `at_most` to be wrong. class_name: check only labels of this class, or of these; the draw and
    all that the result says are about these labels alone, and their answers are by default in TABLE.check-class2.csv, for the
    second class. out: a table with the reader's labels, and with all other labels under check as accepted; those that are not
    under check keep their decision. overwrite: replace `out`. Raises FewscanError if there is nothing to check, if the answers
    are of another draw or name no class, if the answers do not yet show what `out` needs, and if `out` exists and may not be
    replaced.
    """
    from fewscan.labeling.check import LabelCheck, require_share
    from fewscan.labeling.table import require_table_name
    from fewscan.spreadsheet import require_spreadsheet

    require_share(at_most)
    refuse_idle_overwrite(out, overwrite=overwrite)
    path = Path(table)
    if not path.is_file():
        why = f"{path} is a folder" if path.is_dir() else f"there is no table {path}"
        raise FewscanError(f"{why}: give a table that 'fewscan label' wrote")
    given = None if answers is None else Path(answers)
    if given is not None:
        require_spreadsheet(given, argument="--answers")
    written = None if out is None else Path(out)
    if written is not None:
        require_table_name(written)
        require_place(written, overwrite=overwrite)
        refuse_replacing(written, path)
    named = [class_name] if isinstance(class_name, str) else class_name
    checked = LabelCheck.of(path, given, at_most=at_most, least_score=least_score, class_names=named)
    if written is not None:
        refuse_replacing(written, checked.answers_path)
    with checked.alone() as found:
        result = found.result(found.ask())
    if written is not None:
        if not result.shown:
            raise FewscanError(
                f"the answers do not yet show that at most {100 * at_most:g} % of {result.what} are wrong: answer more of "
                f"them in {found.answers_path} before --out"
            )
        found.write(written, result)
    return result
