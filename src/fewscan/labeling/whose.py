"""Whose scans are that are to be labeled: numbers of patients that mean something within one table, and who is known."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.datasets.snapshot import Int64s, Snapshot
from fewscan.errors import FewscanError
from fewscan.images.listing import one_number_for_all
from fewscan.images.patient_keys import PatientKeys, same_patients
from fewscan.images.patients import is_known, names_of, patient_word
from fewscan.images.sources import ScanFile
from fewscan.labeling.seen import KNOWN_PATIENT, LEARNED_FROM, learned_patients
from fewscan.training.batches import Rows
from fewscan.training.run import Run


@dataclass(frozen=True)
class Whose:
    """Whose each of N scans is.

    numbers: (N,) 1, 2, ... for patients, in the order of their first scans, 0 where nobody knows; the slices of one volume are
    one's. called: what one of them is: a patient, or a volume whose patient is not known. known: (N,) whether the run has
    learned from another scan of this patient, or was calibrated on one; of the dataset's own scans, from a label. notes: what
    is to be known of both.
    """

    numbers: Int64s
    called: str
    known: npt.NDArray[np.bool_]
    notes: tuple[str, ...] = ()
    unmarked: tuple[str | None, ...] = (None,)  # what a known patient's scan is marked as otherwise

    @classmethod
    def of_files(cls, run: Run, dataset: Snapshot, files: Sequence[ScanFile]) -> Self:
        """Tell files' patients apart as an import does, and recognize those of the run's `dataset` as `add` does.

        Of that the dataset's file of keyed hashes is read; where it cannot be, nobody is known, and the notes say so.
        """
        same = same_patients(files)
        names = [found[0] if (found := names_of(file)) else None for file in files]
        roots = pd.Series([None if name is None else same[name] for name in names], dtype=object)
        numbers, order = pd.factorize(roots.to_numpy())
        headers = [file for file in files if file.patient is not None and file.patient_known]
        notes = [*one_number_for_all(headers, len(files))]
        learned, there = learned_patients(run, dataset), is_known(dataset.manifest["patient"]).any()
        recognized: Mapping[tuple[str, str], set[str]] = {}
        if headers and there:
            try:
                recognized = PatientKeys.load(dataset.folder, needed=True).recognized(same)
            except FewscanError as error:
                notes.append(str(error))
        known = np.array([bool(recognized.get(root, set()) & learned) for root in order], bool)
        called = patient_word(file.patient_known for file in files if file.patient is not None)
        return cls(numbers + 1, called, np.append(known, False)[numbers], tuple(notes))

    @classmethod
    def of_rows(cls, dataset: Snapshot, rows: Rows) -> Self:
        """Return whose rows of the run's dataset are.

        The run may have learned from all of them without a label, but not from a label of their patients.
        """
        whose = dataset.manifest["patient"]
        taught = set(whose.iloc[dataset.rows("labeled", "validation")].dropna())
        own = whose.iloc[rows]
        known = own.isin(taught).to_numpy(bool)
        return cls(pd.factorize(own)[0] + 1, patient_word(is_known(own.dropna())), known, unmarked=(None, LEARNED_FROM))

    @property
    def several(self) -> int:
        """How many patients have several scans."""
        return int((np.bincount(self.numbers)[1:] > 1).sum())

    @property
    def version(self) -> str:
        """A digest that changes with whose scans are, or who is known, as where the dataset's keyed hashes are back."""
        return hashlib.sha256(self.numbers.tobytes() + self.known.tobytes()).hexdigest()

    def told(self, place: int, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row of a table of labels about the scan at a place, with its patient, and whether that is a known one."""
        number = int(self.numbers[place])
        marked = self.known[place] and row.get("seen") in self.unmarked and row["decision"] != "unreadable"
        return {**row, "patient": number or None, **({"seen": KNOWN_PATIENT} if marked else {})}
