"""The verbs about the audit's pairs: list, and what people say of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewscan.api.datasets import AUDIT_PAGE
from fewscan.api.opening import dataset_to_change, opened_dataset
from fewscan.wording import scan_number

if TYPE_CHECKING:
    import pandas as pd

    from fewscan.auditing.result import AuditResult
    from fewscan.datasets.dataset import Dataset
    from fewscan.datasets.pair_decisions import Verdict


def audited_pairs(dataset: str | Path | Dataset) -> pd.DataFrame:
    """Return the pairs that the audit found, one per row, and the last thing that people said about each.

    Columns: row_a, row_b, kind (bytes, pixels, near or head), similarity, how the second image differs from the first
    (mirrored, then turned clockwise by 0, 90, 180 or 270 degrees, then inverted; null if an earlier version did not record
    it), name_a, name_b, verdict (together, apart, null), who, time.
    """
    from fewscan.datasets.judging import judged_pairs

    return judged_pairs(opened_dataset(dataset))


def judge_pair(
    dataset: str | Path | Dataset,
    scan: str | int,
    other: str | int | None,
    verdict: Verdict,
    *,
    who: str | None = None,
    note: str = "",
) -> tuple[AuditResult, list[str]]:
    """Say that the images of a pair are copies (`together`), or are not (`apart`), or take back what was said (`open`).

    scan, other: rows or paths; with `other=None`, it holds for every pair of the scan. Pairs that are apart stay so in every
    later audit; existing splits stay. Writes `audit.json` and `audit.html` again, from what the audit found. Returns the audit,
    and sentences on what happened to the pairs. Raises FewscanError if the audit found no such pair, and if the images have the
    same pixels.
    """
    from fewscan.auditing.audit import written_again
    from fewscan.datasets import judging
    from fewscan.reporting.audit_page import write_audit_page

    with dataset_to_change(dataset, "pairs") as opened:
        row = _row(opened, scan)
        if other is None:
            judged = judging.judge_scan(opened, row, verdict, who=who, note=note)
            words = [f"scans {a} and {b}: {judging.SAID[verdict]}" for a, b in judged]
            words = words or [f"{scan_number(row)} is in no pair for which that would be new: nothing was entered"]
        else:
            second = _row(opened, other)
            words = [judging.judge(opened, row, second, verdict, who=who, note=note).words(*sorted((row, second)))]
        result = written_again(opened)
        write_audit_page(opened_dataset(opened.folder).snapshot(), result, opened.folder / AUDIT_PAGE)
    return result, words


def _row(dataset: Dataset, scan: str | int) -> int:
    from fewscan.errors import FewscanError

    found = dataset.labels.find(scan)
    if len(found) > 1:
        raise FewscanError(f"'{scan}' holds {len(found)} images: name one of them by its number")
    return int(found[0])
