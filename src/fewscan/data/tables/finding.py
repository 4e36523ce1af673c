"""What a row calls an image -> the file, the image in a file or the folder that it means."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fewscan.data.sources import ScanFile, Source
from fewscan.data.tables.rows import GIVEN_SPLITS, Row
from fewscan.errors import FewscanError

# Endings that people leave out, or that were others before pictures were converted.
_SUFFIXES = (
    *(".nii.gz", ".nii", ".dcm", ".dicom", ".ima", ".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".npy", ".npz", ".mat", ".nrrd", ".nhdr", ".mha", ".mhd", ".mgz", ".img", ".hdr", ".jp2", ".j2k"),
)
_EXAMPLES = 3


@dataclass(frozen=True)
class Found:
    """Where a row points: `place` is a key of `Places`; `closely` where the row writes it as it is."""

    place: str
    closely: bool


@dataclass(frozen=True)
class _Match:
    """A place whose path ends as a row's does, and what stands before these ends, `above` the place and in the row."""

    place: str
    above: str
    row_above: str


class Places:
    """All that a row may mean, by its full path: files, images in files (`FILE#frame=3`), and folders for all in them."""

    def __init__(self, scans: Sequence[ScanFile], sources: Sequence[Source]) -> None:
        self.sources = sources
        self._roots = {source.name: os.path.realpath(source.folder) for source in sources}
        self._real = cache(os.path.realpath)  # slow, and asked for thousands of files of one folder
        self._source_of: dict[str, str] = {}
        self._folders: dict[tuple[str, str], tuple[str, ...]] = {}
        for scan in scans:
            for place in self.of(scan):
                self._source_of.setdefault(place, scan.source)
        self._by_name: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for place in self._source_of:
            name = _name(place).casefold()
            self._by_name.setdefault(name, []).append(place)
            self._by_stem.setdefault(_stem(name), []).append(place)

    def of(self, scan: ScanFile) -> tuple[str, ...]:
        """Return the places by which a row may mean an image, from itself to its source's folder."""
        folder, name = os.path.split(scan.path)
        file = os.path.join(self._real(folder), name)  # noqa: PTH118 - Path is ten times as slow
        itself = () if scan.part is None else (f"{file}#{scan.part}",)
        return (*itself, file, *self._above(scan.source, folder))

    def source(self, place: str) -> str:
        """Return the name of the source that a place is in."""
        return self._source_of[place]

    def find(self, rows: Sequence[Row]) -> list[Found | None]:
        """Return where each row of one table points; None where that is nowhere.

        A path is looked up from the table's folder, from the sources' and in full. Else it means the place whose path ends as
        the row's does in most folders, whatever the case, the slashes and the suffix, where that is one place: the row is then
        all of the path's end, or what stands above the place is what most rows of the source agree in.

        Raises FewscanError where a row fits several sources, or names several images alike.
        """
        exact = [self._exactly(row) for row in rows]
        loose = {number: self._loosely(row) for number, row in enumerate(rows) if exact[number] is None}
        agreed = self._agreed(match for match in loose.values() if match is not None and match.row_above)
        found: list[Found | None] = []
        for number, place in enumerate(exact):
            match = loose.get(number)
            if place is not None:
                found.append(Found(place, closely=True))
            elif match is not None and (not match.row_above or match.above == agreed[self.source(match.place)]):
                found.append(Found(match.place, closely=False))
            else:
                found.append(None)
        return found

    def like(self, row: Row) -> str | None:
        """Return a place of the row's name, wherever it lies, for a message."""
        places = self._by_name.get(_name(_slashes(row.path)).casefold())
        return places[0] if places else None

    def _above(self, source: str, folder: str) -> tuple[str, ...]:
        """Return the real paths of a folder and of all above it in its source."""
        known = self._folders.get((source, folder))
        if known is None:
            place = self._real(folder)
            root = self._roots.get(source)
            parent = os.path.dirname(folder)  # noqa: PTH120 - as in `of`
            ends = root is None or place == root or parent == folder
            known = (place,) if ends else (place, *self._above(source, parent))
            self._folders[source, folder] = known
        return known

    def _exactly(self, row: Row) -> str | None:
        beside_table = self._place(row.table.parent, row.path)
        if beside_table in self._source_of:
            return beside_table
        in_sources = dict.fromkeys(self._place(source.folder, row.path) for source in self.sources)
        found = [place for place in in_sources if place in self._source_of]
        if len(found) > 1:
            names = ", ".join(self.source(place) for place in found)
            raise FewscanError(
                f"{row.where}: '{row.path}' is in several sources ({names}): write its path from the folder of {row.table.name}"
            )
        return found[0] if found else None

    def _place(self, folder: Path, path: str) -> str:
        above, name = os.path.split(os.path.join(folder, path.rstrip("/")))  # noqa: PTH118 - as in `of`
        return os.path.join(self._real(above), name)  # noqa: PTH118 - as in `of`

    def _loosely(self, row: Row) -> _Match | None:
        path = _slashes(row.path)
        name = _name(path).casefold()
        stem = _stem(name)
        places = self._by_name.get(name) or self._by_stem.get(stem) or []
        matches: list[tuple[tuple[int, int], _Match]] = []
        for place in places:
            match, likeness = _compared(path, place)
            if not _in_other_parts(match):
                matches.append((likeness, match))
        most = max((likeness for likeness, _ in matches), default=None)
        best = [match for likeness, match in matches if likeness == most]
        if len(best) > 1 and not best[0].row_above:
            names = " or ".join(match.place for match in best[:_EXAMPLES])
            raise FewscanError(f"{row.where}: '{row.path}' may be {names}: write more of its path")
        return best[0] if len(best) == 1 else None

    def _agreed(self, matches: Iterable[_Match]) -> Mapping[str, str]:
        """Return, for every source, what stands above the ends that most rows share with its files."""
        counts: dict[str, Counter[str]] = {}
        for match in matches:
            counts.setdefault(self.source(match.place), Counter())[match.above] += 1
        return {source: min(above, key=lambda one: (-above[one], len(one))) for source, above in counts.items()}


def _compared(path: str, place: str) -> tuple[_Match, tuple[int, int]]:
    """Return the match of a row's path with a place, and how like they are: folders alike, and names alike to the letter."""
    theirs, ours = [part for part in path.split("/") if part not in ("", ".")], place.split("/")
    same, exact = 1, int(_stem(theirs[-1]) == _stem(ours[-1]))
    while same < min(len(theirs), len(ours)) and theirs[-1 - same].casefold() == ours[-1 - same].casefold():
        exact += theirs[-1 - same] == ours[-1 - same]
        same += 1
    return _Match(place, "/".join(ours[:-same]), "/".join(theirs[:-same])), (same, exact)


def _in_other_parts(match: _Match) -> bool:
    """Return whether the row speaks of one part of a split, such as `test/1.png`, and the place lies in another."""
    theirs, ours = (GIVEN_SPLITS.get(_name(above).casefold()) for above in (match.row_above, match.above))
    return theirs is not None and ours is not None and theirs != ours


def _slashes(path: str) -> str:
    return path.replace("\\", "/").rstrip("/")


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(name: str) -> str:
    """Return a name without the suffix of an image, in any case; the part after `#` stays."""
    file, sign, part = name.partition("#")
    lower = file.lower()
    for suffix in _SUFFIXES:
        if lower.endswith(suffix) and lower != suffix:
            return f"{file[: -len(suffix)]}{sign}{part}"
    return name
