"""The labels of a dataset: its log, and what is asked of it by names of scans instead of numbers of rows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewscan.datasets.descriptions import SourceDescription
from fewscan.datasets.header_numbers import require_same_files, with_numbers, with_patients, with_set_aside
from fewscan.errors import FewscanError
from fewscan.images.classes import IN_PLACE, fit_classes
from fewscan.images.not_known import may_say_unknown
from fewscan.images.options import TableOptions
from fewscan.images.patient_keys import PatientKeys
from fewscan.images.slips import misspelled
from fewscan.images.sources import ScanFile, Source
from fewscan.images.store import ImageStore
from fewscan.images.tables.headers import UnreadHeadersError
from fewscan.labels.agreement import copies_that_differ, people_who_differ
from fewscan.labels.changes import EXAMPLES, Changes, changes_of, in_words, told_changes
from fewscan.labels.log import LabelLog, State
from fewscan.labels.standing import Numbers
from fewscan.labels.tables import Statements, find_scan, read_statements, scans_of, state_of, table_of

REVIEW = "review"


@dataclass(frozen=True)
class LabelsSet:
    """What was set, or would be: what was said, what of it changes a label, and `batch`, the number of the entries.

    `batch` is 0 where nothing changes, and None of a dry run. `names` are those of the rows that change, `disputed` is how many
    rows are disputed then.
    """

    said: Statements
    changes: Changes
    batch: int | None
    new_classes: tuple[str, ...]
    slips: tuple[tuple[str, str], ...]  # new classes, each with another that is spelled almost alike
    unknown: tuple[str, ...]  # new classes whose names may say that nobody knows, and were not asked for by renaming
    names: pd.Series
    disputed: int

    def summary(self) -> dict[str, Any]:
        """Return what can be said in numbers and a few examples, for programs."""
        said, changes = self.said, self.changes
        told = changes.told(self.names.tolist())
        return {
            "batch": self.batch,
            "origin": said.origin,
            "table_rows": said.table_rows,
            "changed": sum(change["scans"] for change in told),
            "agreeing_readings": int(changes.agree.sum()),
            "changes": told,
            "unchanged": changes.unchanged,
            "unchanged_of_wholes": changes.of_wholes,
            "silent": said.silent,
            "unusable": changes.unusable,
            "predictions_not_taken": changes.predicted,
            "settled": changes.settled,
            "still_disputed": len({*changes.rows[changes.still].tolist()}),
            "overruled": changes.overruled,
            "disputed": self.disputed,
            "new_classes": list(self.new_classes),
            "slips": [list(pair) for pair in self.slips],
            "unknown": list(self.unknown),
            "missing": len(said.missing),
            "missing_examples": list(said.missing[:EXAMPLES]),
            "repeated_rows": said.repeated.rows,
            "agreeing": said.repeated.agreeing,
            "differing": said.repeated.differing,
            "differing_examples": list(said.repeated.examples[:EXAMPLES]),
            "ambiguous": len(said.unclear),
            "ambiguous_examples": list(said.unclear[:EXAMPLES]),
            "notes": dict(said.notes),
        }


@dataclass(frozen=True)
class Conflicts:
    """Rows that people, or rows of a table, say different things of, and copies with different labels.

    The latter are None where no audit looked for copies.
    The columns are those of `labels.agreement`, and `name`, source and path of the row's image; of people also `patient`, what
    stands for the image's one in the dataset.
    """

    people: pd.DataFrame
    copies: pd.DataFrame | None


@dataclass(frozen=True)
class DatasetLabels(LabelLog):
    """The label log of a dataset, which knows the dataset's images. `copy_sets` gives the set of each row, None unaudited."""

    images: ImageStore
    sources: tuple[SourceDescription, ...]
    copy_sets: Callable[[], pd.Series | None]

    def set(
        self,
        what: str | Path | int | Sequence[int],
        labels: str | Sequence[str | None] | None = None,
        *,
        state: State | None = None,
        who: str | None = None,
        note: str = "",
        settle: bool = False,
        reading: bool = False,
        dry_run: bool = False,
        rename: Mapping[str, str] | None = None,
        **options: Any,
    ) -> LabelsSet:
        """Add and correct labels. Labels of rows that are not named stay, and a label that holds already makes no entry.

        what: a table, read as `import` reads its tables, with the same `options` (see TableOptions); or a row or rows, each
        with one of `labels`, all with the one label given, or all with a `state`. settle: these labels hold for the dataset,
        whoever gave other ones. reading: these labels are what `who` saw, and are entered even where they hold already.
        dry_run: nothing is entered. Where a table names scans by numbers in headers, these are read from the files again.

        Raises FewscanError if a table cannot be read, contradicts itself or names no image, if a row does not exist, if a label
        cannot be a class, and if files whose headers are needed are gone or are others now.
        """
        asked = TableOptions.parse(options)
        images = self._images()
        current = self.current(len(images))
        classes = sorted(current["label"].dropna().unique())
        if isinstance(what, str | Path):
            if labels is not None or state is not None:
                raise FewscanError("a table has the labels itself: give labels only with row numbers")
            said = read_statements(Path(what), images, self._sources, classes, asked, rename or {}, self._numbered)
            if said.by_header:
                self._require_same_files(said.rows)
        else:
            said = _of_rows(what, labels, state, images, classes)
        changes = changes_of(self, current, images["set_aside"].isna(), said, who, settle=settle, reading=reading)
        new = sorted({label for label in changes.labels if label is not None} - {*classes})
        batch = None
        if not dry_run:
            batch = self.enter(
                changes.rows, changes.labels, states=changes.states, origin=changes.origins, who=who, note=note, settles=settle
            )
        disputed = int(current["disputed"].sum()) + changes.disputing - changes.settled
        slips = tuple(misspelled(new, classes))
        unknown = tuple(may_say_unknown(name for name in new if name not in (rename or {}).values()))
        return LabelsSet(said, changes, batch, tuple(new), slips, unknown, _names(images, changes.rows), disputed)

    def find(self, scan: str | int) -> Numbers:
        """Return the rows that a row's number or a path means; raises FewscanError where there is none, or it fits several."""
        return find_scan(str(scan), self._images(), self._sources)

    def table(self, rows: Numbers | None = None) -> pd.DataFrame:
        """Return what holds of all usable images, or of `rows`, as a table that `set` takes.

        Columns: path, label, label_state, origin.
        """
        images = self._images()
        table = table_of(self.current(len(images)), images, self._sources)
        return (table[images["set_aside"].isna()] if rows is None else table.iloc[rows]).reset_index(drop=True)

    def history(self, scan: str | int | None = None) -> pd.DataFrame:
        """Return what was ever said, as `entries` does, or what was said of one scan; and `name`, that of the row's image."""
        entries = self.entries() if scan is None else self.entries(self.find(scan))
        return entries.assign(name=_names(self._images(), entries["row"]).to_numpy())

    def changes_by(self, entries: pd.DataFrame) -> list[dict[str, Any]]:
        """Return what the entries of one batch, as `history` has them, changed: as in `LabelsSet.summary`, most scans first."""
        images, rows = self._images(), np.unique(entries["row"].to_numpy(np.int64))
        before, after = (
            in_words(self.current(len(images), int(until)).iloc[rows]).to_numpy(object)
            for until in (entries["id"].min() - 1, entries["id"].max())
        )
        table = pd.DataFrame({"before": before, "after": after, "name": _names(images, rows).to_numpy()})
        return told_changes(table[before != after])

    def batches(self) -> pd.DataFrame:
        """Return a line for each batch of entries, in their order, with how many it has and how many were taken back.

        Columns: batch, at, who, origin, note, settles, entries, undone, undoes: the batch whose entries it takes back, if any.
        """
        entries = self.entries()
        batch_of = entries.set_index("id")["batch"]
        entries["undoes"] = entries["undoes"].map(batch_of).astype("Int64")
        same = {name: (name, "first") for name in ("at", "who", "origin", "note", "settles")}
        counts = {"entries": ("id", "size"), "undone": ("undone", "sum"), "undoes": ("undoes", "first")}
        return entries.groupby("batch").agg(**same, **counts).reset_index()

    def conflicts(self) -> Conflicts:
        """Return where people, rows of a table, or copies of one scan contradict each other."""
        images, copy_sets = self._images(), self.copy_sets()
        people = people_who_differ(self, len(images))
        patients = self.images.table(["patient"])["patient"]
        people = people.assign(
            name=_names(images, people["row"]).to_numpy(), patient=patients.iloc[people["row"]].to_numpy(object)
        )
        if copy_sets is None:
            return Conflicts(people, None)
        copies = copies_that_differ(self.current(len(images))["label"], copy_sets)
        return Conflicts(people, copies.assign(name=_names(images, copies["row"]).to_numpy()))

    def _numbered(self, scans: Sequence[ScanFile], texts: Collection[str]) -> list[ScanFile]:
        """Return all images with the numbers in the headers of their files, and of patients those among `texts`.

        Raises UnreadHeadersError where a file is gone, as `with_numbers`, and FewscanError where what patients are recognized
        by cannot be read.
        """
        images = self.images.table(["sha256", "set_aside", "patient"])
        keys = PatientKeys.load(self.path.parent, needed=False)
        usable = with_set_aside(scans, images["set_aside"])
        try:
            return with_patients(with_numbers(usable, images["sha256"], self.images.spec), images["patient"], keys, texts)
        except FewscanError as unread:
            raise UnreadHeadersError(str(unread), with_patients(usable, images["patient"], keys, texts)) from None

    def _require_same_files(self, rows: Numbers) -> None:
        images = self.images.table(("source", "path", "sha256")).iloc[rows]
        require_same_files(scans_of(images, self._sources), images["sha256"])

    def _images(self) -> pd.DataFrame:
        return self.images.table(("source", "path", "set_aside"))

    @property
    def _sources(self) -> tuple[Source, ...]:
        return tuple(Source(source.name, Path(source.folder)) for source in self.sources)


