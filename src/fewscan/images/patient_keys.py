"""The patients that a dataset knows, kept beside it: a patient who comes again is the same one.

Of names only keyed hashes are kept, and the key with them. Whoever has this file and guesses a name can tell whether it is
among the patients; whoever has the dataset without it cannot. It is needed to add scans, and to enter labels by patients.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self

import pyarrow as pa
from scipy.cluster.hierarchy import DisjointSet

from fewscan.atomic import replaced_file
from fewscan.errors import FewscanError
from fewscan.images.patients import FILE_PREFIX, HEX_DIGITS, names_of, scopes_of
from fewscan.images.sources import ScanFile
from fewscan.parquet import parquet_content, parquet_table

KEYS_FILE = "patients.parquet"
# Of a patient: the scope that it means something in, and the name.
Name = tuple[str, str]
_SALT = b"salt"
_ANEW = "restore it, or import all scans again"


def same_patients(scans: Sequence[ScanFile]) -> "DisjointSet":
    """Return the names of scans' patients (`names_of`), those of one patient being one set: a scan's names tie them."""
    same = DisjointSet()
    tied = set()  # most scans have the names of another one
    for scan in scans:
        names = tuple(names_of(scan))
        if names in tied:
            continue
        tied.add(names)
        for name in names:
            same.add(name)
            same.merge(names[0], name)
    return same


@dataclass
class PatientKeys:
    """Keyed hash of a patient's name in a scope -> the hash that stands for the patient in tables of images."""

    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    patients: dict[str, str] = field(default_factory=dict, repr=False)

    def hashed(self, scans: Sequence[ScanFile]) -> Iterator[str | None]:
        """Yield a keyed hash of every image's patient, or None: equal where two images are one patient's, known before or not.

        One name, however it is written (`patient_key`), is one patient within a source, within a CSV and among the headers of
        one format (the scopes of a `ScanFile`), among sources that are called train, test and the like, and so is a name that
        links two of these, as where a CSV names files of two sources. Columns of tables, each of its own, link as well:
        one table may be read by an ID and another by a name.

        Raises FewscanError where such a link makes one of two patients that were known as two.
        """
        same = same_patients(scans)
        if self.patients:
            self._take_over(same)
        hash_of = lru_cache(maxsize=10_000)(self._hash)  # a patient's slices come one after the other
        for scan in scans:
            names = names_of(scan)
            if not names:
                yield None
                continue
            root = hash_of(same[names[0]])
            if not scan.patient_known:
                yield FILE_PREFIX + root[:HEX_DIGITS]
                continue
            patient = self.patients.get(root, root[:HEX_DIGITS])
            for name in names:
                self.patients[hash_of(name)] = patient
            yield patient

    def known(self, source: str, patient: str) -> str | None:
        """Return what stands for a patient in tables of images, by the key of how a source calls one (`patient_key`)."""
        return self.patients.get(self._hash((scopes_of(source)[0], patient)))

    def recognized(self, same: "DisjointSet") -> Mapping[Name, set[str]]:
        """Return what stands for each patient in tables of images, by the root of his or her names; only for those known.

        same: as `same_patients` returns it. There are several where what is two patients in the dataset is one by these names.
        """
        found: dict[Name, set[str]] = {}
        for names in same.subsets():
            if known := {self.patients[one] for name in names if (one := self._hash(name)) in self.patients}:
                found[same[next(iter(names))]] = known
        return found

    def _take_over(self, same: "DisjointSet") -> None:
        """Give to the root of every set of names the patient that one of them is known as."""
        found = self.recognized(same)
        for root, known in found.items():
            if len(known) == 1:
                self.patients[self._hash(root)] = next(iter(known))
        if twice := sum(len(known) > 1 for known in found.values()):
            raise FewscanError(
                f"{twice} of the patients are two or more in the dataset, but one in the tables or headers of the new scans: "
                "import all scans again so that each patient's scans stay together, or choose the column that tells them "
                "apart with --patient-column"
            )

    def _hash(self, name: Name) -> str:
        return hmac.new(self.salt, json.dumps(name).encode(), hashlib.sha256).hexdigest()

    def save(self, folder: Path) -> None:
        """Write the file into a dataset's folder, for its owner's eyes; nothing where no patient is known."""
        if not self.patients:
            return
        table = pa.table({"name": list(self.patients), "patient": list(self.patients.values())})
        with replaced_file(folder / KEYS_FILE) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_bytes(parquet_content(table, {_SALT: self.salt.hex()}))

    @classmethod
    def load(cls, folder: Path, *, needed: bool) -> Self:
        """Read the file of a dataset, where it has one; `needed`: whether it must have one.

        Raises FewscanError where that is missing or damaged.
        """
        path = folder / KEYS_FILE
        try:
            table = parquet_table(path.read_bytes())
            salt = bytes.fromhex(table.schema.metadata[_SALT].decode())
            return cls(salt, dict(zip(table["name"].to_pylist(), table["patient"].to_pylist(), strict=True)))
        except FileNotFoundError:
            if needed:
                raise FewscanError(f"{path} is missing, so patients who come again cannot be recognized: {_ANEW}") from None
            return cls()
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
            raise FewscanError(f"{path} cannot be read, so patients who come again cannot be recognized: {_ANEW}") from None
