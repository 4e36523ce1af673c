"""What a table's columns hold that names of files hold, too -> the pattern by which names tell patients."""

import re
from collections import Counter
from collections.abc import Sequence

from fewscan.images.patients import patient_key
from fewscan.images.tables.column_names import names_headers
from fewscan.images.tables.reading import Cells, cell

_DIGITS = re.compile(r"\d+")


def patients_in_names(cells: Cells, files: Sequence[str]) -> str:
    """Return what to add to a message where names of files hold a column's numbers of patients; "" where none does.

    files: paths below their sources.
    """
    for at, column in enumerate(cells.columns):
        values = [text for _, row in cells.rows if (text := cell(row, at)) is not None]
        if names_headers(column) and (pattern := _pattern(values, files)):
            return f"; names of files hold numbers of '{column}': if these are patients, give --patient-from '{pattern}'"
    return ""


def _pattern(values: Sequence[str], files: Sequence[str]) -> str | None:
    """Return a pattern that finds in files' names one of `values` where most are made alike; None where it finds few.

    No value itself is in it: digits are only counted as such, and a value without any is a name.
    """
    shapes = Counter(_DIGITS.sub(r"\\d+", re.escape(value)) for value in values)
    shape, alike = shapes.most_common(1)[0] if shapes else ("", 0)
    if r"\d+" not in shape or 2 * alike < len(values):
        return None
    # Not the end of a word, such as T1.
    pattern = rf"(?:\b|_)({shape})"
    told = {patient_key(match[1]) for file in files if (match := re.search(pattern, file))}
    known = {patient_key(value) for value in values}
    found = told & known
    return pattern if found and 2 * len(found) >= min(len(known), len(set(files))) else None
