"""Whose images are whose: patients' names, and the scopes that they mean something in."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import pandas as pd

from fewscan.images.part_names import given_split
from fewscan.images.sources import ScanFile
from fewscan.images.spelling import plainly
from fewscan.wording import counted

HEX_DIGITS = 16
# What the hash begins with where nobody said whose a file is, and the file stands for its patient.
FILE_PREFIX = "file-"

# Zeros before a number, as in `P007`, and those that a spreadsheet puts behind a whole one, as in `7.0`.
_ZEROS_BEFORE = re.compile(r"(?<![\d.])0+(?=\d)")
_ZEROS_BEHIND = re.compile(r"^(\d+)[.,]0+$")


class KnownPatients(NamedTuple):
    """How many of the images that were not set aside have a known patient, and how many patients these are."""

    images: int
    with_patient: int
    patients: int

    @property
    def sentence(self) -> str:
        """Say what is known, and so what a split can keep together."""
        if not self.with_patient:
            none = f"The patient is known for none of {counted(self.images, 'image')}"
            return f"{none}: a split keeps copies together, but not patients."
        known = f"The patient is known for {self.with_patient:,} of {counted(self.images, 'image')}"
        of = counted(self.patients, "patient")
        rest = "" if self.with_patient == self.images else " Images of unknown patients may end up on both sides of a split."
        return f"{known} ({of}).{rest}"


def known_patients(manifest: pd.DataFrame) -> KnownPatients:
    """Count the images of a manifest whose patient a header or a CSV gives; a file that stands for its patient gives none."""
    patients = manifest.loc[manifest["set_aside"].isna(), "patient"]
    known = patients[is_known(patients)]
    return KnownPatients(len(patients), len(known), int(known.nunique()))


def patients_by_class(images: pd.DataFrame) -> dict[str, int]:
    """Return how many known patients each class has among some images of a manifest."""
    labeled = images[images["label"].notna() & is_known(images["patient"])]
    return {str(name): int(patients) for name, patients in labeled.groupby("label")["patient"].nunique().items()}


def is_known(patients: pd.Series) -> pd.Series:
    """Say of every value of a manifest's column `patient` whether it is a patient, not a file that stands for one."""
    return patients.notna() & ~patients.str.startswith(FILE_PREFIX).fillna(False).astype(bool)


def patient_word(known: Iterable[bool]) -> str:
    """Return what stands for patients here, by whether each is known: a patient, otherwise a volume of an unknown one."""
    kinds = {*known}
    return "patient or volume" if len(kinds) > 1 else "volume" if False in kinds else "patient"


def patient_words(called: str) -> str:
    """Return what several of them are called; called: as `patient_word` returns it."""
    return " or ".join(f"{word}s" for word in called.split(" or "))


@lru_cache(maxsize=10_000)  # a patient's slices come one after the other
def patient_key(written: str) -> str | None:
    """Return what all spellings of one patient have in common, or None where nothing is written.

    Upper and lower case, spaces, the `^` that DICOM parts names with, zeros before a number and `.0` or `,0` behind it tell no
    two patients apart: `0012`, `12`, ` 12`, `12^`, `12.0` are one. Nor do signs that look alike (`plainly`) or mean the same.
    To take two patients for one only costs images; to take one for two leaks.
    """
    text = " ".join(unicodedata.normalize("NFKC", plainly(written)).replace("^", " ").split()).casefold()
    return _ZEROS_BEFORE.sub("", _ZEROS_BEHIND.sub(r"\1", text)) or None


def names_of(scan: ScanFile) -> list[tuple[str, str]]:
    """Return the patient's name in every scope that it means something in, its source's first, and other names."""
    if scan.patient is None:
        return []
    name = patient_key(scan.patient) if scan.patient_known else scan.patient
    own = scopes_of(scan.source) if scan.patient_known else scopes_of(scan.source)[:1]
    also = ((scope, key) for scope, said in scan.patient_also if (key := patient_key(said)) is not None)
    return [] if name is None else [*((scope, name) for scope in (*own, *scan.patient_scopes)), *also]


def scopes_of(source: str) -> list[str]:
    """Return the scopes that a patient's name means something in wherever it stands in this source, the source's first."""
    return [f"source {source}", *(["parts of one set"] if given_split(source) is not None else [])]
