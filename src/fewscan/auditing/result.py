"""What an audit found, counted, said in lines, and as a file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.atomic import json_entry
from fewscan.auditing.copies.index import SAID, Way
from fewscan.auditing.leaks import BORDERS, SEVERAL_PATIENTS, Between, Leak, copy_sets_of_several_patients, find_leaks
from fewscan.auditing.suspects import KINDS, Suspect
from fewscan.datasets.descriptions import AuditDescription
from fewscan.datasets.pair_decisions import PairDecision
from fewscan.datasets.pairs import PAIR_DTYPES, PairKind, among, as_told, conflicts, ends, names_in
from fewscan.datasets.snapshot import Snapshot
from fewscan.datasets.turned import turn_noted
from fewscan.images.patients import KnownPatients, known_patients
from fewscan.images.turns import Turn
from fewscan.wording import counted, listed

Int64s = npt.NDArray[np.int64]
# So many leaks of each kind of border are told one by one: of a thousand folders nearly all pairs may leak.
LEAKS_TOLD = 10


@dataclass(frozen=True)
class Pair:
    """Two rows that are copies, `row_a < row_b`, how that is known, and how the second lies beside the first, as `Turn`."""

    row_a: int
    row_b: int
    kind: PairKind
    similarity: float
    mirrored: bool
    turned: int | None = 0  # None: an earlier version found the pair, and did not note it
    inverted: bool | None = False

    @property
    def turn(self) -> Turn | None:
        """How the second image lies beside the first; None where nobody noted it."""
        return turn_noted(self.mirrored, self.turned, self.inverted)


@dataclass(frozen=True, kw_only=True)
class Dissolved(Pair):
    """A pair of the audit's, of copies or of slices of one head, and who has said when that it is none."""

    who: str | None
    time: str


@dataclass(frozen=True)
class Conflict:
    """A set of copies that carry more than one label; `labels` belong to `rows`."""

    copy_set: int
    rows: tuple[int, ...]
    labels: tuple[str | None, ...]


@dataclass(frozen=True, repr=False)
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
    dissolved: tuple[Dissolved, ...] = ()  # pairs that were found, and that people have dissolved: none of `pairs`
    suspects: tuple[Suspect, ...] = ()
    suspects_set_aside: bool = False  # whether there are any, and all are among the `set_aside`
    search: Way | None = None  # how near copies were looked for; None: an earlier version did so
    copy_sets_of_patients: int = 0  # sets of copies that hold scans of several patients, as far as these are known
    cropped: bool = False  # whether it looked at cropped scans, of which the dataset keeps no whole ones

    def __repr__(self) -> str:
        """Return its lines: in a notebook the fields would be thousands of pairs."""
        return "\n".join(self.lines())

    @property
    def counted(self) -> dict[str, int]:
        """The counts that the dataset's description of the audit has."""
        counts = self.counts()
        return {name: counts[name] for name in ("pairs", "groups", "copy_sets", "conflicting_images")}

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
            "pairs_turned": sum(bool(pair.turned) for pair in self.pairs),
            "pairs_inverted": sum(bool(pair.inverted) for pair in self.pairs),
            "pairs_dissolved": len(self.dissolved),
            "pairs_between_sources": self.pairs_between_sources,
            "pairs_within_sources": len(self.pairs) - self.pairs_between_sources,
            "copy_sets": self.copy_sets,
            "images_in_copy_sets": self.images_in_copy_sets,
            "copy_sets_of_several_patients": self.copy_sets_of_patients,
            "images_with_patient": self.patients.with_patient,
            "patients": self.patients.patients,
            "same_head_pairs": None if self.same_head is None else len(self.same_head),
            "groups": self.groups,
            "largest_group": max(self.group_sizes, default=0),
            "suspects": {kind: sum(suspect.kind == kind for suspect in self.suspects) for kind in KINDS},
            "suspects_set_aside": self.suspects_set_aside,
            "looked_at_cropped_scans": self.cropped,
            "conflicting_copy_sets": len(self.conflicts),
            "conflicting_images": sum(len(conflict.rows) for conflict in self.conflicts),
            "leaks_between": {between: len(leaks) for between, leaks in self.leaks_by_border.items()},
            "leaks": [
                {key: value for key, value in asdict(leak).items() if key != "examples"}
                for leaks in self.leaks_by_border.values()
                for leak in leaks[:LEAKS_TOLD]
            ],
        }

    @property
    def leaks_by_border(self) -> dict[Between, list[Leak]]:
        """The leaks of each kind of border, those with the most groups first."""
        return {between: [leak for leak in self.leaks if leak.between == between] for between in BORDERS}

    @property
    def cropped_sentence(self) -> str:
        """What cropped scans mean for what was found; empty where whole ones were looked at."""
        if not self.cropped:
            return ""
        return (
            "The audit examined cropped scans, because an earlier version imported them and kept no whole ones: some copies "
            "that somebody had cut are missed. Import the scans again to find them"
        )

    @property
    def search_sentence(self) -> str:
        """How near copies were looked for; empty where nobody noted it."""
        return "" if self.search is None else SAID[self.search]

    def lines(self) -> list[str]:
        """Return a summary for people, a line a finding."""
        counts = self.counts()
        lines = [
            f"{self.images_in_copy_sets:,} of {counted(self.images, 'image')} have a copy, in {counted(self.copy_sets, 'set')}",
            f"  {counted(len(self.pairs), 'pair')}: {counts['pairs_same_bytes']:,} with the same bytes, "
            f"{counts['pairs_same_pixels']:,} with the same pixels, {counts['pairs_near']:,} near copies "
            f"({counts['pairs_mirrored']:,} of them mirrored, {counts['pairs_turned']:,} turned, "
            f"{counts['pairs_inverted']:,} inverted), {self.pairs_between_sources:,} between sources",
            self.patients.sentence,
            *([] if self.same_head is None else [f"{counted(len(self.same_head), 'more pair')}, probably slices of one head"]),
            f"{counted(self.groups, 'group')} to keep together, the largest of {counted(counts['largest_group'], 'image')}",
            f"sets of copies with different labels: {len(self.conflicts):,} ({counted(counts['conflicting_images'], 'image')})",
        ]
        if shared := self.copy_sets_of_patients:
            lines.append(f"{counted(shared, 'set')} of copies with scans of several patients, {SEVERAL_PATIENTS}")
        if self.dissolved:
            people = Counter(one.who or "nobody named" for one in self.dissolved)
            by = listed([f"{who} ({count:,})" for who, count in sorted(people.items())])
            lines.append(f"dissolved, and not counted above: {counted(len(self.dissolved), 'pair')}, by {by}")
        if self.cropped:
            lines.append(self.cropped_sentence)
        if self.search not in (None, "all"):
            lines.append(self.search_sentence)
        if self.suspects:
            named = ", ".join(f"{count:,} {kind}" for kind, count in counts["suspects"].items() if count)
            done = "set aside" if self.suspects_set_aside else "see them in audit.html; --set-aside-suspect leaves them out"
            lines.append(f"probably not scans: {counted(len(self.suspects), 'image')} ({named}): {done}")
        for between, leaks in self.leaks_by_border.items():
            lines += [
                f"leak between the {BORDERS[between]} {leak.a} and {leak.b}: {counted(leak.groups, 'group')} in both "
                f"({leak.images_a:,} and {counted(leak.images_b, 'image')})"
                for leak in leaks[:LEAKS_TOLD]
            ]
            if more := len(leaks[LEAKS_TOLD:]):
                lines.append(
                    f"  and {counted(more, 'more pair')} of {BORDERS[between]} with groups in both: audit.json lists all"
                )
        if any(leak.between != "split" for leak in self.leaks):
            lines.append("  this matters if you train on one and test on the other; 'fewscan split' keeps them on one side")
        return lines


