"""What columns of tables are called, in the ways that people and programs write them."""

import difflib
import re
from collections.abc import Sequence

from fewscan.errors import FewscanError
from fewscan.images.formats.image import HEADER_NUMBERS
from fewscan.images.tables.reading import Cells, cell, plain
from fewscan.wording import listed

# What columns are commonly called, without case, spaces and punctuation; the first of each goes before the others.
COMMON_NAMES = {
    "path": (
        *(
            "path",
            "file",
            "filename",
            "filepath",
            "filelocation",
            "image",
            "imagepath",
            "imagefile",
            "imagefilename",
            "imageid",
        ),
        *(
            "imagename",
            "imageindex",
            "img",
            "imgpath",
            "imgname",
            "imgid",
            "picture",
            "scan",
            "slice",
            "dicom",
            "isicid",
            "png",
        ),
    ),
    "label": (
        *("label", "labels", "class", "classname", "category", "diagnosis", "dx", "target", "finding", "findings"),
        *("findinglabel", "findinglabels", "groundtruth"),
    ),
    "patient": ("patient", "patientid", "patientnumber", "patientname", "pid", "subject", "subjectid", "participantid"),
    "split": ("split", "subset", "partition"),
}
# What they are called in German, where no column is called as above.
GERMAN_NAMES: dict[str, tuple[str, ...]] = {
    "path": ("datei", "dateiname", "dateipfad", "pfad", "bild", "bilddatei", "bildname"),
    "label": ("befund", "befunde", "diagnose", "klasse"),
}
# Of fewscan's own tables: what is said beside a label.
_BESIDE_LABELS = ("labelstate", "labelprobability")
# A column is called like one of labels where it is as like as that to one of the common names, or holds one that is so long.
_AS_LIKE = 0.8
_SO_LONG = 5
# A column is one of patients by such a word, and what numbers and codes are called behind it: PatientenID, Pat.-Nr., MRN. With
# anything before, `inpatient` too, and where it numbers cases, of which a patient may have several, it is only called like one.
_CODE = r"(u?id|nr|no|n[uú]m(ber|mer|[eé]ro)?|code|key|hash|name|nombre)"
# Before the word: ID del paciente, nom du patient.
_CODE_OF = r"(u?id|n[uú]m([eé]ro)?|code|name|nombre|nom)(of|de|del|du|des|della?|d)?"
_PERSON = r"(patient|subject|participant|proband|paciente|paziente)(s|in|en|innen)?"
_PATIENTS = rf"{_PERSON}{_CODE}?|{_CODE_OF}{_PERSON}|pat{_CODE}|mrn|(medical)?recordnumber"
_OF_PATIENTS = re.compile(_PATIENTS)
_LIKE_PATIENTS = re.compile(rf".*({_PATIENTS})|case(id|no|number)|fall(id|nr|nummer)")
# The patient's number that names of files or folders tell, or a header that holds none of HEADER_NUMBERS.
TOLD_PATIENT = "patient"
# All that a row may name images by, in place of a path: the finer ones first.
NUMBERS = (*HEADER_NUMBERS, TOLD_PATIENT)
# Numbers that stand in headers of DICOM files, besides the patient's.
_OF_HEADERS = re.compile(
    r"accession(nr|no|number|nummer|id)?|acc(nr|no|number|id)|zugangs(nr|nummer)|(study|series|sop)(instance)?uid"
)
# Numbers of studies have more digits than ages, weights and years, and dates have as many.
_DIGIT, _DIGITS = re.compile(r"\d"), 5
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?|\d\d?[./]\d\d?[./]\d\d")


def names_patients(column: str) -> bool:
    """Return whether a column is called as those of patients commonly are."""
    return plain(column) in COMMON_NAMES["patient"]


def called_patient(column: str) -> bool:
    """Return whether a column is surely one of patients, by its name."""
    return names_patients(column) or _of_patients(column, _OF_PATIENTS)


def like_patients(column: str) -> bool:
    """Return whether a column is called like one of patients, and may be one of cases."""
    return _of_patients(column, _LIKE_PATIENTS)


def names_headers(column: str) -> bool:
    """Return whether a column is called as one of numbers that stand in headers, and name no file."""
    return called_patient(column) or _OF_HEADERS.fullmatch(plain(column)) is not None


def may_be_finer(cells: Cells, at: int) -> bool:
    """Return whether a column may hold numbers of studies, series or files: by its name, or by most of its cells."""
    if called_patient(cells.columns[at]):
        return False
    texts = [text for _, row in cells.rows if (text := cell(row, at)) is not None]
    like = sum(len(_DIGIT.findall(text)) >= _DIGITS and not _DATE.match(text) for text in texts)
    return names_headers(cells.columns[at]) or 2 * like > len(cells.rows)


def with_number(columns: Sequence[str], written: str) -> tuple[str, str] | None:
    """Return the column of NAME=NUMBER and which number it holds; None where it is not written so.

    Raises FewscanError where NUMBER is none of NUMBERS.
    """
    name, _, asked = written.rpartition("=")
    if written in columns or name not in columns or not name:
        return None
    number = next((one for one in NUMBERS if plain(one) == plain(asked)), None)
    if number is None:
        raise FewscanError(f"--path-column '{written}': '{asked}' is none of {listed(NUMBERS)}")
    return name, number


def _of_patients(name: str, pattern: re.Pattern[str]) -> bool:
    return pattern.fullmatch(plain(name)) is not None and not may_be_data(name)


def like_labels(name: str) -> bool:
    """Return whether a column is called like one of labels, or holds a word for them in its name."""
    text, common = plain(name), (*COMMON_NAMES["label"], *GERMAN_NAMES["label"])
    if text in _BESIDE_LABELS or may_be_data(name):
        return False
    return any(len(one) >= _SO_LONG and one in text for one in common) or bool(
        difflib.get_close_matches(text, common, n=1, cutoff=_AS_LIKE)
    )


def may_be_data(name: str) -> bool:
    """Return whether a name may be a patient's number: of a table whose first line names no columns."""
    return any(letter.isdigit() for letter in name)
