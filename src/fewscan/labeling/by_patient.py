"""One answer for each patient from the labels of single scans, in a table beside theirs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa

from fewscan.config import Settings
from fewscan.errors import FewscanError
from fewscan.evaluation.calibration import Calibration
from fewscan.evaluation.evaluate import Evaluation
from fewscan.images.patients import patient_words
from fewscan.labeling.table import read_table
from fewscan.labeling.whose import Whose
from fewscan.training.run import Run
from fewscan.wording import counted

# Of these decisions on scans a patient's answer is made.
COUNTED = ("accept", "review")
_COUNTS = ("counted", "accepted", "review", "seen")


class PatientLabels(Settings):
    """What `label` wrote of patients, where some have several scans."""

    out: str
    called: str  # what one of them is in words: a patient, or a volume whose patient is not known
    patients: int
    several: int  # of these, with several scans
    measured: str | None  # what the run's evaluation says of such answers; None where it says nothing of those of today

    @classmethod
    def of(cls, run: Run, whose: Whose, out: Path) -> Self:
        """Describe a table of the patients of scans at `out`; raises FewscanError where the run's evaluation is damaged."""
        evaluation = Evaluation.load(run)
        measured = None
        if evaluation is not None and evaluation.patients is not None and evaluation.is_under(Calibration.load(run)):
            measured = f"{evaluation.patients.brief} {evaluation.place}"
        return cls(
            out=str(out), called=whose.called, patients=int(whose.numbers.max()), several=whose.several, measured=measured
        )

    @property
    def sentence(self) -> str:
        """Where the answers are, what they are, and that nothing is promised of them."""
        several = patient_words(self.called)
        known = f"measured by 'evaluate': {self.measured}" if self.measured else "how often they are right was not measured"
        return (
            f"one answer for each of {counted(self.patients, self.called, several)}, by the mean probability of the scans: "
            f"{self.out}. An error rate is promised for single scans only, not for these answers; {known}"
        )

    def table(self) -> pd.DataFrame:
        """Return the table that was written, one row per patient."""
        return read_table(Path(self.out))


def is_patient_table(path: Path) -> bool:
    """Return whether a file is a table that `patient_table` returned, perhaps saved by a spreadsheet since."""
    try:
        return {"patient", "scans_counted"} <= {*read_table(path).columns}
    except FewscanError:
        return False


def patient_table(parts: Iterable[pa.Table], whose: Whose, names: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return the table of patients that rows of a table of labels, part by part, come to.

    names: (N,) of the scans; whose: whose these are. The mean is over the scans of COUNTED decisions; where there are none,
    label and probabilities are empty. Of the parts only sums are kept.
    """
    patients = int(whose.numbers.max())
    columns = [f"probability_{name}" for name in classes]
    sums = np.zeros((patients, len(classes)))
    counts = pd.DataFrame(0, index=range(patients), columns=["scans", *(f"scans_{what}" for what in _COUNTS)])
    for part in parts:
        frame = part.to_pandas(use_threads=False).dropna(subset="patient")
        at, decision = frame["patient"].to_numpy(np.int64) - 1, frame["decision"]
        taken = decision.isin(COUNTED)
        np.add.at(sums, at[taken], frame.loc[taken, columns].to_numpy(np.float64))
        which = (decision.notna(), taken, decision == "accept", decision == "review", frame["seen"].notna())
        for name, rows in zip(counts.columns, which, strict=True):
            counts[name] += np.bincount(at[rows], minlength=patients)
    with np.errstate(invalid="ignore"):
        means = pd.DataFrame(sums / counts[["scans_counted"]].to_numpy(), columns=columns)
    label = pd.Series(np.array(classes, dtype=object)[sums.argmax(axis=1)], dtype="str").where(counts["scans_counted"] > 0)
    # Numbers are in the order of first scans.
    places = np.unique(whose.numbers, return_index=True)[1][-patients:]
    table = pd.DataFrame({"patient": np.arange(1, patients + 1), "path": [names[place] for place in places], "label": label})
    return pd.concat([table, means, counts], axis=1)
