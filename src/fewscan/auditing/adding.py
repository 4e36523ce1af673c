"""Further scans are added to a dataset, and where it is audited, they are compared with all that is there."""

from collections.abc import Sequence
from typing import Any

from fewscan.auditing.audit import AUDIT_FILE, audit_new, written
from fewscan.auditing.kept import found_before
from fewscan.auditing.result import AuditResult, suspects_in
from fewscan.datasets.added import AddSummary, summary_of
from fewscan.datasets.adding import adding, list_new
from fewscan.datasets.dataset import Dataset
from fewscan.progress import say


def add_scans(
    dataset: Dataset,
    sources: Sequence[str],
    *,
    set_aside_suspect: bool = False,
    workers: int | None = None,
    **options: Any,
) -> tuple[AddSummary, AuditResult | None]:
    """Append the scans of `sources` that the dataset does not hold; return what came, and the audit of all, if there is one.

    options: those of `fewscan.images.options.SourceOptions`; see `fewscan.datasets.adding.list_new`. set_aside_suspect: whether
    new images that are probably no scans are entered as such in the label log. Stopped or killed, it adds nothing or all.
    """
    # Before a million files are listed, and before anything is added.
    dataset.images.require_here()
    for name in dataset.splits:
        dataset.split(name)
    listed = list_new(dataset, sources, options, workers)
    for line in (*(listed.plan(workers).short_lines if listed.new else ()), *listed.lines):
        say(line)
    first_row = dataset.images.rows
    if not listed.new:
        return summary_of(dataset, listed, first_row, None), None
    before = found_before(dataset) if dataset.description.audit is not None else None
    with adding(dataset, listed, workers) as longer:
        if before is None:
            return summary_of(longer.named(), listed, first_row, None), None
        audited, suspects = audit_new(longer, before, set_aside_suspect=set_aside_suspect)
        old = suspects_in(dataset.folder / AUDIT_FILE, first_row)
        result = written(audited, [*old, *suspects])
    added = Dataset.open(dataset.folder)
    return summary_of(added, listed, first_row, len(suspects), suspects_set_aside=set_aside_suspect), result
