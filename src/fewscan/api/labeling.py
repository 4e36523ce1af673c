"""The verb that labels scans by a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewscan.api.opening import opened_classifier, opened_dataset_of, read_of, require_ready
from fewscan.errors import FewscanError
from fewscan.idle import refuse_idle
from fewscan.splits.support import COVERAGE, TARGET_ERROR

if TYPE_CHECKING:
    from fewscan.images.options import PatientTag
    from fewscan.labeling.label import LabelSummary
    from fewscan.training.run import Run


def label(
    run: str | Path | Run,
    scans: str | Path | None = None,
    *,
    out: str | Path = "labels.csv",
    target_error: float = TARGET_ERROR,
    target_missed: Mapping[str, float] | None = None,
    coverage: float = COVERAGE,
    coverage_per_class: bool = False,
    candidates: int | None = None,
    exact_copies_only: bool = False,
    follow_links: bool = False,
    patient_tag: PatientTag | None = None,
    devices: int = 1,
    data: str | Path | None = None,
    overwrite: bool = False,
) -> LabelSummary:
    """Label `scans`, a folder or one file, by default the dataset's own unlabeled scans, and decide which labels to accept.

    out: the table to write: .csv, .xlsx or .parquet. target_error: accept labels only where held-out images support at most
    this long-run error rate among them, over all classes together. target_missed: by class, at most which share of its scans
    may be accepted as another class, such as {"tumor": 0.05}. coverage: how often the right class should be among a scan's
    possible classes; coverage_per_class: within each class. candidates: among how many runs, including this one, you chose it
    by labels that it had not learned from; by default as many as were trained on the dataset with such labels. Scans that the
    run has seen, or of patients whom it knows, are marked, and the promise is not about them; with `exact_copies_only` scans
    are recognized by file and pixels alone. Where patients have several scans, a table beside `out` has one answer for each;
    patient_tag: what tells them apart in headers, as for an import. Links out of the folder are set aside without
    `follow_links`. devices: how many processes share the scans, each with a GPU or part of the CPU. overwrite: replace existing
    tables. A killed call continues.
    """
    from fewscan.atomic import refuse_replacing
    from fewscan.labeling.asked import Asked
    from fewscan.partial import refuse_finished

    require_ready(run, ("run",), data)
    if scans is None:
        of_files = {"--exact-copies-only": exact_copies_only, "--patient-tag": patient_tag is not None}
        refuse_idle(of_files | {"--follow-links": follow_links}, "scans in files", "name SCANS")
    shares = _by_class({} if target_missed is None else target_missed)
    asked = Asked(target_error, coverage, coverage_per_class, candidates, shares)
    refuse_finished(Path(out), "label", "give --overwrite to replace it", overwrite=overwrite)
    # Only now, since it takes seconds.
    from fewscan.labeling.label import label_scans, label_unlabeled

    opened = opened_classifier(run, data)
    refuse_replacing(Path(out), *read_of(opened, data), *([] if scans is None or Path(scans).is_dir() else [Path(scans)]))
    dataset = opened_dataset_of(opened)
    how: dict[str, Any] = {"devices": devices, "overwrite": overwrite}
    if scans is None:
        return label_unlabeled(opened, dataset, Path(out), asked, **how)
    how |= {"near": not exact_copies_only, "follow_links": follow_links, "patient_tag": patient_tag or "patient"}
    return label_scans(opened, dataset, Path(scans), Path(out), asked, **how)


def _by_class(shares: Mapping[str, float]) -> dict[str, float]:
    """Return shares by class; raises FewscanError where they are given in another way, say as the command line takes them."""
    if not isinstance(shares, Mapping) or not all(isinstance(name, str) for name in shares):
        raise FewscanError(f"target_missed takes shares by the names of classes, such as {{'tumor': 0.05}}, not {shares!r}")
    return dict(shares)
