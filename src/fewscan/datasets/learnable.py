"""What a training takes of a dataset: without its labels, or without whatever belongs to its test set."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fewscan.datasets.descriptions import SplitDescription
from fewscan.datasets.protocols import UNSPLIT
from fewscan.datasets.roles import counts_of, fingerprint_of_test_set
from fewscan.datasets.snapshot import Snapshot, snapshot_fingerprint
from fewscan.errors import FewscanError

Texts = npt.NDArray[np.object_]


def without_labels(dataset: Snapshot) -> Snapshot:
    """Return `dataset` as one without labels and classes: what its split has to learn from, or all of it, is unlabeled.

    Validation images, which without labels judge nothing, are left out; test images stay what they are.
    """
    manifest = dataset.manifest.assign(label=None, label_from=None, only_teaches=False, conflict=False).astype(
        dataset.manifest.dtypes
    )
    fingerprint = snapshot_fingerprint(dataset.description.chain, (), manifest)
    described = dataset.description.model_copy(update={"classes": (), "fingerprint": fingerprint})
    unlabeled = replace(dataset, manifest=manifest, description=described)
    split = dataset.description.split
    if split is None:
        split, parts = _unsplit(dataset), np.full(len(manifest), None, dtype=object)
        parts[dataset.usable] = "unlabeled"
    else:
        split, parts = split.model_copy(update={"validation_asked": None}), _parts(dataset)
        parts[parts == "labeled"] = "unlabeled"
        parts[parts == "validation"] = None
    return recounted(unlabeled, parts, split)


def without_test_groups(dataset: Snapshot) -> tuple[Snapshot, str]:
    """Return `dataset` with nothing to learn from that is in a group with a test image, and a line for people on what that is.

    Raises FewscanError where it has no test set.
    """
    split, tested = dataset.description.split, dataset.rows("test")
    if split is None or not len(tested):
        lacks = "is not split" if split is None else f"has no test set in its split '{split.name}'"
        raise FewscanError(f"{dataset.folder} {lacks}, so there is nothing to leave out: omit --leave-out-test")
    parts = _parts(dataset)
    belongs = np.isin(dataset.groups, dataset.groups[tested])
    dropped = belongs & np.isin(parts, ("labeled", "unlabeled"))
    parts[dropped] = None
    others = int(belongs[dataset.usable].sum()) - len(tested)
    unknown = " (it is not audited, so their copies are not known)" if dataset.description.audit is None else ""
    line = f"left out: the {len(tested):,} scans of the test set and {others:,} more that belong to them{unknown}" + (
        f"; without --leave-out-test, {int(dropped.sum()):,} of these would be learned from" if dropped.any() else ""
    )
    return recounted(dataset, parts, split.model_copy(update={"test_groups_left_out": len(tested) + others})), line


def _parts(dataset: Snapshot) -> Texts:
    column = dataset.manifest["split"]
    parts: Texts = column.astype(object).where(column.notna(), None).to_numpy().copy()
    return parts


def recounted(dataset: Snapshot, parts: Texts, split: SplitDescription) -> Snapshot:
    """Return `dataset` with other parts (N,), and with a split that says how many images each has; nothing is written."""
    counts = counts_of(parts)
    return dataset.with_split(
        parts, split.model_copy(update={**counts, "left_out": len(dataset.usable) - sum(counts.values())})
    )


def _unsplit(dataset: Snapshot) -> SplitDescription:
    """Return what is said of a dataset of which all is learned from; `recounted` counts it."""
    return SplitDescription(
        name="",
        rows=len(dataset.manifest),
        drawn_fingerprint="",
        test_set=fingerprint_of_test_set(dataset.description.identity, np.zeros(0, np.int64)),
        protocol=UNSPLIT,
        seed=0,
        labeled=0,
        validation=0,
        unlabeled=0,
        test=0,
        left_out=0,
        conflicting_left_out=0,
        fingerprint="",
    )
