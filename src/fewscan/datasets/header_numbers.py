"""The numbers in the headers of a dataset's files, read again where they lie, and its patients' numbers: it keeps none."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import pandas as pd

from fewscan.errors import FewscanError
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import holds_one_image
from fewscan.images.listing.contents import look_into
from fewscan.images.patient_keys import PatientKeys
from fewscan.images.patients import patient_key
from fewscan.images.readers import sha256_of_images
from fewscan.images.sources import ScanFile
from fewscan.wording import counted

_INSTEAD = "put back what was imported (a link to where it is now will do), or name files in the table"


def with_set_aside(scans: Sequence[ScanFile], set_aside: pd.Series) -> list[ScanFile]:
    """Return images of a dataset with the reasons why those that are set aside are so."""
    return [
        replace(scan, set_aside=None if pd.isna(reason) else str(reason)) for scan, reason in zip(scans, set_aside, strict=True)
    ]


def with_numbers(scans: Sequence[ScanFile], hashes: pd.Series, reading: Reading) -> list[ScanFile]:
    """Return images of a dataset, those that are not set aside with the numbers of their files' headers.

    hashes: of each, the SHA-256 that it was imported with.
    Raises FewscanError where a file that may have some is gone, or was readable and is not: its image would keep its label,
    others of its number not.
    """
    files = {
        (scan.source, scan.file): ScanFile(scan.source, scan.file, scan.path)
        for scan in scans
        if scan.set_aside is None and not holds_one_image(scan.path)
    }
    if gone := [file for file in files.values() if not file.path.is_file()]:
        raise FewscanError(
            f"numbers in headers are read from files again: {len(gone):,} of {counted(len(files), 'file')} are missing, "
            f"such as {gone[0].path}: {_INSTEAD}"
        )
    looked = look_into(list(files.values()), (), reading, numbers=True)
    unread = {(image.source, image.file) for image in looked if image.set_aside is not None}
    if unread:
        places = [at for at, scan in enumerate(scans) if (scan.source, scan.file) in unread]
        require_same_files([scans[at] for at in places], hashes.iloc[places])
    numbers = {(image.source, image.file): image.numbers for image in looked}
    return [replace(scan, numbers=numbers.get((scan.source, scan.file), ())) for scan in scans]


def with_patients(scans: Sequence[ScanFile], patients: pd.Series, keys: PatientKeys, texts: Collection[str]) -> list[ScanFile]:
    """Return images of a dataset with their patients' numbers, as far as these are among `texts`.

    patients: of each image, what stands for its patient in the dataset. keys: by which a number is recognized.
    """
    sources = {scan.source for scan in scans}
    numbers = {key: text for text in texts if (key := patient_key(text)) is not None}
    told = {(source, keys.known(source, key)): text for key, text in numbers.items() for source in sources}
    return [
        replace(scan, patient=None if pd.isna(patient) else told.get((scan.source, patient)))
        for scan, patient in zip(scans, patients, strict=True)
    ]


def require_same_files(scans: Sequence[ScanFile], hashes: pd.Series) -> None:
    """Raise FewscanError where a file that may have a header does not have the SHA-256 any more that it was imported with."""
    expected = {scan.path: sha256 for scan, sha256 in zip(scans, hashes, strict=True) if not holds_one_image(scan.path)}
    if other := [path for path, sha256 in expected.items() if sha256_of_images(path) != sha256]:
        are = "is" if len(other) == 1 else "are"
        raise FewscanError(
            f"numbers in headers are read from files again: {counted(len(other), 'file')} {are} not what was imported, such as "
            f"{other[0]}: {_INSTEAD}"
        )
