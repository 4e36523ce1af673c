"""What tables for new scans say of others: of scans that the dataset has, whose labels `labels set` changes, or of none."""

from collections.abc import Sequence
from pathlib import Path

from fewscan.config import Settings
from fewscan.datasets.labels import DatasetLabels, LabelsSet
from fewscan.errors import FewscanError
from fewscan.images.options import SourceOptions, TableOptions
from fewscan.images.sources import ScanFile, Source
from fewscan.images.table_rows import TableRows
from fewscan.images.tables.columns import NoFileNamedError
from fewscan.images.tables.pointing import naming_by
from fewscan.wording import command_line, counted

# Options of tables that `labels set` takes as well.
_ALSO_SET = ("path_column", "label_column", "several", "encoding", "separator")


class ToldAgain(Settings):
    """What a table for new scans says of others, by the numbers of its rows.

    held: rows of scans that the dataset has; change: those of them that would change labels there, and command: what enters
    these. nothing: rows that name neither these nor new scans. unknown: why rows of the dataset's scans cannot be told, ""
    where they can.
    """

    table: str
    rows: int
    held: tuple[int, ...] = ()
    change: tuple[int, ...] = ()
    nothing: tuple[int, ...] = ()
    unknown: str = ""
    command: str = ""

    @property
    def line(self) -> str | None:
        """What is to be said of it, for people; None where every row names new scans alone."""
        nothing = f"{TableRows('', self.nothing)} of {self.table}"
        if self.nothing and self.unknown:
            return f"no new scan is named by {nothing}, and whether the dataset has one is not known: {self.unknown}"
        told = [f"no scan is named by {nothing}"] if self.nothing else []
        if self.held:
            change = f"{len(self.change):,} would change labels there"
            where = f" ({TableRows('', self.change)}): '{self.command}' enters that" if self.change else ""
            name = "names" if len(self.held) == 1 else "name"
            named = f"{counted(len(self.held), 'row')} of {self.table} {name} scans that the dataset has, whose labels stay"
            told.insert(0, f"{named}; {change}{where}")
        return "; ".join(told) or None


def told_again(
    labels: DatasetLabels, folder: Path, table: Path, asked: SourceOptions, new: Sequence[ScanFile], sources: Sequence[Source]
) -> ToldAgain:
    """Return what a table says beside `new` scans of these sources: of the scans of a dataset, in this folder, or of none.

    The dataset's are found as `labels set` finds them; not looked for, where paths of new scans are all that the table names.
    """
    naming = naming_by(table, new, sources, asked, asked.rename)
    rows, left = len(naming.lines), tuple(line for line in naming.lines if line not in naming.named)
    if not naming.about_labels or (naming.by_path and not left):
        return ToldAgain(table=table.name, rows=rows)
    try:
        done, asked = _said(labels, table, asked, naming.column)
    except NoFileNamedError:
        return ToldAgain(table=table.name, rows=rows, nothing=left)
    except FewscanError as error:
        return ToldAgain(table=table.name, rows=rows, nothing=left, unknown=str(error))
    held, changed = {*done.said.named}, {*done.changes.rows.tolist()}
    said = zip(done.said.rows.tolist(), done.said.said_in, strict=True)
    return ToldAgain(
        table=table.name,
        rows=rows,
        held=done.said.named,
        change=tuple(sorted({line for row, where in said if row in changed for line in where.rows})),
        nothing=tuple(line for line in left if line not in held),
        command=command_line("labels", "set", folder, table, *_words(asked)),
    )


def _said(labels: DatasetLabels, table: Path, asked: SourceOptions, column: str | None) -> tuple[LabelsSet, SourceOptions]:
    """Return what a table would set in a dataset, and the options that read it so.

    column: by which the new scans are named, where by numbers: too few rows may name the dataset's scans to tell it by these.
    Raises FewscanError where it cannot be read as asked, nor by that column.
    """

    def said(how: SourceOptions) -> LabelsSet:
        options = {name: getattr(how, name) for name in TableOptions.model_fields}
        return labels.set(table, rename=how.rename, dry_run=True, **options)

    try:
        return said(asked), asked
    except NoFileNamedError:
        raise
    except FewscanError as error:
        if column is None:
            raise
        by_column = asked.model_copy(update={"path_column": column})
        try:
            return said(by_column), by_column
        except FewscanError:
            raise error from None


def _words(asked: SourceOptions) -> list[str]:
    """Return the options with which `labels set` reads a table as `asked`."""
    usual = TableOptions()
    given = {name: getattr(asked, name) for name in _ALSO_SET if getattr(asked, name) != getattr(usual, name)}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    words += [f"--no-label={word}" for word in asked.no_label]
    words += ["--trust-predictions"] if asked.trust_predictions else []
    return [*words, *(f"--rename={old}={new}" for old, new in asked.rename.items())]
