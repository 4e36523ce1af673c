"""A score patient by patient: a network answers for single scans, and the question in the clinic is about a patient."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewscan.config import Settings
from fewscan.datasets.snapshot import Snapshot
from fewscan.evaluation.intervals import NOT_DEFINED, Interval, Rows, bootstrap
from fewscan.evaluation.metrics import Labels, Probabilities, Scores, weights
from fewscan.images.patients import is_known, patient_word, patient_words
from fewscan.wording import counted


class PatientClassScore(Settings):
    """How many of the patients of one class were answered rightly."""

    name: str
    patients: int
    right: int
    accuracy: Interval

    @property
    def said(self) -> str:
        """How many were right, with the interval of their share: `12 of 14 right (86 % [57, 98])`."""
        return _right(self.right, self.patients, self.accuracy)


class PatientScore(Settings):
    """How the patients fared whose images were scored.

    A patient's answer is the class with the highest mean probability over his or her scored images, the truth the one label
    that these have. Nothing is promised of such answers.
    """

    called: str  # what one of them is in words: a patient, or a volume whose patient is not known
    patients: int  # that are scored
    right: int
    mixed: int  # patients who are left out, since their images have different labels
    unknown: int  # images that are left out, since nobody knows whose they are
    accuracy: Interval
    classes: tuple[PatientClassScore, ...]

    @property
    def words(self) -> str:
        """What they are called, more than one of them."""
        return patient_words(self.called)

    @property
    def brief(self) -> str:
        """How many were right, with the interval of their share: `50 of 56 right (89 % [78, 96])`."""
        return _right(self.right, self.patients, self.accuracy)

    @property
    def sentence(self) -> str:
        """What was right, by what, and what was left out."""
        by = ", by the mean probability of each one's scans" if self.patients else ""
        return f"{self.brief}{by}{self.left_out}"

    @property
    def left_out(self) -> str:
        """What was left out, to go on a sentence with: `; 3 whose scans have different labels are left out`."""
        mixed = f"; {self.mixed:,} whose scans have different labels {_are(self.mixed)} left out" if self.mixed else ""
        unknown = f"; {counted(self.unknown, 'scan')} whose patient is not known {_are(self.unknown)} left out"
        return mixed + (unknown if self.unknown else "")


def patient_score(dataset: Snapshot, rows: Rows, probabilities: Probabilities, labels: Labels) -> PatientScore | None:
    """Return how the patients of the rows (N,) fared; None where none of them has several.

    probabilities: (N, K); labels: (N,). The interval is over groups, since copies may tie patients together.
    """
    whose = dataset.manifest["patient"].iloc[rows].reset_index(drop=True)
    known = np.flatnonzero(whose.notna())
    answers = _Answers.of(whose.iloc[known], probabilities[known], labels[known], dataset.groups[rows[known]])
    if len(answers.label) == len(known):
        return None
    scored = answers.label >= 0
    label, right, groups = answers.label[scored], answers.right[scored], answers.groups[scored]
    classes = probabilities.shape[1]
    patients, hits = _counts(label, right, classes)
    intervals = _intervals(label, right, groups, classes)
    return PatientScore(
        called=patient_word(is_known(whose.iloc[known])),
        patients=len(label),
        right=int(right.sum()),
        mixed=int((~scored).sum()),
        unknown=len(rows) - len(known),
        accuracy=intervals.get("accuracy", NOT_DEFINED),
        classes=tuple(
            PatientClassScore(
                name=name,
                patients=int(patients[number]),
                right=int(hits[number]),
                accuracy=intervals.get(f"sensitivity/{number}", NOT_DEFINED),
            )
            for number, name in enumerate(dataset.classes)
        ),
    )


class _Answers(NamedTuple):
    """Of P patients, each (P,): the one label of their images, -1 where these differ, whether it was said, and the group."""

    label: Labels
    right: npt.NDArray[np.bool_]
    groups: Rows

    @classmethod
    def of(cls, whose: pd.Series, probabilities: Probabilities, labels: Labels, groups: Rows) -> "_Answers":
        """Answer by the mean of each one's images; whose (N,), probabilities (N, K), labels (N,) and groups (N,) are theirs."""
        by_patient = pd.DataFrame(probabilities.astype(np.float64)).groupby(whose.to_numpy(object), sort=False)
        said = by_patient.mean().to_numpy().argmax(axis=1) if len(labels) else np.zeros(0, np.int64)
        facts = pd.DataFrame({"label": labels, "group": groups}).groupby(whose.to_numpy(object), sort=False)
        first, least, most = (getattr(facts, one)() for one in ("first", "min", "max"))
        label = np.where(least["label"] == most["label"], least["label"], -1).astype(np.int64)
        return cls(label, said == label, first["group"].to_numpy(np.int64))


def _intervals(label: Labels, right: npt.NDArray[np.bool_], groups: Rows, classes: int) -> dict[str, Interval]:
    """Return the share of patients who are right, of all and of each class, over groups (P,); nothing of no patients."""
    if not len(label):
        return {}

    def score(positions: Rows) -> Mapping[str, float]:
        patients, hits = _counts(label[positions], right[positions], classes)
        with np.errstate(invalid="ignore", divide="ignore"):
            own = hits / patients
        return {"accuracy": float(right[positions].mean())} | {f"sensitivity/{k}": float(own[k]) for k in range(classes)}

    return bootstrap(score, groups, weights=weights(label, classes))


def _counts(label: Labels, right: npt.NDArray[np.bool_], classes: int) -> tuple[Scores, Scores]:
    """Return (K,) how many patients each class has, and how many of these are right."""
    patients, hits = np.bincount(label, minlength=classes), np.bincount(label, right, minlength=classes)
    return patients.astype(np.float64), hits.astype(np.float64)


def _right(right: int, of: int, share: Interval) -> str:
    return f"{right:,} of {of:,} right ({share.said(100, 0, ' %')})" if of else "none to score"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
