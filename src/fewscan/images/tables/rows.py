"""A row of a table -> what it says: which image, which label, which patient, which part of a split."""

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fewscan.errors import FewscanError, Reasons
from fewscan.images.classes import BETWEEN_FINDINGS, IN_PLACE, class_key, said_in_place
from fewscan.images.formats.image import GivenSplit
from fewscan.images.not_known import unsettled
from fewscan.images.options import Several, TableOptions, words_for_no_label
from fewscan.images.part_names import SPLIT_WORDS
from fewscan.images.sources import PREDICTIONS
from fewscan.images.table_rows import TableRows, standing
from fewscan.images.tables.alike import NO_PATIENT
from fewscan.images.tables.columns import Columns, NoFileNamedError, find_columns
from fewscan.images.tables.copies import with_copies
from fewscan.images.tables.cut import REMEDY, left_of
from fewscan.images.tables.headers import ByNumber
from fewscan.images.tables.one_hot import marks_of
from fewscan.images.tables.predictions import ACCEPTED, ORIGIN_COLUMN, decision_column, kept_origin, require_trust
from fewscan.images.tables.reading import Cells, cell, plain, position_of
from fewscan.images.tables.several import chosen_note, differing_note, unsettled_note

# A column of fewscan's own tables, and what it says of a scan: that it has its label, or what in place of one.
STATE_COLUMN = "label_state"
STATES = ("none", "label", "unsure", "not a scan")


@dataclass(frozen=True, slots=True)
class Row:
    """What one row says; `where` is which one, for people. A label behind IN_PLACE is what it says in place of one.

    `about_labels`: its table has labels, whether this row has or not. `several`: it names more than one finding, so that the
    image has no one class, whatever else is known of it. `findings`: what rows of the table name, where they differ, each
    `found_in` its rows; `disputed`: whether all of that stands until somebody settles it.
    """

    table: Path
    where: TableRows
    path: str
    label: str | None = None
    patient: str | None = field(default=None, repr=False)
    patient_columns: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # what each column of patients says
    split: GivenSplit | None = None
    about_labels: bool = False
    several: bool = False
    findings: tuple[str, ...] = ()
    found_in: tuple[TableRows, ...] = ()
    disputed: bool = False
    predicted: bool = False  # by a network, so that whatever a person says goes before it
    chosen: str | None = None  # an origin of labels that only teach, which the row names itself
    path_column: str = "path"  # as the table calls it
    label_column: str | None = None  # as well; None where classes have a column each
    notes: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where a label of the row comes from."""
        return self.chosen or (f"{PREDICTIONS}{self.table.name}" if self.predicted else self.table.name)

    @property
    def said_in(self) -> tuple[TableRows, ...]:
        """Which rows say each of `said`, or where none stands, the image's."""
        return self.found_in if self.disputed else (self.where,)

    @property
    def said(self) -> tuple[str, ...]:
        """The labels that stand: its own, or those over which rows of the table differ."""
        return self.findings if self.disputed else () if self.label is None else (self.label,)


def with_finding(first: Row, other: Row, several: Several, key: Callable[[str], str]) -> Row:
    """Return what two rows of one table say of an image where they name different labels.

    A word for not known, `first` and `whole` settle it as in a cell of both. Else all stands, and is disputed; but what a
    network predicted is for nobody to settle.
    """
    said = [one for row in (first, other) for one in zip(row.findings or row.said, row.found_in or row.said_in, strict=False)]
    names = {key(label): label for label, _ in reversed(said)}
    where = standing((names[key(label)], rows) for label, rows in said)
    findings, found_in = tuple(where), tuple(one for (one,) in where.values())
    both = replace(first, where=first.where.with_others(other.where), findings=findings, found_in=found_in)
    if unknown := unsettled(findings, key):
        word, note = unsettled_note(first.table, *unknown)
        return replace(both, label=word, several=word is None, disputed=False, notes=(*first.notes, note))
    one = first.label if several == "first" else None
    if several == "whole" and first.label and other.label:
        whole = dict.fromkeys([*first.label.split(BETWEEN_FINDINGS), *other.label.split(BETWEEN_FINDINGS)])
        one = BETWEEN_FINDINGS.join(whole)
    disputed = several == "none" and len(findings) > 1 and not first.predicted
    note = differing_note(first.table, several)
    return replace(both, label=one, several=one is None, disputed=disputed, notes=(*first.notes, note))


