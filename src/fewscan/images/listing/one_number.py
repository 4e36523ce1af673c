"""Whether headers give most patients one number, as some anonymization does."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from fewscan.images.patients import patient_key
from fewscan.images.sources import ScanFile
from fewscan.wording import counted

# One patient with most images and so many studies is rather the name that anonymizing gave to several.
_MANY_STUDIES = 10


def one_number_for_all(known: Sequence[ScanFile], images: int) -> Iterator[str]:
    """Yield a line where most of so many images are one patient's by their headers, and of many studies.

    known: those whose patient is known.
    """
    studies: dict[str | None, set[str]] = defaultdict(set)
    for scan in known:
        if scan.study is not None:
            studies[patient_key(scan.patient or "")].add(scan.study)
    if not studies:
        return
    patient, most = max(studies.items(), key=lambda item: len(item[1]))
    theirs = sum(patient_key(scan.patient or "") == patient for scan in known)
    alone = theirs == images and len(most) > 1
    if alone or (theirs > images / 2 and len(most) >= _MANY_STUDIES):
        yield (
            f"according to their headers, {theirs:,} of {counted(images, 'image')} belong to one patient, but to "
            f"{counted(len(most), 'study', 'studies')}: if anonymization gave many patients one number, give "
            "--patient-tag study"
        )
