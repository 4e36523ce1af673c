"""The verbs about labels: set, export, history, undo, conflicts, suspects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.api.opening import opened_classifier, opened_dataset, opened_dataset_of, read_of, require_ready
from fewscan.atomic import refuse_replacing, require_place, require_suffix

if TYPE_CHECKING:
    import pandas as pd

    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.labels import Conflicts, LabelsSet
    from fewscan.evaluation.label_suspects import LabelSuspects
    from fewscan.training.run import Run


def set_labels(
    dataset: str | Path | Dataset, what: str | Path | int | Sequence[int], *labels: Any, **options: Any
) -> LabelsSet:
    """Add and correct labels, by a table or by numbers of rows; see `fewscan.datasets.labels.DatasetLabels.set`."""
    return opened_dataset(dataset).labels.set(what, *labels, **options)


def export_labels(dataset: str | Path | Dataset, out: str | Path, *, overwrite: bool = False) -> pd.DataFrame:
    """Write what holds of all usable scans as a CSV that `set_labels` takes, and return it."""
    from fewscan.atomic import replaced_file
    from fewscan.spreadsheet import write_csv

    require_suffix(Path(out), ".csv")
    require_place(Path(out), overwrite=overwrite)
    opened = opened_dataset(dataset)
    refuse_replacing(Path(out), *read_of(opened))
    table = opened.labels.table()
    with replaced_file(Path(out), parents=True) as temporary:
        write_csv(table, temporary)
    return table


def label_history(dataset: str | Path | Dataset, scan: str | int | None = None) -> pd.DataFrame:
    """Return what was entered, a line a batch; of a scan, by its row or its path, all that was said, a line an entry.

    See `DatasetLabels.batches` and `DatasetLabels.history`.
    """
    log = opened_dataset(dataset).labels
    return log.batches() if scan is None else log.history(scan)


def undo_labels(
    dataset: str | Path | Dataset, batch: int | None = None, scan: str | int | None = None, *, who: str | None = None
) -> pd.DataFrame:
    """Take back the newest batch of entries, or the one given, or the newest entry of a scan; return the entries that do so.

    Of both a batch and a scan, that batch's entries of this scan. These entries can be undone in their turn.
    """
    log = opened_dataset(dataset).labels
    made = log.undo(batch, None if scan is None else log.find(scan), who=who)
    history = log.history()
    return history[history["batch"] == made].reset_index(drop=True)


def label_conflicts(dataset: str | Path | Dataset) -> Conflicts:
    """Return where people, or copies of one scan, contradict each other."""
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

    out: a CSV to write them to, and beside it, with the suffix `.html`, a page with their pictures. `set_labels` takes the CSV
    back, so it names files. On the page scans are called by their rows, with `names` by their files, which may hold names of
    patients. With `overwrite` CSV and page that stand there are replaced.
    """
    from fewscan.evaluation.label_suspects import find_label_suspects
    from fewscan.reporting.label_suspects_page import page_beside, write_label_suspects

    table = None if out is None else Path(out)
    if table is not None:
        require_suffix(table, ".csv")
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
