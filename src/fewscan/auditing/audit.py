"""What a dataset hides: copies, conflicting labels, what is probably no scan, and leaks between folders, sources, parts.

The audit works from the dataset folder alone: the manifest's hashes and the stored pixels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.atomic import as_json, replaced_file, writing
from fewscan.auditing.copies import DEFAULT_SIMILARITY, find_copies
from fewscan.auditing.heads import same_head_pairs
from fewscan.auditing.leaks import Between, Leak, find_leaks
from fewscan.auditing.suspects import KINDS, Suspect, enter_suspects, find_suspects
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.descriptions import AuditDescription
from fewscan.datasets.pairs import (
    PAIR_DTYPES,
    PairKind,
    among,
    components,
    conflicts,
    ends,
    linked_to_first,
    names_in,
    numbered,
)
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.patients import KnownPatients, known_patients
from fewscan.wording import counted

AUDIT_FILE = "audit.json"

Int64s = npt.NDArray[np.int64]
Kind = Literal["bytes", "pixels", "near"]


@dataclass(frozen=True)
class Pair:
    """Two rows that are copies, `row_a < row_b`, and how that is known; `mirrored`: one is the other's mirror image."""

    row_a: int
    row_b: int
    kind: Kind
    similarity: float
    mirrored: bool


@dataclass(frozen=True)
class Conflict:
    """A set of copies that carry more than one label; `labels` belong to `rows`."""

    copy_set: int
    rows: tuple[int, ...]
    labels: tuple[str | None, ...]


@dataclass(frozen=True)
class AuditResult:
    """What the audit found; rows are those of the dataset, rows that were set aside took no part."""

    similarity: float
    rows: int  # that were looked at
    images: int
    set_aside: int
    pairs: tuple[Pair, ...]
    pairs_between_sources: int
    copy_sets: int  # with two images or more
    images_in_copy_sets: int
    patients: KnownPatients
    same_head: tuple[tuple[int, int], ...] | None  # rows of slices probably of one head, no copies; None: nobody asked
    groups: int  # single images included
    group_sizes: dict[int, int]  # size -> how many groups have it
    conflicts: tuple[Conflict, ...]
    leaks: tuple[Leak, ...]
    suspects: tuple[Suspect, ...] = ()
    suspects_set_aside: bool = False  # then they are among the `set_aside` and took no part

    @property
    def description(self) -> AuditDescription:
        """What the dataset keeps of it."""
        return AuditDescription(
            similarity=self.similarity,
            same_head=self.same_head is not None,
            rows=self.rows,
            pairs=len(self.pairs),
            groups=self.groups,
            copy_sets=self.copy_sets,
            conflicting_images=sum(len(conflict.rows) for conflict in self.conflicts),
        )

    def counts(self) -> dict[str, Any]:
        """Return the figures alone, ready for JSON."""
        kinds = Counter(pair.kind for pair in self.pairs)
        return {
            "similarity": self.similarity,
            "images": self.images,
            "set_aside": self.set_aside,
            "pairs": len(self.pairs),
            "pairs_same_bytes": kinds["bytes"],
            "pairs_same_pixels": kinds["pixels"],
            "pairs_near": kinds["near"],
            "pairs_mirrored": sum(pair.mirrored for pair in self.pairs),
            "pairs_between_sources": self.pairs_between_sources,
            "pairs_within_sources": len(self.pairs) - self.pairs_between_sources,
            "copy_sets": self.copy_sets,
            "images_in_copy_sets": self.images_in_copy_sets,
            "images_with_patient": self.patients.with_patient,
            "patients": self.patients.patients,
            "same_head_pairs": None if self.same_head is None else len(self.same_head),
            "groups": self.groups,
            "largest_group": max(self.group_sizes, default=0),
            "suspects": {kind: sum(suspect.kind == kind for suspect in self.suspects) for kind in KINDS},
            "suspects_set_aside": self.suspects_set_aside,
            "conflicting_copy_sets": len(self.conflicts),
            "conflicting_images": sum(len(conflict.rows) for conflict in self.conflicts),
            "leaks": [{key: value for key, value in asdict(leak).items() if key != "examples"} for leak in self.leaks],
        }

    def lines(self) -> list[str]:
        """Return a summary for people, a line a finding."""
        counts = self.counts()
        lines = [
            f"{self.images_in_copy_sets:,} of {counted(self.images, 'image')} have a copy, in {counted(self.copy_sets, 'set')}",
            f"  {counted(len(self.pairs), 'pair')} named: {counts['pairs_same_bytes']:,} with the same bytes, "
            f"{counts['pairs_same_pixels']:,} with the same pixels, {counts['pairs_near']:,} near copies "
            f"({counts['pairs_mirrored']:,} of them mirrored), {self.pairs_between_sources:,} between sources",
            self.patients.sentence,
            *([] if self.same_head is None else [f"{counted(len(self.same_head), 'more pair')}, probably slices of one head"]),
            f"{counted(self.groups, 'group')} to keep together, the largest of {counted(counts['largest_group'], 'image')}",
            f"sets of copies with different labels: {len(self.conflicts):,} ({counted(counts['conflicting_images'], 'image')})",
        ]
        if self.suspects:
            named = ", ".join(f"{count:,} {kind}" for kind, count in counts["suspects"].items() if count)
            done = "set aside" if self.suspects_set_aside else "look at them in audit.html; --set-aside-suspect leaves them out"
            lines.append(f"probably no scans: {counted(len(self.suspects), 'image')} ({named}): {done}")
        for leak in self.leaks:
            lines.append(
                f"leak between the {_BORDERS[leak.between]} {leak.a} and {leak.b}: {counted(leak.groups, 'group')} in both "
                f"({leak.images_a:,} and {counted(leak.images_b, 'image')})"
            )
        return lines


