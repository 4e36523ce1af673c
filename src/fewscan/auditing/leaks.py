"""Groups on both sides of a border that nothing should cross: between sources, between folders, between a split's parts."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.datasets.descriptions import Split
from fewscan.datasets.pairs import members_of, names_in
from fewscan.datasets.roles import fingerprint_of_groups
from fewscan.datasets.snapshot import Snapshot
from fewscan.images.patients import is_known
from fewscan.wording import command_line

Int64s = npt.NDArray[np.int64]
Between = Literal["sources", "folders", "split"]
BORDERS: dict[Between, str] = {"sources": "sources", "folders": "folders", "split": "split's parts"}
SEVERAL_PATIENTS = "as where a patient has two numbers or a scan is filed under another's; 'fewscan split' keeps them together"

# What training learns from or is steered by; a group that stands on both sides of one of these makes a score false.
SEALED_FROM: dict[Split, tuple[Split, ...]] = {
    "test": ("labeled", "validation", "unlabeled"),
    "validation": ("labeled", "unlabeled"),
}
LEAK_EXAMPLES = 20


@dataclass(frozen=True)
class Leak:
    """Groups that stand on both sides of a border, with how many images on each and up to LEAK_EXAMPLES pairs across."""

    between: Between
    a: str
    b: str
    groups: int
    images_a: int
    images_b: int
    examples: tuple[tuple[int, int], ...]


def leaking_pairs(dataset: Snapshot) -> list[tuple[int, int]]:
    """Return a pair (row it was trained or steered with, row it is judged by) for every row that its group betrays.

    Reads the manifest's `group` and `split` alone, and which rows the run's first weights had learned from. Test rows are
    betrayed by any other part, validation rows by labeled and unlabeled ones. Rows without a group betray nobody but
    themselves.
    """
    grouped = dataset.manifest["group"].notna().to_numpy()
    taught = np.flatnonzero(dataset.manifest["taught_before"].to_numpy(bool))
    found = []
    for judged, others in SEALED_FROM.items():
        known = dataset.rows(*others)
        known = np.union1d(known[grouped[known]], taught)
        groups, first = np.unique(dataset.groups[known], return_index=True)
        rows = dataset.rows(judged)
        rows = rows[np.isin(dataset.groups[rows], groups)]
        partners = known[first[np.searchsorted(groups, dataset.groups[rows])]]
        found += [(int(partner), int(row)) for partner, row in zip(partners, rows, strict=True)]
    return sorted(found)


def regrouped_sentence(dataset: Snapshot) -> str | None:
    """Return in words that the split was drawn by other groups than there are now, though it does not leak; None if not so."""
    split = dataset.description.split
    if split is None or split.groups is None or not split.grouped or leaking_pairs(dataset):
        return None
    if fingerprint_of_groups(dataset.groups[: split.rows]) == split.groups:
        return None
    name = [] if split.name == "main" else ["--name", split.name]
    return (
        f"the groups have changed since the split '{split.name}' was drawn: there was another audit, or people judged pairs or "
        f"set scans aside. Nothing crosses its parts, and it stays as it is; "
        f"'{command_line('split', dataset.folder, *name, '--overwrite')}' draws it again"
    )


def find_leaks(manifest: pd.DataFrame, rows: Int64s, groups: Int64s, pairs: Sequence[tuple[int, int]]) -> tuple[Leak, ...]:
    """Return every leak of `rows` in `groups` (N,), shown by pairs among `pairs` where there are any.

    Of one kind of border, those with the most groups come first.
    """
    borders: tuple[tuple[Between, list[str | None]], ...] = (
        ("sources", names_in(manifest["source"])),
        ("folders", _part_folders(manifest, rows)),
        ("split", names_in(manifest["split"])),
    )
    partners: dict[int, list[int]] = {}
    for row_a, row_b in pairs:
        partners.setdefault(row_a, []).append(row_b)
        partners.setdefault(row_b, []).append(row_a)
    members = members_of(groups, rows)
    return tuple(leak for between, places in borders for leak in _leaks_between(between, places, members, partners))


def copy_sets_of_several_patients(manifest: pd.DataFrame) -> int:
    """Return how many sets of copies hold scans of more than one patient, of those who are known."""
    known = manifest[is_known(manifest["patient"])].drop_duplicates(["copy_set", "patient"])
    return int((known["copy_set"].value_counts() > 1).sum())


def _leaks_between(
    between: Between, places: Sequence[str | None], members: Sequence[Int64s], partners: Mapping[int, Sequence[int]]
) -> Iterator[Leak]:
    """Yield a leak for every two of the `places` (one a row) that share a group and must not."""
    shared: dict[tuple[str, str], list[tuple[list[int], list[int]]]] = {}
    for rows in members:
        here: dict[str, list[int]] = {}
        for row in rows.tolist():
            place = places[row]
            if place is not None:
                here.setdefault(place, []).append(row)
        for a, b in combinations(sorted(here), 2):
            if _is_border(between, a, b):
                shared.setdefault((a, b), []).append((here[a], here[b]))
    for (a, b), sides in sorted(shared.items(), key=lambda leak: (-len(leak[1]), leak[0])):
        yield Leak(
            between=between,
            a=a,
            b=b,
            groups=len(sides),
            images_a=sum(len(rows_a) for rows_a, _ in sides),
            images_b=sum(len(rows_b) for _, rows_b in sides),
            examples=tuple(_example(rows_a, rows_b, partners) for rows_a, rows_b in sides[:LEAK_EXAMPLES]),
        )


def _is_border(between: Between, a: str, b: str) -> bool:
    """Whether copies on both sides matter: what leaks between folders of two sources is told by the sources already."""
    if between == "folders":
        return a.partition("/")[0] == b.partition("/")[0]
    if between == "split":
        return any({a, b} == {judged, known} for judged, others in SEALED_FROM.items() for known in others)
    return True


def _example(rows_a: Sequence[int], rows_b: Sequence[int], partners: Mapping[int, Sequence[int]]) -> tuple[int, int]:
    """Return two rows from both sides, such as are copies of each other where there are any, not only of a third one."""
    direct = ((row_a, row_b) for row_a in rows_a for row_b in partners.get(row_a, ()) if row_b in rows_b)
    return next(direct, (rows_a[0], rows_b[0]))


def _part_folders(manifest: pd.DataFrame, rows: Int64s) -> list[str | None]:
    """Return 'source/first folder' of every row, or None where first folders are not parts such as Training and Testing.

    Folders that hold one class each are classes, and that their copies disagree is a conflict, not a leak. Folders that hold
    one patient each are no parts either: nobody trains on some patients' folders and tests on others.
    """
    folders: list[str | None] = [None] * len(manifest)
    labels: dict[str, dict[str, set[str]]] = {}  # of every first folder of every source
    patients: dict[str, set[str | None]] = {}  # of every first folder; None: of somebody who is not known
    images = manifest.iloc[rows]
    labeled, whose = names_in(images["label"]), names_in(images["patient"].where(is_known(images["patient"])))
    for row, source, path, label, patient in zip(rows.tolist(), images["source"], images["path"], labeled, whose, strict=True):
        first, slash, _ = path.partition("/")
        if slash:
            folder = folders[row] = f"{source}/{first}"
            labels.setdefault(source, {}).setdefault(folder, set()).update([label] if label else [])
            patients.setdefault(folder, set()).add(patient)
    mixed = [held for held in labels.values() if any(len(names) > 1 for names in held.values())]
    parts = {folder for held in mixed if not all(_of_one(patients[folder]) for folder in held) for folder in held}
    return [folder if folder in parts else None for folder in folders]


def _of_one(patients: Set[str | None]) -> bool:
    return len(patients) == 1 and None not in patients
