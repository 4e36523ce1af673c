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
from fewscan.auditing.copies import DEFAULT_SIMILARITY, components, find_copies
from fewscan.auditing.heads import same_head_pairs
from fewscan.auditing.leaks import Between, Leak, find_leaks, members_of, names_in
from fewscan.auditing.suspects import KINDS, Suspect, find_suspects, without_suspects
from fewscan.datasets.dataset import AuditDescription, Dataset
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
    """Find copies, conflicts, leaks and suspects; write `group`, `copy_set` and `conflict` into the manifest, and `audit.json`.

    similarity: the least likeness, in [0.8, 1], at which two aligned images count as near copies. same_head: whether groups
    join slices that are probably of one head, too (`data.heads`); sets of copies stay as they are. set_aside_suspect: whether
    what is probably no scan (`data.suspects`) is set aside first, and a split dropped, which else stays. Set-aside rows get no
    group. Raises FewscanError for a similarity out of range, a class of suspects alone, or a folder that cannot be written.
    """
    suspects = find_suspects(dataset.pixels, dataset.manifest, dataset.usable)
    if set_aside_suspect:
        dataset = without_suspects(dataset, suspects)
    manifest, rows = dataset.manifest, dataset.usable
    pairs = _exact_pairs(manifest, rows)
    pairs += _near_pairs(dataset, _first_of_each(len(manifest), rows, pairs), similarity)
    pairs.sort(key=lambda pair: (pair.row_a, pair.row_b))
    copy_sets = _numbered(len(manifest), rows, _ends(pairs))
    heads = same_head_pairs(dataset.pixels, manifest, rows, copy_sets) if same_head else None
    links = [_ends(pairs), _same_patient(manifest, rows), *([] if heads is None else [heads])]
    groups = _numbered(len(manifest), rows, np.concatenate(links))
    conflicts = _conflicts(manifest, rows, copy_sets, pairs)
    conflicting = np.zeros(len(manifest), bool)
    conflicting[[row for conflict in conflicts for row in conflict.rows]] = True

    set_sizes = np.bincount(copy_sets[rows]) if len(rows) else np.zeros(0, np.int64)
    group_sizes = np.bincount(groups[rows]) if len(rows) else np.zeros(0, np.int64)
    sources = manifest["source"].to_numpy()
    result = AuditResult(
        similarity=similarity,
        images=len(rows),
        set_aside=len(manifest) - len(rows),
        pairs=tuple(pairs),
        pairs_between_sources=sum(bool(sources[pair.row_a] != sources[pair.row_b]) for pair in pairs),
        copy_sets=int((set_sizes > 1).sum()),
        images_in_copy_sets=int(set_sizes[set_sizes > 1].sum()),
        patients=known_patients(manifest),
        same_head=None if heads is None else tuple((a, b) for a, b in heads.tolist()),
        groups=len(group_sizes),
        group_sizes={int(size): int(count) for size, count in zip(*np.unique(group_sizes, return_counts=True), strict=True)},
        conflicts=conflicts,
        leaks=find_leaks(manifest, rows, groups, [(pair.row_a, pair.row_b) for pair in pairs]),
        suspects=suspects,
        suspects_set_aside=set_aside_suspect,
    )
    audited = manifest.assign(group=_nullable(groups), copy_set=_nullable(copy_sets), conflict=conflicting)
    # Both or neither: what a full disk refuses of one leaves the other as it was.
    with writing(dataset.folder), replaced_file(dataset.folder / AUDIT_FILE) as page:
        page.write_text(as_json(_as_json(dataset.file_names, result)), encoding="utf-8")
        dataset.updated(audited, audit=result.description)
    return result


def _exact_pairs(manifest: pd.DataFrame, rows: Int64s) -> list[Pair]:
    """Pair every image with the first one that has the same bytes, or else the same pixels.

    The slices of one file have its bytes in common, and are no copies: images have the same bytes where their files have, and
    they show the same.
    """
    found: dict[tuple[int, int], Pair] = {}
    pixels = manifest["pixels_sha256"].iloc[rows]
    kinds: tuple[tuple[Kind, pd.Series], ...] = (("bytes", manifest["sha256"].iloc[rows] + pixels), ("pixels", pixels))
    for kind, column in kinds:
        for row_a, row_b in _linked_to_first(rows, names_in(column)):
            found.setdefault((row_a, row_b), Pair(row_a, row_b, kind, 1.0, mirrored=False))
    return list(found.values())


def _linked_to_first(rows: Int64s, keys: Sequence[str | None]) -> list[tuple[int, int]]:
    """Return (first row with the key, other row with it) for every other row; None is no key."""
    first: dict[str, int] = {}
    keyed = ((row, key) for row, key in zip(rows.tolist(), keys, strict=True) if key is not None)
    return [(known, row) for row, key in keyed if (known := first.setdefault(key, row)) != row]


def _first_of_each(count: int, rows: Int64s, exact: list[Pair]) -> Int64s:
    """Return one row of every set of exact copies, so that near copies are looked for once."""
    _, first = np.unique(components(count, _ends(exact))[rows], return_index=True)
    return rows[np.sort(first)]


def _near_pairs(dataset: Dataset, rows: Int64s, similarity: float) -> list[Pair]:
    near = find_copies(dataset.pixels, rows=rows, similarity=similarity)
    columns = zip(near.row_a, near.row_b, near.similarity, near.mirrored, strict=True)
    return [Pair(int(a), int(b), "near", round(float(score), 4), bool(mirrored)) for a, b, score, mirrored in columns]


def _same_patient(manifest: pd.DataFrame, rows: Int64s) -> Int64s:
    """(P, 2) links between rows of one patient, whichever sources these are in: the hash is made for the whole import."""
    return np.array(_linked_to_first(rows, names_in(manifest["patient"].iloc[rows])), np.int64).reshape(-1, 2)


def _ends(pairs: Sequence[Pair]) -> Int64s:
    return np.array([(pair.row_a, pair.row_b) for pair in pairs], np.int64).reshape(-1, 2)


def _numbered(count: int, rows: Int64s, links: Int64s) -> Int64s:
    """Return (count,) the component of every row, numbered from 0 among `rows`; -1 for all others."""
    numbers = np.full(count, -1)
    numbers[rows] = np.unique(components(count, links)[rows], return_inverse=True)[1]
    return numbers


def _nullable(numbers: Int64s) -> pd.Series:
    return pd.Series(numbers, dtype="Int64").mask(numbers < 0)


def _conflicts(manifest: pd.DataFrame, rows: Int64s, copy_sets: Int64s, pairs: Sequence[Pair]) -> tuple[Conflict, ...]:
    """Return the sets of copies with different labels.

    Near copies of one patient, or in one file, are no reason for one label: neighboring slices of a head look alike, and a
    lesion ends somewhere.
    """
    labels, patients = names_in(manifest["label"]), names_in(manifest["patient"])
    alike = [
        pair
        for pair in pairs
        if pair.kind != "near" or patients[pair.row_a] is None or patients[pair.row_a] != patients[pair.row_b]
    ]
    found = []
    for members in members_of(_numbered(len(manifest), rows, _ends(alike)), rows):
        named = tuple(labels[row] for row in members)
        if len(set(named) - {None}) > 1:
            found.append(Conflict(int(copy_sets[members[0]]), tuple(members.tolist()), named))
    return tuple(found)


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