_BORDERS: dict[Between, str] = {"sources": "sources", "folders": "folders", "split": "split's parts"}


def audit(
    dataset: Dataset,
    *,
    similarity: float = DEFAULT_SIMILARITY,
    same_head: bool = False,
    set_aside_suspect: bool = False,
) -> AuditResult:
    """Find copies, conflicts, leaks and suspects; write the pairs that belong together, and `audit.json`, into the dataset.

    similarity: the least likeness, in [0.8, 1], at which two aligned images count as near copies. same_head: whether groups
    join slices that are probably of one head, too (`heads`); sets of copies stay as they are. set_aside_suspect: whether
    what is probably no scan (`suspects`) is first entered as such in the label log, which can be undone. Images that are no
    scans are compared like all others, and get no group. Raises FewscanError for a similarity out of range, a class of
    suspects alone, or a folder that cannot be written.
    """
    before = dataset.snapshot()
    suspects = find_suspects(before.pixels, before.manifest, before.usable)
    if set_aside_suspect:
        enter_suspects(dataset, before, suspects)
    manifest = before.manifest
    readable = np.flatnonzero(dataset.images.table(["set_aside"])["set_aside"].isna().to_numpy())
    pairs = _exact_pairs(manifest, readable)
    pairs += _near_pairs(before, _first_of_each(len(manifest), readable, pairs), similarity)
    pairs.sort(key=lambda pair: (pair.row_a, pair.row_b))
    heads = None
    if same_head:
        copy_sets = numbered(len(manifest), readable, _ends(pairs))
        heads = same_head_pairs(before.pixels, manifest, readable, copy_sets)
    description = AuditDescription(
        similarity=similarity, same_head=same_head, rows=len(manifest), pairs=0, groups=0, copy_sets=0, conflicting_images=0
    )
    table = pairs_table(pairs, heads)
    after = dataset.with_audit_of(table, description)
    result = _result(after, table, description, suspects, set_aside=set_aside_suspect)
    # Both or neither: what a full disk refuses of one leaves the other as it was.
    with writing(dataset.folder), replaced_file(dataset.folder / AUDIT_FILE) as page:
        page.write_text(as_json(_as_json(after.file_names, result)), encoding="utf-8")
        dataset.with_pairs(table, result.description)
    return result