def result_of(
    now: Snapshot,
    table: pd.DataFrame,
    asked: AuditDescription,
    suspects: Sequence[Suspect],
    decisions: Sequence[PairDecision | None],
) -> AuditResult:
    """Count what follows from the pairs for the rows that can be used; decisions: what people said of each pair."""
    manifest, rows = now.manifest, now.usable
    apart = np.array([one is not None and one.verdict == "apart" for one in decisions], bool)
    said = [one for one in decisions if one is not None and one.verdict == "apart"]
    found = zip(as_told(table[apart]).itertuples(index=False), said, strict=True)
    gone = tuple(Dissolved(*pair, who=one.who, time=one.time) for pair, one in found)
    table = table[~apart]
    own = among(table, rows)
    copies = own[own["kind"] != "head"]
    pairs = tuple(Pair(*row) for row in as_told(copies).itertuples(index=False))
    groups, copy_sets = (manifest[name].fillna(-1).to_numpy(np.int64) for name in ("group", "copy_set"))
    labels = names_in(manifest["label"])
    conflicting = conflicts(table, labels, names_in(manifest["patient"]), rows)
    # What the split leaves out since it ties two of its sides together is in no group.
    grouped = rows[groups[rows] >= 0]
    set_sizes, group_sizes = np.bincount(copy_sets[grouped]), np.bincount(groups[grouped])
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
        leaks=find_leaks(manifest, grouped, groups, [(pair.row_a, pair.row_b) for pair in pairs]),
        dissolved=gone,
        suspects=tuple(suspects),
        search=asked.search,
        copy_sets_of_patients=copy_sets_of_several_patients(manifest.iloc[grouped]),
        cropped=now.spec.crop != "none" and not now.store.keeps_whole,
        suspects_set_aside=bool(suspects) and bool(manifest["set_aside"].iloc[[each.row for each in suspects]].notna().all()),
    )


def for_programs(names: Sequence[str], result: AuditResult) -> dict[str, Any]:
    """Return the content of `audit.json`; names: of the files of all rows."""
    return {
        "counts": result.counts(),
        "search": result.search_sentence,
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
        "pair_columns": list(PAIR_DTYPES),
        "pairs": list(map(attrgetter(*PAIR_DTYPES), result.pairs)),
        "same_head": result.same_head,
        "dissolved": [asdict(one) for one in result.dissolved],
    }


def suspects_in(path: Path, rows: int) -> tuple[Suspect, ...]:
    """Return the suspects among the first `rows` images that an `audit.json` names; none where there is no such file."""
    try:
        return tuple(Suspect(row, kind) for row, _, kind in json_entry(path, "suspects") if row < rows)
    except (OSError, ValueError, KeyError, TypeError):
        return ()