def rows_of(
    table: Path,
    cells: Cells,
    options: TableOptions,
    rename: Mapping[str, str],
    classes: Collection[str] = (),
    *,
    labels_alone: bool = False,
    by: ByNumber | None = None,
) -> list[Row]:
    """Return all rows of a CSV whose cells are read, of `labels_alone` without patients and parts of a split.

    rename: labels that are to be renamed, which are labels whatever word they are, and their new names.
    classes: those that are there, which may go by the word for a state. by: where rows name images by a number of headers, how.
    The number is for no message: such a row's `path` says which row it is.
    Raises FewscanError as `columns.find_columns` does, for all rows that cannot be, and for a table of predictions that is not
    to be trusted.
    """
    cells = with_copies(cells, options.label_column or "label", STATE_COLUMN)
    predicted = require_trust(table, cells, options.trust_predictions)
    # What a network's labels have for patients are numbers within that table alone.
    without = labels_alone or (predicted and options.patient_column is None and options.split_column is None)
    columns = find_columns(table, cells, options, labels_alone=without, by_path=by is None)
    if not cells.rows:
        raise FewscanError(f"{table} has no rows: it needs one for each labeled image")
    reader = _RowReader(table, cells, columns, options, rename, classes, predicted, by)
    read = []
    with Reasons(f"{table} cannot be read") as reasons:
        for line, row in cells.rows:
            try:
                read.append(reader.row(line, row))
            except NoFileNamedError:
                raise  # the table may name images by numbers
            except FewscanError as error:
                reasons.add(str(error))
    return read