def _result(
    now: Snapshot, table: pd.DataFrame, asked: AuditDescription, suspects: Sequence[Suspect], *, set_aside: bool
) -> AuditResult:
    """Count what follows from the pairs for the rows that can be used."""
    manifest, rows = now.manifest, now.usable
    own = among(table, rows)
    copies = own[own["kind"] != "head"]
    pairs = tuple(Pair(*row) for row in copies.itertuples(index=False))
    groups, copy_sets = (manifest[name].fillna(-1).to_numpy(np.int64) for name in ("group", "copy_set"))
    labels = names_in(manifest["label"])
    conflicting = conflicts(table, labels, names_in(manifest["patient"]), rows)
    set_sizes = np.bincount(copy_sets[rows]) if len(rows) else np.zeros(0, np.int64)
    group_sizes = np.bincount(groups[rows]) if len(rows) else np.zeros(0, np.int64)
    sources = manifest["source"].to_numpy()
    heads = own[own["kind"] == "head"]
    return AuditResult(
        similarity=asked.similarity,
        rows=asked.rows,
        images=len(rows),
        set_aside=len(manifest) - len(rows),
        pairs=pairs,
        pairs_between_sources=sum(bool(sources[pair.row_a] != sources[pair.row_b]) for pair in pairs),
        copy_sets=int((set_sizes > 1).sum()),
        images_in_copy_sets=int(set_sizes[set_sizes > 1].sum()),
        patients=known_patients(manifest),
        same_head=tuple((a, b) for a, b in ends(heads).tolist()) if asked.same_head else None,
        groups=len(group_sizes),
        group_sizes={int(size): int(count) for size, count in zip(*np.unique(group_sizes, return_counts=True), strict=True)},
        conflicts=tuple(
            Conflict(int(copy_sets[found[0]]), found, tuple(labels[row] for row in found)) for found in conflicting
        ),
        leaks=find_leaks(manifest, rows, groups, [(pair.row_a, pair.row_b) for pair in pairs]),
        suspects=tuple(suspects),
        suspects_set_aside=set_aside,
    )


def pairs_table(pairs: Sequence[Pair], heads: Int64s | None) -> pd.DataFrame:
    """Return pairs of copies, and of slices of one head, as the dataset keeps them."""
    rows: list[tuple[int, int, PairKind, float, bool]]
    rows = [(pair.row_a, pair.row_b, pair.kind, pair.similarity, pair.mirrored) for pair in pairs]
    rows += [(a, b, "head", 0.0, False) for a, b in ([] if heads is None else heads.tolist())]
    return pd.DataFrame(rows, columns=list(PAIR_DTYPES)).astype(PAIR_DTYPES)


def _exact_pairs(manifest: pd.DataFrame, rows: Int64s) -> list[Pair]:
    """Pair every image with the first one that has the same bytes, or else the same pixels.

    The slices of one file have its bytes in common, and are no copies: images have the same bytes where their files have, and
    they show the same.
    """
    found: dict[tuple[int, int], Pair] = {}
    pixels = manifest["pixels_sha256"].iloc[rows]
    kinds: tuple[tuple[Kind, pd.Series], ...] = (("bytes", manifest["sha256"].iloc[rows] + pixels), ("pixels", pixels))
    for kind, column in kinds:
        for row_a, row_b in linked_to_first(rows, names_in(column)):
            found.setdefault((row_a, row_b), Pair(row_a, row_b, kind, 1.0, mirrored=False))
    return list(found.values())


def _first_of_each(count: int, rows: Int64s, exact: list[Pair]) -> Int64s:
    """Return one row of every set of exact copies, so that near copies are looked for once."""
    _, first = np.unique(components(count, _ends(exact))[rows], return_index=True)
    return rows[np.sort(first)]


def _near_pairs(dataset: Snapshot, rows: Int64s, similarity: float) -> list[Pair]:
    near = find_copies(dataset.pixels, rows=rows, similarity=similarity)
    columns = zip(near.row_a, near.row_b, near.similarity, near.mirrored, strict=True)
    return [Pair(int(a), int(b), "near", round(float(score), 4), bool(mirrored)) for a, b, score, mirrored in columns]


def _ends(pairs: Sequence[Pair]) -> Int64s:
    return np.array([(pair.row_a, pair.row_b) for pair in pairs], np.int64).reshape(-1, 2)


def _as_json(names: Sequence[str], result: AuditResult) -> dict[str, Any]:
    return {
        "counts": result.counts(),
        "group_sizes": result.group_sizes,
        "conflicts": [
            {
                "copy_set": conflict.copy_set,
                "images": [
                    {"row": row, "path": names[row], "label": label}
                    for row, label in zip(conflict.rows, conflict.labels, strict=True)
                ],
            }
            for conflict in result.conflicts
        ],
        "leaks": [
            {**asdict(leak), "examples": [[row_a, row_b, names[row_a], names[row_b]] for row_a, row_b in leak.examples]}
            for leak in result.leaks
        ],
        "suspects": [[suspect.row, names[suspect.row], suspect.kind] for suspect in result.suspects],
        "pair_columns": ["row_a", "row_b", "kind", "similarity", "mirrored"],
        "pairs": [[pair.row_a, pair.row_b, pair.kind, pair.similarity, pair.mirrored] for pair in result.pairs],
        "same_head": result.same_head,
    }
