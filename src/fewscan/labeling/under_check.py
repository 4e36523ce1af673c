"""Which labels of a table a check is about: all that `label` gave, or those of some classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.errors import FewscanError, Reasons
from fewscan.images.classes import spelling_key
from fewscan.images.slips import likely_meant
from fewscan.images.table_rows import TableRows, in_rows, standing
from fewscan.labeling.table import read_table
from fewscan.wording import counted, each_counted, listed

_TWICE_SHOWN = 3
_CLASSES_SHOWN = 8


def read_labels(path: Path) -> pd.DataFrame:
    """Read a table that `label` wrote, whose scans and labels may have been changed since.

    Raises FewscanError where it is none, and, with the rows, where it names a scan twice or a label is none of its classes.
    """
    table = read_table(path)
    lacking = [name for name in ("path", "label", "score", "decision", "reason") if name not in table.columns]
    if lacking:
        raise FewscanError(f"{path} is not a table that 'fewscan label' wrote: it has no column '{lacking[0]}'")
    classes, labels = classes_of(table), table["label"]
    if not classes:
        raise FewscanError(
            f"{path} is not a table that 'fewscan label' wrote: it has no column 'probability_CLASS' of any class, so "
            "nobody knows its classes"
        )
    other = _rows_where(labels.notna() & ~labels.isin(classes), labels)
    twice = _rows_where(table["path"].duplicated(keep=False), table["path"])
    with Reasons(f"{path} cannot be checked") as reasons:
        if other:
            told = in_rows(other, other, lambda label: likely_meant(label, classes))
            reasons.add(f"{path} has labels that are no class of its run: {told}: give them back as the run gave them")
        if twice:
            # A path is for no terminal: folders are often called as patients or classes are.
            told = "; ".join(str(rows) for of in list(twice.values())[:_TWICE_SHOWN] for rows in of)
            reasons.add(f"{path} names {counted(len(twice), 'scan')} more than once: {told}: keep one row of each")
    return table


def classes_of(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the classes that the run of a table knows, in its order."""
    return tuple(name.removeprefix("probability_") for name in table.columns if name.startswith("probability_"))


def chosen_classes(table: pd.DataFrame, path: Path, named: Sequence[str]) -> tuple[str, ...] | None:
    """Return the classes whose labels are to be checked, in the run's order, as it spells them; None for all of them.

    named: none stands for all. Raises FewscanError, with all reasons, for one that the run does not know or that no scan has.
    """
    classes, there = classes_of(table), table["label"].value_counts()
    known, chosen = {spelling_key(name): name for name in classes}, set()
    with Reasons(f"{path} has nothing to check of these classes") as reasons:
        for name in named:
            one = known.get(spelling_key(name))
            if one is None:
                meant = likely_meant(name, classes)
                hint = f"its classes are {listed(classes, _CLASSES_SHOWN)}" if meant is None else f"did you mean '{meant}'?"
                reasons.add(f"{path} has no class '{name}': {hint}")
            elif one not in there.index:
                given = each_counted(dict(there), _CLASSES_SHOWN) if len(there) else "none"
                reasons.add(f"no scan in {path} has the label '{one}', so none can be checked: its labels are {given}")
            else:
                chosen.add(one)
    return tuple(name for name in classes if name in chosen) if 0 < len(chosen) < len(classes) else None


def is_of(table: pd.DataFrame, about: Sequence[str] | None) -> npt.NDArray[np.bool_]:
    """Return of each row of a table whether its label may be checked by its class; about: as `chosen_classes` returns it."""
    return np.ones(len(table), bool) if about is None else table["label"].isin(about).to_numpy(bool)


def of_classes(table: pd.DataFrame, about: Sequence[str] | None) -> pd.DataFrame:
    """Return the rows of a table whose labels may be checked by their classes."""
    return table[is_of(table, about)]


def quoted(names: Sequence[str]) -> str:
    """Return classes as a sentence names them: `'glioma' and 'no tumor'`."""
    return listed([f"'{name}'" for name in names], _CLASSES_SHOWN)


def file_word(word: str, classes: Sequence[str], about: Sequence[str] | None) -> str:
    """Return a word for the name of a file about labels of some classes: `check-class2`, by their places among `classes`.

    It does not name them: who answers is not to know which label the scans have.
    """
    return word if about is None else f"{word}-class{'-'.join(str(classes.index(name) + 1) for name in about)}"


def _rows_where(chosen: pd.Series, names: pd.Series) -> dict[str, list[TableRows]]:
    """Return in which rows the names stand that are chosen; the first row of the table is row 2, below the columns' names."""
    return standing((names.iloc[at], TableRows("", (at + 2,))) for at in np.flatnonzero(chosen.to_numpy()).tolist())