class _RowReader:
    """Reads the rows of one table."""

    def __init__(
        self,
        table: Path,
        cells: Cells,
        columns: Columns,
        options: TableOptions,
        rename: Mapping[str, str],
        classes: Collection[str],
        predicted: bool,
        by: ByNumber | None,
    ) -> None:
        self.table = table
        self.names = cells.columns
        self.columns = columns
        self.options = options
        self.given = {text.casefold() for text in options.no_label}
        self.nothing = words_for_no_label(options.no_label)
        self.nobody = self.nothing | NO_PATIENT
        self.rename = rename
        self.classes = classes
        self.key = partial(class_key, "", rename=rename, no_label=options.no_label)
        self.decision = decision_column(cells.columns) if predicted else None
        self.predicted = predicted
        self.state = position_of(cells.columns, STATE_COLUMN)
        self.origin = position_of(cells.columns, ORIGIN_COLUMN)
        self.by = by
        taken = [f"{table.name} has {columns.taken}"] if columns.taken else []
        self.notes = (*taken, *([] if by is None else [by.note(labels=columns.has_labels)]))

    def row(self, line: int, row: Sequence[str]) -> Row:
        where = TableRows(self.table.name, (line,))
        if any(text.strip() for text in row[len(self.names) :]):
            raise FewscanError(f"{where} has more cells than the first line: put names that contain a comma in quotes")
        path = cell(row, self.columns.path) if self.by is None else str(where)
        if path is None or "\0" in path:
            name = self.names[self.columns.path]
            lacking = f"{where}: the column '{name}' names no file: name the image there, or remove the row"
            raise NoFileNamedError(lacking, name)
        written = cell(row, self.columns.label)
        if IN_PLACE in (written or ""):
            raise FewscanError(f"{where}: a label cannot contain the NUL character: write its name in letters")
        label, several, notes = self._label(line, row)
        patient = cell(row, self.columns.patient)
        if patient is not None and patient.casefold() in self.nobody:
            notes = (*notes, f"'{patient}' in {self.table.name} is read as no patient")
            patient = None
        of_patient = [(plain(self.names[at]), text) for at in self.columns.patients if (text := cell(row, at)) is not None]
        if any(left_of(text) is not None for _, text in of_patient):
            cut = f"patients' numbers in {self.table.name} look cut by a spreadsheet"
            notes = (*notes, f"{cut}, so that different patients may count as one; {REMEDY}")
        read = Row(
            table=self.table,
            where=where,
            path=path,
            label=label,
            patient=patient,
            patient_columns=tuple((column, text) for column, text in of_patient if text.casefold() not in self.nobody),
            split=self._split(where, row),
            about_labels=self.columns.has_labels,
            several=several,
            predicted=self.predicted,
            chosen=kept_origin(cell(row, self.origin)),
            path_column=self.names[self.columns.path],
            label_column=None if self.columns.label is None else self.names[self.columns.label],
            notes=(*self.notes, *notes),
        )
        return self._in_words(read) if (state := cell(row, self.state)) is None else self._in_state(read, state, written)

    def _in_state(self, row: Row, written_state: str, written: str | None) -> Row:
        """Return a row with what its column of states says."""
        state = written_state.casefold()
        if state not in STATES:
            words = ", ".join(STATES)
            raise FewscanError(
                f"{row.where}: the column '{STATE_COLUMN}' has '{state}': write one of {words} there, or leave it empty"
            )
        if state == "label":
            if written is not None and written not in self.rename and said_in_place(written, self.classes) is not None:
                raise FewscanError(
                    f"{row.where}: a class cannot be called '{written}', the word for scans without one: "
                    f"{shlex.join(('--rename', f'{written}=NAME'))} gives it another name"
                )
            return row if written is None else replace(row, label=written, several=False, notes=self.notes)
        if row.several or (row.label is not None and (row.label in self.rename or said_in_place(row.label) != state)):
            raise FewscanError(
                f"{row.where} says '{row.label or written}' and, in its column '{STATE_COLUMN}', '{state}': keep one of them"
            )
        return replace(row, label=f"{IN_PLACE}{state}", notes=self.notes)

    def _in_words(self, row: Row) -> Row:
        """Return a row with what its column of labels says; raises FewscanError where a word is a state and a class."""
        state = None if row.label is None or row.label in self.rename else said_in_place(row.label)
        if state is not None and said_in_place(str(row.label), self.classes) is None:
            raise FewscanError(
                f"{row.where}: '{row.label}' is a class of the dataset and also the word for a scan that is {state}: add a "
                f"column '{STATE_COLUMN}' with 'label' or '{state}' there"
            )
        return row

    def _label(self, line: int, row: Sequence[str]) -> tuple[str | None, bool, tuple[str, ...]]:
        """Return a row's one label, whether it has none because it names several or a doubt, and what is to be said of that."""
        marks = marks_of(self.columns.one_hot, row)
        if marks.doubts:
            return "unsure" if marks.unsure else None, not marks.unsure, (marks.note(self.table.name, line),)
        findings, notes = (marks.classes, ()) if marks.classes else self._findings(row)
        if len(findings) < 2:
            return next(iter(findings), None), False, notes
        chosen, said = self._chosen(findings)
        return next(iter(chosen), None), not chosen, (*notes, said)

    def _findings(self, row: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
        """Return the labels that a row names, without marks, and what is to be said where it names none."""
        columns = self.columns
        if not columns.has_labels:
            return [], ()
        name = self.table.name
        if columns.one_hot:
            return [], (f"no column of {name} has a 1: no label from it",)
        text = cell(row, columns.label)
        if text is None:
            return [], (f"its cell in {name} is empty: no label from it",)
        if text.casefold() in self.nothing and text not in self.rename:
            how = "" if text.casefold() in self.given else f" (--rename '{text}=NAME' makes it a class)"
            return [], (f"'{text}' in {name} is read as no label{how}",)
        if self.decision is not None and (decision := cell(row, self.decision)) != ACCEPTED:
            return [], (f"its decision in {name} is '{decision or ''}', not '{ACCEPTED}': no label from there",)
        parts = list(dict.fromkeys(part for one in text.split(BETWEEN_FINDINGS) if (part := one.strip())))
        if self.options.several == "whole" and (text in self.rename or not unsettled(parts, self.key, self.nothing)):
            return [text], ()
        return parts, ()

    def _chosen(self, findings: Sequence[str]) -> tuple[list[str], str]:
        """Return what is left of several findings, and what is to be said of that."""
        if unknown := unsettled(findings, self.key, self.nothing):
            label, note = unsettled_note(self.table, *unknown)
            return ([] if label is None else [label]), note
        said = chosen_note(self.table, self.options.several)
        return ([findings[0]] if self.options.several == "first" else []), said

    def _split(self, where: TableRows, row: Sequence[str]) -> GivenSplit | None:
        text = cell(row, self.columns.split)
        if text is None or text.casefold() in self.nothing:
            return None
        if text.casefold() not in SPLIT_WORDS:
            name = "" if self.columns.split is None else self.names[self.columns.split]
            raise FewscanError(
                f"{where}: the column '{name}' has '{text}', which is not a part of a split: write train, validation or test "
                "there, choose another column with --split-column, or rename this one"
            )
        return SPLIT_WORDS[text.casefold()]
