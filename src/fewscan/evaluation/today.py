"""A run's test set with the labels of today: what became of labels since the run was made counts when it is scored.

The images are those that the run's split tests on: the ones that had a label then, the ones that were given one since, and
added scans of groups that test. What the run learned from stays what it was.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.config import Settings
from fewscan.datasets.dataset import Dataset
from fewscan.datasets.roles import counts_of
from fewscan.datasets.snapshot import MANIFEST_DTYPES, Snapshot, class_indices
from fewscan.wording import counted

Rows = npt.NDArray[np.int64]
ADDED_SINCE = "added since the run was made"


class SinceTraining(Settings):
    """What became of the images that a run is scored on since the run was made."""

    relabeled: int = 0  # images whose label is another one now
    without_label: int = 0  # that have none any more, or are no scans: they are left out
    joined: int = 0  # that have got their label, or were added, since
    unknown_class: int = 0  # whose class the run does not know: they are left out

    def sentences(self, of_what: str = "test set") -> list[str]:
        """Return what is to be said of it, in words; nothing where nothing became."""
        said = (
            (self.relabeled, f"of the {of_what} {{have}} another label than when the run was made; the score uses today's"),
            (self.without_label, f"of the {of_what} no longer {{have}} a label and {{are}} left out"),
            (self.joined, "joined the test set since the run was made"),
            (self.unknown_class, f"of the {of_what} {{are}} of a class that the run does not know and {{are}} left out"),
        )
        one, several = {"have": "has", "are": "is"}, {"have": "have", "are": "are"}
        told = ((images, what.format(**one if images == 1 else several)) for images, what in said if images)
        return [f"{counted(images, 'image')} {what}" for images, what in told]


class Today(NamedTuple):
    """The run's dataset with today's test set, and what has become of that."""

    dataset: Snapshot
    since: SinceTraining


def today(seen: Snapshot, now: Dataset) -> Today:
    """Return what a run `seen`, with the test set as it is `now`.

    Images join only where the split is the one that the run was made on, and never where their group was learned from.
    """
    split = seen.require_split()
    same = split.name in now.splits and now.split(split.name).description.drawn_fingerprint == split.drawn_fingerprint
    current = now.snapshot(split.name) if same else now.unsplit()
    if current.manifest["label"].iloc[: len(seen.manifest)].equals(seen.manifest["label"]) and not _more(current, seen):
        return Today(seen, SinceTraining())
    labels = current.manifest["label"]
    indices = class_indices(labels, seen.classes)
    tested = seen.rows("test")
    joining = _joining(seen, current) if same else np.zeros(0, np.int64)
    wanted = np.union1d(tested, joining)
    unknown = wanted[labels.iloc[wanted].notna().to_numpy() & (indices[wanted] < 0)]
    scored = wanted[indices[wanted] >= 0]
    since = SinceTraining(
        relabeled=int((indices[tested] >= 0).sum() - (indices[tested] == seen.labels[tested]).sum()),
        without_label=int(labels.iloc[tested].isna().sum()),
        joined=len(np.intersect1d(joining, scored)),
        unknown_class=len(unknown),
    )
    return Today(_with_test_set(seen, current, scored, labels.iloc[scored]), since)


def labels_of_today(seen: Snapshot, now: Dataset, rows: Rows) -> tuple[Rows, SinceTraining]:
    """Return (N,) the class of each of the rows as it is now, -1 where it has none that the run knows, and what has become."""
    names = now.unsplit().manifest["label"].iloc[rows]
    labels = class_indices(names, seen.classes)
    since = SinceTraining(
        relabeled=int(((labels >= 0) & (labels != seen.labels[rows])).sum()),
        without_label=int(names.isna().sum()),
        unknown_class=int((names.notna().to_numpy() & (labels < 0)).sum()),
    )
    return labels, since


def as_evaluated(seen: Snapshot, now: Dataset, predictions: pd.DataFrame) -> Snapshot:
    """Return what a run `seen`, with the test set that its evaluation was about: `row` and `label` of its predictions."""
    rows, labels = predictions["row"].to_numpy(np.int64), predictions["label"]
    if np.array_equal(rows, seen.rows("test")) and labels.tolist() == seen.manifest["label"].iloc[rows].tolist():
        return seen
    return _with_test_set(seen, now.unsplit(), rows, labels)


def _more(current: Snapshot, seen: Snapshot) -> bool:
    return bool(len(np.setdiff1d(current.rows("test"), seen.rows("test"))))


def _joining(seen: Snapshot, current: Snapshot) -> Rows:
    """Return today's rows to test on that the run did not test on, of groups that it has not learned from."""
    taught_before = np.flatnonzero(seen.manifest["taught_before"].to_numpy(bool))
    known = np.union1d(seen.rows("labeled", "unlabeled", "validation"), taught_before)
    rows = np.setdiff1d(current.rows("test"), seen.rows("test"))
    found: Rows = rows[~np.isin(current.groups[rows], current.groups[known])]
    return found


def _with_test_set(seen: Snapshot, current: Snapshot, scored: Rows, labels: pd.Series) -> Snapshot:
    """Return what a run saw, as many rows as there are now, with the rows `scored` as its test set, under these labels."""
    manifest = current.manifest.copy()
    rows = len(seen.manifest)
    # Images that were added have no part in the run, nor in what is counted of it, unless they are scored.
    for column, of_added in (("label", None), ("label_from", None), ("set_aside", ADDED_SINCE), ("split", None)):
        added = pd.Series([of_added] * (len(manifest) - rows), dtype=object)
        manifest[column] = pd.concat([seen.manifest[column].astype(object), added], ignore_index=True)
    for column in ("only_teaches", "taught_before", "seen_before"):
        manifest[column] = np.concatenate([seen.manifest[column].to_numpy(bool), np.zeros(len(manifest) - rows, bool)])
    parts = manifest["split"].astype(object).where(manifest["split"].notna(), None).to_numpy().copy()
    parts[parts == "test"] = None
    parts[scored] = "test"
    for column, values in (
        ("label", labels.to_numpy(object)),
        ("label_from", current.manifest["label_from"].to_numpy(object)[scored]),
        ("set_aside", np.full(len(scored), None)),
    ):
        changed = manifest[column].to_numpy(object).copy()
        changed[scored] = values
        manifest[column] = changed
    description = seen.description.model_copy(update={"images": current.description.images, "chain": current.description.chain})
    whole = replace(current, description=description, manifest=manifest.astype(MANIFEST_DTYPES))
    return whole.with_split(parts, seen.require_split().model_copy(update=counts_of(parts)))
