"""Numbers of scans, such as an accession number in headers -> which column of a table holds them, and which images it means.

These are HEADER_NUMBERS and, where a scan's patient is known otherwise, as by its file's name, the patient. They are compared
in memory as patients are (`patient_key`). No place, note or message holds one.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from fewscan.errors import FewscanError
from fewscan.images.formats.image import HEADER_NUMBERS
from fewscan.images.patients import patient_key
from fewscan.images.sources import ScanFile
from fewscan.images.table_rows import TableRows
from fewscan.images.tables.column_names import NUMBERS, TOLD_PATIENT, may_be_data, may_be_finer, names_headers, with_number
from fewscan.images.tables.columns import NoFileNamedError
from fewscan.images.tables.cut import REMEDY, cut_from, left_of
from fewscan.images.tables.known_numbers import KnownNumbers
from fewscan.images.tables.reading import Cells, cell
from fewscan.wording import counted, listed

# Whose number it is, one and several of them.
_WHOSE = {
    "SOPInstanceUID": ("file", "files"),
    "SeriesInstanceUID": ("series", "series"),
    "StudyInstanceUID": ("study", "studies"),
    "AccessionNumber": ("study", "studies"),
    "PatientID": ("patient", "patients"),
    TOLD_PATIENT: ("patient", "patients"),
}
# Shorter ones may be ages, weights or years, which are some patients' numbers, too: then the column's name has to say so.
_SURE_LENGTH = 5


class UnreadHeadersError(FewscanError):
    """Headers that cannot be read again, such as of files that are gone; `scans` have what is known without them: patients."""

    def __init__(self, message: str, scans: Sequence[ScanFile]) -> None:
        super().__init__(message)
        self.scans = scans


@dataclass(frozen=True)
class ByNumber:
    """How the rows of a table name images: by this number of NUMBERS, in this column; of each row its line and its place.

    shared: how many of these numbers are in headers of several patients, as those of two hospitals may be, or in several
    sources. unread: whether headers could not be read.
    """

    table: Path
    number: str
    column: str
    lines: tuple[int, ...]
    places: tuple[str | None, ...]
    shared: int
    unread: bool = False

    @property
    def whose(self) -> str:
        """Whose number it is: that of a file, a series, a study or a patient."""
        return _WHOSE[self.number][0]

    def note(self, *, labels: bool) -> str:
        """Say of an image how its row was found, and, where the table has `labels`, which images get one."""
        one, several = _WHOSE[self.number]
        rows = counted(len(self.lines), "row")
        missing = tuple(line for line, place in zip(self.lines, self.places, strict=True) if place is None)
        not_found = f" (not {TableRows('', missing)})" if missing else ""
        what = f"; all images of a {one} get its label, also slices without the finding" if labels else ""
        told = self.number == TOLD_PATIENT
        by = f"{self.table.name} names {several}{'' if told else f' by {self.number}'}, column '{self.column}'"
        found = len(self.lines) - len(missing)
        where = "in several sources, which" if told else "in headers of several patients, who"
        shared = f"; {where} share a row: {counted(self.shared, 'number')}" if self.shared else ""
        unread = "; headers could not be read, so only patients were looked for" if self.unread else ""
        return f"{by}: {found:,} of {rows} match{'es' if found == 1 else ''}{not_found}{what}{shared}{unread}"


@dataclass(frozen=True)
class _Match:
    """A column whose cells are such numbers: of each row the set of images that have it, None for none."""

    at: int
    number: str
    sets: tuple[int | None, ...]

    @property
    def rows(self) -> int:
        return sum(one is not None for one in self.sets)


class HeaderNumbers:
    """The numbers of scans, as they were listed (`ScanFile.numbers`, and `patient` where it is none of these).

    scans: gives them, and is asked only once a table may name them so.
    """

    def __init__(self, scans: Callable[[], Sequence[ScanFile]]) -> None:
        self._unread: UnreadHeadersError | None = None
        self._scans = cache(lambda: self._listed(scans))
        self._known: dict[str, KnownNumbers] = {}

    def _listed(self, scans: Callable[[], Sequence[ScanFile]]) -> Sequence[ScanFile]:
        try:
            return scans()
        except UnreadHeadersError as unread:
            self._unread = unread
            return unread.scans

    def asked(self, table: Path, cells: Cells, written: str | None) -> ByNumber | None:
        """Return how rows name images where NAME=NUMBER is written; None where it is not.

        Raises FewscanError where NUMBER is none of NUMBERS, and where no row has a scan's.
        """
        if written is None or (asked := with_number(cells.columns, written)) is None:
            return None
        name, number = asked
        match = self._match(cells, cells.columns.index(name), number)
        if self._unread is not None and (number != TOLD_PATIENT or not match.rows):
            raise FewscanError(f"{table}: {self._unread}")
        if not match.rows:
            read = "no name tells it (--patient-from)" if number == TOLD_PATIENT else "only headers of DICOM files are read"
            there = "" if self._of(number).count else f", and none of these has one: {read}"
            cut = self._cut(cells, [match.at], [number])
            raise FewscanError(f"{table}: no row of its column '{name}' has the {number} of a scan of the sources{there}{cut}")
        return self._by(table, cells, match)

    def column(self, table: Path, cells: Cells, only: str | None, otherwise: FewscanError, *, sure: bool) -> ByNumber:
        """Return how rows name images where one column holds numbers of them, or only the column `only` is to be taken.

        Of several columns that one is taken whose images are among those of each other in every row: the study beside its
        patient. `sure`: it is to be taken whatever it holds besides. Where headers cannot be read, patients are found as far as
        they are known without them, if no other column may hold a finer number. Raises FewscanError where there are several
        others, and `otherwise`, with what may be meant, where there is none, or why numbers cannot be read.
        """
        matches = list(self._matches(cells, only))
        if self._unread is not None:
            self._require_patients_alone(table, cells, matches, self._unread, otherwise, sure=sure)
        fit = [one for one in matches if only in (None, cells.columns[one.at]) and (sure or self._is_sure(cells, one))]
        best = next((one for one in fit if all(self._within(cells, one, other) for other in fit)), None)
        if best is not None:
            return self._by(table, cells, best)
        if fit:
            raise FewscanError(
                f"{table} may name scans by {listed([_in_words(cells, one) for one in fit])}, and these differ: choose with "
                f"{_option(cells, fit[0])}, for example"
            )
        if not matches:
            raise NoFileNamedError(f"{otherwise}{self._in_vain(cells, only)}")
        likely = max(matches, key=lambda one: one.rows)
        meant = f"if rows are to name scans by {_in_words(cells, likely)}, give {_option(cells, likely)}"
        raise FewscanError(f"{otherwise}; {meant}")

    def _require_patients_alone(
        self,
        table: Path,
        cells: Cells,
        matches: Sequence[_Match],
        unread: UnreadHeadersError,
        otherwise: FewscanError,
        *,
        sure: bool,
    ) -> None:
        """Raise FewscanError unless rows find patients without headers, and no other column may hold what only these tell."""
        if not matches:
            may_hold = any(names_headers(name) or may_be_finer(cells, at) for at, name in enumerate(cells.columns))
            raise FewscanError(f"{table}: {unread}" if may_hold else f"{otherwise}; {unread}")
        taken = {one.at for one in matches}
        if not sure and (
            finer := [name for at, name in enumerate(cells.columns) if at not in taken and may_be_finer(cells, at)]
        ):
            quoted = listed([f"'{name}'" for name in finer])
            raise FewscanError(
                f"{table}: {unread}. Without headers rows find patients alone, and {quoted} may hold numbers of studies: if a "
                f"row is to label all scans of its patient, give {_option(cells, matches[0])}"
            )

    def _in_vain(self, cells: Cells, only: str | None) -> str:
        """Return what to add to a message: which column should hold numbers of these scans, and holds none; "" for none."""
        may = [at for at, name in enumerate(cells.columns) if name == only or (only is None and name and not may_be_data(name))]
        if cut := self._cut(cells, may, NUMBERS):
            return cut
        named = [name for name in cells.columns if only in (None, name) and names_headers(name)]
        if not named or not any(self._of(number).count for number in HEADER_NUMBERS):
            return ""
        rounded = any(left_of(cell(row, cells.columns.index(name))) for name in named for _, row in cells.rows)
        why = "; a spreadsheet rounds long numbers, so keep that column as text" if rounded else ""
        quoted = listed([f"'{name}'" for name in named])
        return f"; no row has a number of these scans in {quoted}{why}"

    def _cut(self, cells: Cells, columns: Sequence[int], numbers: Sequence[str]) -> str:
        """Return what to add to a message: in which columns a spreadsheet has cut numbers of these scans; "" for none."""
        known = [text for number in numbers for text in self._of(number).texts]
        cut = [at for at in columns if cut_from((cell(row, at) for _, row in cells.rows), known) is not None]
        quoted = listed([f"'{cells.columns[at]}'" for at in cut]) if cut else ""
        return f"; a spreadsheet has cut numbers of these scans in {quoted}: {REMEDY}" if cut else ""

    def images(self, by: ByNumber) -> Iterator[tuple[str, list[int]]]:
        """Yield each place that a row names, and the positions of its images among the scans."""
        for place in dict.fromkeys(by.places):
            if place is not None:
                yield place, self._of(by.number).images(int(place.rpartition(" ")[2])).tolist()

    def _of(self, number: str) -> KnownNumbers:
        if number not in self._known:
            self._known[number] = KnownNumbers(self._scans(), number)
        return self._known[number]

    def _matches(self, cells: Cells, only: str | None) -> Iterator[_Match]:
        """Yield the columns that have a number of headers in any row; not those whose names may be such, but for `only`."""
        numbers = [number for number in NUMBERS if self._of(number).count]
        for number in numbers:
            for at, name in enumerate(cells.columns):
                if (name == only or (name and not may_be_data(name))) and (match := self._match(cells, at, number)).rows:
                    yield match

    def _match(self, cells: Cells, at: int, number: str) -> _Match:
        known = self._of(number)
        return _Match(at, number, tuple(known.set_of(cell(row, at)) for _, row in cells.rows))

    def _is_sure(self, cells: Cells, match: _Match) -> bool:
        """Return whether half of a column's values are in headers, or half of the headers' in it, and no mere ages."""
        texts = [cell(row, match.at) for _, row in cells.rows]
        values = {key for text in texts if text is not None and (key := patient_key(text)) is not None}
        named = names_headers(cells.columns[match.at])
        pairs = zip(texts, match.sets, strict=True)
        found = {one for text, one in pairs if one is not None and (named or len(text or "") >= _SURE_LENGTH)}
        return bool(found) and 2 * len(found) >= min(len(values), self._of(match.number).count)

    def _within(self, cells: Cells, one: _Match, other: _Match) -> bool:
        """Return whether each row means images by `one` that it also means by `other`, where it has a number for both."""
        ours, theirs = self._of(one.number), self._of(other.number)
        pairs: dict[tuple[int | None, int | None], None] = {}
        for (_, row), mine, its in zip(cells.rows, one.sets, other.sets, strict=True):
            if mine is None and its is not None and cell(row, one.at) is None:
                return False
            pairs[mine, its] = None
        return all(
            mine is None or its is None or bool((theirs.set_of_image[ours.images(mine)] == its).all()) for mine, its in pairs
        )

    def _by(self, table: Path, cells: Cells, match: _Match) -> ByNumber:
        # The finer number first, as places of one image are sorted.
        start = f"{NUMBERS.index(match.number)} {match.number}"
        places = tuple(None if one is None else f"{start} {one}" for one in match.sets)
        ours, apart = self._of(match.number), self._of("PatientID").set_of_image
        if match.number == TOLD_PATIENT:
            apart = np.unique([scan.source for scan in self._scans()], return_inverse=True)[1]
        shared = sum(len({*apart[ours.images(one)].tolist()} - {-1}) > 1 for one in {*match.sets} if one is not None)
        unread = self._unread is not None
        return ByNumber(
            table, match.number, cells.columns[match.at], tuple(line for line, _ in cells.rows), places, shared, unread
        )


def _in_words(cells: Cells, match: _Match) -> str:
    return f"{match.number} in '{cells.columns[match.at]}' ({match.rows:,} of {counted(len(cells.rows), 'row')} match)"


def _option(cells: Cells, match: _Match) -> str:
    return f"--path-column {shlex.quote(f'{cells.columns[match.at]}={match.number}')}"
