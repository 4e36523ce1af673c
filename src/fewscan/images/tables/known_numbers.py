"""One kind of numbers of scans, such as accession numbers: which images have the same one, and which texts mean it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fewscan.images.formats.image import HEADER_NUMBERS
from fewscan.images.patients import patient_key
from fewscan.images.sources import ScanFile
from fewscan.images.tables.column_names import TOLD_PATIENT


class KnownNumbers:
    """One of NUMBERS: the `count` sets of images that have the same one, and which text means which of them.

    set_of_image: (images,) the set that each image is in, -1 for none.
    """

    def __init__(self, scans: Sequence[ScanFile], number: str) -> None:
        """Look at the scans, as they were listed."""
        self._written: dict[str, int] = {}
        self._spelled: dict[str, int | None] = {}  # of each key its set, None where it has several
        self.set_of_image = np.full(len(scans), -1)
        for image, scan in enumerate(scans):
            written = _number_of(scan, number)
            # What is set aside gets no label, and may have a number by its folder alone that its study has in headers.
            if (key := patient_key(written)) is None or scan.set_aside is not None:
                continue
            # All spellings of a patient's number are one patient. Two studies that differ so are two.
            is_patient = number in ("PatientID", TOLD_PATIENT)
            one = self._written.setdefault(key if is_patient else written, len(self._written))
            if self._spelled.setdefault(key, one) != one:
                self._spelled[key] = None
            self.set_of_image[image] = one
        self.count = len(self._written)
        self.texts = tuple(self._written)
        self._order = np.argsort(self.set_of_image, kind="stable")
        self._starts = np.searchsorted(self.set_of_image[self._order], np.arange(self.count + 1))

    def images(self, one: int) -> npt.NDArray[np.int64]:
        """Return the positions, ascending, of the images of a set."""
        return self._order[self._starts[one] : self._starts[one + 1]]

    def set_of(self, text: str | None) -> int | None:
        """Return which set of images a text means, however it is spelled unless that tells two of them apart; None for none."""
        one = None if text is None else self._spelled.get(patient_key(text) or "")
        return self._written.get(text) if one is None and text is not None else one


def _number_of(scan: ScanFile, number: str) -> str:
    """Return one of NUMBERS of a scan, "" where it has none; a patient whom its header's numbers tell is told there."""
    if number != TOLD_PATIENT:
        return scan.numbers[HEADER_NUMBERS.index(number)] if scan.numbers else ""
    told = scan.patient if scan.patient_known and scan.patient is not None else ""
    return "" if patient_key(told) in map(patient_key, scan.numbers) else told
