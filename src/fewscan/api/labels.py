"""The verbs about labels: set, export, history, undo, conflicts, suspects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.api.opening import opened_classifier, opened_dataset, opened_dataset_of, read_of, require_ready
from fewscan.atomic import refuse_replacing, require_place
from fewscan.idle import refuse_idle_overwrite

if TYPE_CHECKING:
    import pandas as pd

    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.labels import Conflicts, LabelsSet
    from fewscan.evaluation.label_suspects import LabelSuspects
    from fewscan.labels.log import State
    from fewscan.training.run import Run


def set_labels(
    dataset: str | Path | Dataset,
    what: str | Path | int | Sequence[int],
    labels: str | Sequence[str | None] | None = None,
    *,
    state: State | None = None,
    who: str | None = None,
    note: str = "",
    settle: bool = False,
    reading: bool = False,
    dry_run: bool = False,
    **options: Any,
) -> LabelsSet:
    """Add and correct labels, by a table, `set_labels("mri", "new.csv")`, or by rows, `set_labels("mri", [3, 17], "glioma")`.

    what: a table, or rows of the dataset by their numbers. labels: of rows, one for each or one for all. state: in place of
    labels, "unsure", "not a scan", or "none", which removes a label. who: whose labels these are. note: kept with them. settle:
    they hold, whoever gave other ones. reading: they are what `who` saw, and are entered even where they hold already. dry_run:
    nothing is entered. options: for a table, those of `fewscan.images.options.TableOptions`, such as label_column="dx", and
    `rename`, such as {"Glioma": "glioma"}. Raises FewscanError as `fewscan.datasets.labels.DatasetLabels.set`.
    """
    asked: dict[str, Any] = {"state": state, "who": who, "note": note, "settle": settle, "reading": reading}
    return opened_dataset(dataset).labels.set(what, labels, dry_run=dry_run, **asked, **options)


def export_labels(dataset: str | Path | Dataset, out: str | Path = "labels.csv", *, overwrite: bool = False) -> pd.DataFrame:
    """Write the labels of all usable scans as a CSV or a workbook (.xlsx) that `set_labels` takes, and return the table."""
    from fewscan.labels.tables import choices_of
    from fewscan.spreadsheet import require_spreadsheet, write_spreadsheet

    require_spreadsheet(Path(out))
    require_place(Path(out), overwrite=overwrite)
    opened = opened_dataset(dataset)
    refuse_replacing(Path(out), *read_of(opened))
    table = opened.labels.table()
    write_spreadsheet(table, Path(out), choices=choices_of(sorted({*table["label"]} - {""})))
    return table


def label_history(dataset: str | Path | Dataset, scan: str | int | None = None) -> pd.DataFrame:
    """Return the batches of labels that were entered; for one scan, named by its row or its path, all its entries.

    See `DatasetLabels.batches` and `DatasetLabels.history`.
    """
    log = opened_dataset(dataset).labels
    return log.batches() if scan is None else log.history(scan)


def undo_labels(
    dataset: str | Path | Dataset, batch: int | None = None, scan: str | int | None = None, *, who: str | None = None
) -> pd.DataFrame:
    """Undo the newest batch of entries, or the one given, or what was last said of a scan; return the entries that do so.

    With both a batch and a scan, it undoes that batch's entries of this scan. An undo can be undone, too.
    """
    log = opened_dataset(dataset).labels
    made = log.undo(batch, None if scan is None else log.find(scan), who=who)
    history = log.history()
    return history[history["batch"] == made].reset_index(drop=True)


def label_conflicts(dataset: str | Path | Dataset) -> Conflicts:
    """Return the scans on which people, rows of a table, or the labels of copies disagree."""
    return opened_dataset(dataset).labels.conflicts()


def label_suspects(
    run: str | Path | Run,
    *,
    out: str | Path | None = None,
    folds: int | None = None,
    names: bool = False,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> LabelSuspects:
    """Return the labels that held-out predictions of a run contradict, worst first; see `evaluation.label_suspects`.

    out: a CSV or a workbook (.xlsx); a page with pictures is written beside it, with the suffix `.html`. It names files, since
    `set_labels` takes it back. The page calls scans by their rows, or with `names` by their files, which may contain names of
    patients. folds: hold out all labels in turn, in this many trainings. data: where the run's dataset is now, if it was moved.
    overwrite: replace an existing table and page.
    """
    from fewscan.evaluation.label_suspects import find_label_suspects
    from fewscan.reporting.label_suspects_page import page_beside, write_label_suspects
    from fewscan.spreadsheet import require_spreadsheet

    refuse_idle_overwrite(out, overwrite=overwrite)
    table = None if out is None else Path(out)
    if table is not None:
        require_spreadsheet(table)
        require_ready(run, ("run",), data)
        require_place(table, page_beside(table), overwrite=overwrite)  # before hours of training
    opened = opened_classifier(run, data)
    dataset = opened_dataset_of(opened)
    if table is not None:
        read = read_of(opened, data)
        for path in (table, page_beside(table)):
            refuse_replacing(path, *read)
    suspects = find_label_suspects(opened, dataset, opened.dataset_now(dataset.folder), folds)
    if table is not None:
        write_label_suspects(suspects, dataset, table, names=names)
    return suspects
