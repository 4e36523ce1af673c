"""The verbs that make a dataset: import, audit, split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fewscan.api.opening import opened_dataset

if TYPE_CHECKING:
    from fewscan.data.audit import AuditResult
    from fewscan.data.dataset import Dataset, Protocol, Resize, Shares
    from fewscan.data.formats.slices import Plane


def import_scans(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    labels: Sequence[str | Path] = (),
    unlabeled: Sequence[str | Path] = (),
    rename: Mapping[str, str] | None = None,
    path_column: str = "path",
    label_column: str = "label",
    patient_column: str = "patient",
    size_px: int = 96,
    resize: Resize = "stretch",
    channels: Literal[1, 3] = 1,
    plane: Plane = "axial",
    slices: Literal["brain", "all"] = "brain",
) -> Dataset:
    """Read folders of scans into a new dataset folder `out`; see `fewscan.data.importing.import_scans`."""
    from fewscan.data import importing

    listed = [sources] if isinstance(sources, str | Path) else sources
    return importing.import_scans(
        [str(source) for source in listed],
        out,
        labels=labels,
        unlabeled=[str(source) for source in unlabeled],
        rename=rename,
        path_column=path_column,
        label_column=label_column,
        patient_column=patient_column,
        size_px=size_px,
        resize=resize,
        channels=channels,
        plane=plane,
        slices=slices,
    )


def audit(dataset: str | Path | Dataset, *, similarity: float | None = None, same_head: bool = False) -> AuditResult:
    """Find copies, conflicting labels and leaks; write groups, `audit.json` and `audit.html` into the dataset folder.

    With `same_head` groups join slices that are probably of one head, too; see `fewscan.data.heads`.
    """
    from fewscan.data import audit as auditing
    from fewscan.data.copies import DEFAULT_SIMILARITY
    from fewscan.reporting.audit_page import write_audit_page

    opened = opened_dataset(dataset)
    least = DEFAULT_SIMILARITY if similarity is None else similarity
    result = auditing.audit(opened, similarity=least, same_head=same_head)
    write_audit_page(opened_dataset(opened.folder), result, opened.folder / "audit.html")
    return result


def split(
    dataset: str | Path | Dataset,
    *,
    labeled: int,
    test: int,
    protocol: Protocol = "leakfree",
    validation: float = 0.2,
    seed: int = 0,
    shares: Shares = "known",
) -> Dataset:
    """Draw which images are labeled, validate, stay unlabeled and test; see `fewscan.data.splits.split`."""
    from fewscan.data import splits

    return splits.split(
        opened_dataset(dataset),
        protocol=protocol,
        labeled=labeled,
        test=test,
        validation=validation,
        seed=seed,
        shares=shares,
    )