def _names(images: pd.DataFrame, rows: Any) -> pd.Series:
    of_rows = images.iloc[rows]
    return (of_rows["source"] + "/" + of_rows["path"]).reset_index(drop=True)


def _of_rows(
    rows: int | Sequence[int],
    labels: str | Sequence[str | None] | None,
    state: State | None,
    images: pd.DataFrame,
    classes: Sequence[str],
) -> Statements:
    """Return what is said of rows by their numbers."""
    numbers = np.atleast_1d(np.asarray(rows))
    if numbers.dtype.kind not in "iu" or not ((numbers >= 0) & (numbers < len(images))).all():
        raise FewscanError(f"give rows as whole numbers from 0 to {len(images) - 1}, or the name of a table")
    if (labels is None) == (state is None):
        raise FewscanError("give a label, one for each row, or a state: unsure, 'not a scan', or none to remove the label")
    each = [labels] * len(numbers) if labels is None or isinstance(labels, str) else list(labels)
    if len(each) != len(numbers):
        raise FewscanError(f"{len(numbers)} rows but {len(each)} labels: give one for each row, or one for all")
    sources = images["source"].iloc[numbers].tolist()
    named = list(zip(sources, each, strict=True))
    fitted = fit_classes({(source, label) for source, label in named if label is not None}, classes, {})
    meant = [None if label is None else fitted[source, label] for source, label in named]
    said = list(dict.fromkeys(zip(numbers.tolist(), meant, strict=True)))
    return Statements(
        origin=REVIEW,
        predicted=False,
        table_rows=len(numbers),
        rows=np.array([row for row, _ in said], np.int64),
        states=tuple(state or state_of(label) for _, label in said),
        labels=tuple(None if label is None or label.startswith(IN_PLACE) else label for _, label in said),
        origins=(REVIEW,) * len(said),
        silent=0,
        by_header=False,
        missing=(),
        unclear=(),
        notes={},
    )
