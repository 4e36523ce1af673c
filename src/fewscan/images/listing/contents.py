"""Files -> the images that they hold, and what they say of these themselves."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from fewscan.errors import FewscanError
from fewscan.images.formats.image import Contents, UnreadableImage
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.recognition import contents_of, holds_one_image, require_packages, silenced
from fewscan.images.guarded import guarded
from fewscan.images.options import PatientTag
from fewscan.images.parallel import in_order
from fewscan.images.patients import patient_key
from fewscan.images.sources import ScanFile, Source
from fewscan.progress import track

# Which tag of a header says whose a file is -> where the patient comes from, in words.
_HEADERS: dict[str | None, str] = {
    "patient": "the files' headers",
    "study": "the studies in the files' headers",
    "series": "the series in the files' headers",
}
# Fewer files are looked into before a progress bar would be read.
_FILES_WITHOUT_BAR = 20


def look_into(
    scans: Sequence[ScanFile],
    sources: Sequence[Source],
    reading: Reading,
    tag: PatientTag = "patient",
    workers: int | None = None,
    *,
    numbers: bool = False,
) -> list[ScanFile]:
    """List the images of each file in its place, with what the file says of them.

    tag: which tag of a header tells patients apart. numbers: whether the numbers of headers are kept (`ScanFile.numbers`).
    A file that cannot be looked into is set aside. Raises FewscanError where a format needs a package that is not installed.
    """
    scans = [scan if (reason := _missing(scan)) is None else replace(scan, set_aside=reason) for scan in scans]
    to_open = [scan for scan in scans if scan.set_aside is None and not holds_one_image(scan.path)]
    if not to_open:
        return list(scans)
    require_packages([scan.path for scan in to_open])
    unlabeled = {source.name for source in sources if not source.labeled}
    looking = in_order(partial(_contents, reading=reading), [scan.path for scan in to_open], workers=workers)
    found: dict[ScanFile, list[ScanFile]] = {}
    counted = to_open if len(to_open) <= _FILES_WITHOUT_BAR else track(to_open, "looking into files", total=len(to_open))
    with silenced(), closing(looking) as looked_into:
        for scan, contents in zip(counted, looked_into, strict=True):
            if isinstance(contents, UnreadableImage):
                found[scan] = [replace(scan, set_aside=contents.reason)]
            else:
                # One text for all files of a study.
                kept = replace(contents, numbers=tuple(map(sys.intern, contents.numbers)) if numbers else ())
                found[scan] = _images(scan, kept, tag, labeled=scan.source not in unlabeled)
    listed = _by_one_patient([image for scan in scans for image in found.get(scan, [scan])])
    _check_unique(listed)
    return listed


def _missing(scan: ScanFile) -> str | None:
    """Return why a file is none that is worth opening: it is not there, or empty."""
    if scan.set_aside is not None:
        return scan.set_aside
    try:
        return None if scan.path.stat().st_size or not scan.path.is_file() else "empty file"
    except FileNotFoundError:
        return "no such file"
    except OSError:
        # What is wrong is said when it is opened.
        return None


def _contents(path: Path, reading: Reading) -> Contents | UnreadableImage:
    try:
        return guarded(contents_of, path.absolute(), reading)
    except UnreadableImage as unreadable:
        return unreadable


def _images(scan: ScanFile, contents: Contents, tag: PatientTag, *, labeled: bool) -> list[ScanFile]:
    labels = contents.labels if labeled else None
    splits = contents.given_splits or (scan.given_split,) * len(contents.parts)
    found = _patient(contents, tag)
    known = found is not None
    scopes = (contents.patient_scope,) if known and contents.patient_scope else ()
    patient, whence = found or (None, None)
    if not known and contents.one_head and contents.parts != (None,):
        # The slices of a file whose patient is not known are still one head's.
        patient = f"file {scan.relative}"
    return [
        replace(
            scan,
            relative=scan.relative if part is None else f"{scan.relative}#{part}",
            part=part,
            label=scan.label if label is None else label,
            label_from=scan.label_from if label is None else "file",
            given_split=given_split,
            notes=contents.notes,
            patient=patient,
            patient_known=known,
            patient_from=_HEADERS.get(whence),
            patient_also=tuple((scope, name) for scope in scopes for name in _within(contents, whence)),
            study=contents.study,
            numbers=contents.numbers,
            patient_scopes=scopes,
        )
        for part, label, given_split in zip(contents.parts, labels or (None,) * len(contents.parts), splits, strict=True)
    ]


def _patient(contents: Contents, tag: PatientTag) -> tuple[str, str] | None:
    """Return what the header says of whose the file is, and which tag says so; lacking the tag that was asked for, another."""
    order: dict[PatientTag, Sequence[str]] = {
        "patient": ("patient", "study", "series"),
        "study": ("study", "series"),
        "series": ("series", "study"),
        "none": (),
    }
    said = {"patient": contents.patient, "study": contents.study, "series": contents.series}
    if tag != "none" and contents.study is None and contents.series is None:
        # A format without studies can only name the patient.
        return None if contents.patient is None else (contents.patient, "patient")
    names = ((said[name], name) for name in order[tag])
    return next(((name, of) for name, of in names if name is not None and patient_key(name) is not None), None)


def _within(contents: Contents, taken: str | None) -> list[str]:
    """Return what the header calls all that is within what it was `taken` by: the patient's study, and the study's series."""
    named = {"study": contents.study, "series": contents.series}
    below = {"patient": ("study", "series"), "study": ("series",)}.get(str(taken), ())
    return [name for tag in below if (name := named[tag]) is not None]


def _by_one_patient(scans: Sequence[ScanFile]) -> list[ScanFile]:
    """Return the images without studies and series that several patients have, as where all were made after one file."""
    whose: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for scan in scans:
        for name in scan.patient_also:
            whose[name].add(patient_key(str(scan.patient)))
    several = {name for name, patients in whose.items() if len(patients) > 1}
    if not several:
        return list(scans)
    return [replace(scan, patient_also=tuple(name for name in scan.patient_also if name not in several)) for scan in scans]


def _check_unique(scans: Sequence[ScanFile]) -> None:
    first: dict[tuple[str, str], ScanFile] = {}
    for scan in scans:
        if first.setdefault((scan.source, scan.relative), scan) is not scan:
            raise FewscanError(f"'{scan.relative}' names both a file and an image inside another file: rename the file")
