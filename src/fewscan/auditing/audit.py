"""What a dataset hides: copies, conflicting labels, what is probably no scan, and leaks between folders, sources, parts.

The audit works from the dataset folder alone: the manifest's hashes and the stored pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fewscan.atomic import replaced_file, write_json_to, writing
from fewscan.auditing.copies import DEFAULT_SIMILARITY
from fewscan.auditing.copies.index import least_exact
from fewscan.auditing.finding import NOTHING_BEFORE, Before, find_pairs
from fewscan.auditing.kept import checkpoint_of, keep, tidy
from fewscan.auditing.result import AuditResult, for_programs, result_of, suspects_in
from fewscan.auditing.suspects import Suspect, enter_suspects, find_suspects
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.descriptions import AuditDescription
from fewscan.datasets.snapshot import Snapshot
from fewscan.progress import kept_if_stopped

AUDIT_FILE = "audit.json"


class Audited(NamedTuple):
    """A dataset, the pairs of its images, and what is said of its audit, the counts apart."""

    dataset: Dataset
    pairs: pd.DataFrame
    description: AuditDescription


def audit(
    dataset: Dataset,
    *,
    similarity: float = DEFAULT_SIMILARITY,
    same_head: bool = False,
    set_aside_suspect: bool = False,
) -> AuditResult:
    """Find copies, conflicts, leaks and suspects; write the pairs that belong together, and `audit.json`, into the dataset.

    similarity: the lowest similarity, in [0.8, 1], at which two aligned images count as near copies. same_head: whether groups
    also join slices that are probably of one head (`heads`); sets of copies stay as they are. set_aside_suspect: whether images
    that are probably not scans (`suspects`) are first entered as such in the label log, which can be undone. Images that are
    not scans are compared like all others, but get no group. Raises FewscanError if the similarity is out of range, if all
    images of a class are suspects, or if the folder cannot be written.
    """
    now = dataset.snapshot()
    suspects = find_suspects(now.whole, now.manifest, now.usable)
    if set_aside_suspect:
        enter_suspects(dataset, now, suspects)
    audited = _audited(dataset, now, similarity, same_head, NOTHING_BEFORE, None)
    return written(audited, suspects)


def audit_new(dataset: Dataset, before: Before, *, set_aside_suspect: bool = False) -> tuple[Audited, tuple[Suspect, ...]]:
    """Audit the images that came since the dataset's audit: against all, but none of the others against each other.

    `dataset` has the new images, and need not be written. Returns what is known now of all images, for `written`, and the
    suspects among the new ones. Raises FewscanError as `audit` does.
    """
    now, known = dataset.snapshot(), dataset.description.audit
    assert known is not None
    new = now.usable[now.usable >= before.rows]
    suspects = find_suspects(now.whole, now.manifest, now.usable, new)
    if set_aside_suspect:
        enter_suspects(dataset, now, suspects)
    return _audited(dataset, now, known.similarity, known.same_head, before, known), suspects


def written_again(dataset: Dataset) -> AuditResult:
    """Write what follows now from the audit that the dataset has, after people have judged pairs; nothing is looked for.

    Raises FewscanError where the dataset is not audited.
    """
    pairs, known = dataset.pairs, dataset.description.audit
    assert known is not None  # or there were no pairs
    return written(Audited(dataset, pairs, known), suspects_in(dataset.folder / AUDIT_FILE, known.rows))


def _audited(
    dataset: Dataset, now: Snapshot, similarity: float, same_head: bool, before: Before, known: AuditDescription | None
) -> Audited:
    """Find the pairs and keep how images are described; that is no part of the dataset before its description names it."""
    readable = np.flatnonzero(dataset.images.table(["set_aside"])["set_aside"].isna().to_numpy())
    checkpoint = checkpoint_of(dataset, similarity)
    with kept_if_stopped(lambda: checkpoint.kept):
        found = find_pairs(
            now.whole, now.manifest, readable, similarity=similarity, same_head=same_head, before=before, checkpoint=checkpoint
        )
    folder, rows = dataset.folder, len(now.manifest)
    copies = keep(folder, "copies", found.copies, rows, () if known is None else known.copies_described)
    slices = (
        ()
        if found.slices is None
        else keep(folder, "slices", found.slices, rows, () if known is None else known.slices_described)
    )
    description = AuditDescription(
        similarity=similarity,
        same_head=same_head,
        rows=rows,
        copies_described=copies,
        slices_described=slices,
        search=found.way if known is None else least_exact(known.search, found.way),
        pairs=0,
        groups=0,
        copy_sets=0,
        conflicting_images=0,
    )
    return Audited(dataset, found.pairs, description)


def written(audited: Audited, suspects: Sequence[Suspect]) -> AuditResult:
    """Write what was found into the dataset, with all else that its description says, and `audit.json`."""
    dataset, table, description = audited
    after = dataset.with_audit_of(table, description)
    result = result_of(after, table, description, suspects, dataset.decided(table))
    # Both or neither: what a full disk refuses of one leaves the other as it was.
    with writing(dataset.folder), replaced_file(dataset.folder / AUDIT_FILE) as page:
        write_json_to(page, for_programs(after.file_names, result))
        dataset.with_pairs(table, description.model_copy(update=result.counted))
    tidy(dataset.folder, description)
    return result
