"""What a row calls an image -> the file, the image in a file or the folder that it means."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from fewscan.errors import FewscanError
from fewscan.images.part_names import SPLIT_WORDS
from fewscan.images.sources import ScanFile, Source, file_and_part
from fewscan.images.tables.cut import cut_from
from fewscan.images.tables.rows import Row

# Endings that people leave out, or that were others before pictures were converted.
_SUFFIXES = frozenset(
    [
        *("nii", "dcm", "dicom", "ima", "jpg", "jpeg", "jpe", "png", "bmp", "gif", "webp", "tif", "tiff", "npy", "npz", "mat"),
        *("nrrd", "nhdr", "mha", "mhd", "mgz", "img", "hdr", "jp2", "j2k"),
    ]
)
_EXAMPLES = 3

Hit = TypeVar("Hit")


class Found(NamedTuple):
    """Where a row points: `place` is a key of `Places`; `closely` where the row writes it as it is."""

    place: str
    closely: bool


class _Match(NamedTuple):
    """A place whose path ends as a row's does, and what stands before these ends, `above` the place and in the row."""

    place: str
    above: str
    row_above: str


class Places:
    """All that a row may mean, by its full path: files, images in files (`FILE#frame=3`), and folders for all in them."""

    def __init__(self, scans: Sequence[ScanFile], sources: Sequence[Source]) -> None:
        self._roots = {source.name: os.path.realpath(source.folder) for source in sources}
        # Slow, and asked for thousands of files of one folder.
        self._real = cache(os.path.realpath)
        self._from = cache(lambda folder, path: os.path.realpath(Path(folder, path)))
        self._written = [str(source.folder) for source in sources]
        self._source_of: dict[str, str] = {}
        self._without_path: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self.scans = scans
        self._folders: dict[tuple[str, str], tuple[str, ...]] = {}
        self._parts: dict[str, tuple[str, ...]] = {}
        self._ends: dict[int, dict[tuple[str, ...], list[str]]] = {}
        # Of each image: the places by which a row may mean it, from itself to its source's folder.
        self.of_each = [self._of(scan) for scan in scans]
        self._set_aside: set[str] = set()
        for scan, places in zip(scans, self.of_each, strict=True):
            if scan.set_aside is not None:
                self._set_aside.update(places)
            for place in places:
                self._source_of.setdefault(place, scan.source)
        if self._set_aside:
            for scan, places in zip(scans, self.of_each, strict=True):
                if scan.set_aside is None:
                    self._set_aside.difference_update(places)

    def _of(self, scan: ScanFile) -> tuple[str, ...]:
        folder, _, name = str(scan.path).rpartition("/")
        file = f"{self._real(folder or '/')}/{name}"
        itself = () if scan.part is None else (f"{file}#{scan.part}",)
        return (*itself, file, *self._above(scan.source, folder))

    def source(self, place: str) -> str:
        """Return the name of the source that a place is in, of one without a path the first."""
        return self._source_of.get(place) or self._without_path[place]

    def is_set_aside(self, place: str) -> bool:
        """Return whether all images of a place are set aside."""
        return place in self._set_aside

    def mean(self, place: str, images: Sequence[int], kind: str) -> None:
        """Let a row mean images by a place without a path, a `kind` such as a study: closer than folders, files are closer.

        Of several such places of an image the one that is sorted first is the closest.
        """
        if place in self._without_path:
            return
        self._without_path[place] = self.scans[images[0]].source
        self._kinds[place] = kind
        for image in images:
            places, own = self.of_each[image], 1 if self.scans[image].part is None else 2
            others = [one for one in places[own:] if one in self._without_path]
            self.of_each[image] = (*places[:own], *sorted([*others, place]), *places[own + len(others) :])

    def wholes(self, among: Collection[str], usable: Iterable[bool]) -> Mapping[str, str]:
        """Return those of some places that several usable images are in, and what each is: see `labeled_whole.Whole`."""
        counts: Counter[str] = Counter()
        kinds: dict[str, str] = {}
        for scan, places, taken in zip(self.scans, self.of_each, usable, strict=True):
            of_these = [place for place in places if taken and place in among]
            counts.update(of_these)
            file = places[0 if scan.part is None else 1]
            kinds.update((place, self._kinds.get(place, "file" if place == file else "folder")) for place in of_these)
        return {place: kinds[place] for place, images in counts.items() if images > 1}

    def find(self, rows: Sequence[Row]) -> list[Found | None]:
        """Return where each row of one table points; None where that is nowhere.

        A path is looked up from the table's folder, from the sources' and in full. Else it means the place whose path ends as
        the row's does in most folders, whatever the case, the slashes and the suffix, where that is one place: the row is then
        all of the path's end, or what stands above the place is what most rows of the source agree in.

        Raises FewscanError where a row fits several sources, or names several images alike.
        """
        found = self.look(rows)
        for one in found:
            if isinstance(one, FewscanError):
                raise one
        return [one for one in found if not isinstance(one, FewscanError)]

    def look(self, rows: Sequence[Row]) -> list[Found | FewscanError | None]:
        """As `find`, with the error in the place of each row for which `find` raises it."""
        exact = [_or_error(self._exactly, row) for row in rows]
        loose = {number: _or_error(self._loosely, row) for number, row in enumerate(rows) if exact[number] is None}
        agreed = self._agreed(match for match in loose.values() if isinstance(match, _Match) and match.row_above)
        found: list[Found | FewscanError | None] = []
        for number, place in enumerate(exact):
            match = place if isinstance(place, FewscanError) else loose.get(number)
            if isinstance(place, str):
                found.append(Found(place, closely=True))
            elif isinstance(match, FewscanError):
                found.append(match)
            elif match is not None and (not match.row_above or match.above == agreed[self.source(match.place)]):
                found.append(Found(match.place, closely=False))
            else:
                found.append(None)
        return found

    def like(self, row: Row) -> str | None:
        """Return a place of the row's name, wherever it lies, for a message."""
        places = self._ending(folders_and_stem(slashes(row.path))[-1:])
        return places[0] if places else None

    def but_for_zeros(self, row: Row) -> str | None:
        """Return a place whose name is the row's number but for zeros that spreadsheets take away, for a message."""
        number = folders_and_stem(slashes(row.path))[-1]
        names = ((place, stem_of(place.rpartition("/")[2])) for place in self._source_of) if number.isdecimal() else ()
        return next((place for place, name in names if name.isdecimal() and name.lstrip("0") == number.lstrip("0")), None)

    def but_for_cut(self, rows: Sequence[Row]) -> str | None:
        """Return a place whose name is a row's number but for what a spreadsheet has cut off it, for a message."""
        named = {stem_of(place.rpartition("/")[2]): place for place in self._source_of}
        number = cut_from((folders_and_stem(slashes(row.path))[-1] for row in rows), named)
        return None if number is None else named[number]

    def _above(self, source: str, folder: str) -> tuple[str, ...]:
        """Return the real paths of a folder and of all above it in its source."""
        known = self._folders.get((source, folder))
        if known is None:
            place = self._real(folder)
            root = self._roots.get(source)
            parent = os.path.dirname(folder)  # noqa: PTH120 - Path is ten times as slow
            ends = root is None or place == root or parent == folder
            known = (place,) if ends else (place, *self._above(source, parent))
            self._folders[source, folder] = known
        return known

    def _exactly(self, row: Row) -> str | None:
        beside_table = self._place(str(row.table.parent), row.path)
        if beside_table in self._source_of:
            return beside_table
        in_sources = [self._place(folder, row.path) for folder in self._written]
        found = list(dict.fromkeys(place for place in in_sources if place in self._source_of))
        if len(found) > 1:
            names = ", ".join(self.source(place) for place in found)
            raise FewscanError(
                f"{row.where}: '{row.path}' is in several sources ({names}): write its path relative to the folder of "
                f"{row.table.name}"
            )
        return found[0] if found else None

    def _place(self, folder: str, path: str) -> str:
        name = path.rstrip("/").rpartition("/")[2]
        return f"{self._from(folder, path[: path.rindex(name)])}/{name}"

    def _loosely(self, row: Row) -> _Match | None:
        # A name may hold backslashes itself.
        path = row.path if self._ending(folders_and_stem(row.path)[-1:]) else slashes(row.path)
        end = folders_and_stem(path)
        # The longest end first that any place shares.
        length = next((length for length in range(len(end), 0, -1) if self._ending(end[-length:])), None)
        if length is None:
            return None
        # A mask is often called as its scan is.
        ending = self._ending(end[-length:])
        usable = [place for place in ending if not self.is_set_aside(place)]
        matches = [_match(path, place, length) for place in usable or ending]
        best = _most_alike(path, [match for match in matches if not _in_other_parts(match)], length)
        if len(best) > 1 and not best[0].row_above:
            names = " or ".join(match.place for match in best[:_EXAMPLES])
            raise FewscanError(f"{row.where}: '{row.path}' could be {names}: write more of its path")
        return best[0] if len(best) == 1 else None

    def _ending(self, end: tuple[str, ...]) -> Sequence[str]:
        """Return the places that end in these folders and this name, whatever its suffix, and whatever the case of all."""
        if len(end) not in self._ends:
            # Only for lengths that are asked for: a table that names all as they are asks for none.
            if not self._parts:
                self._parts = {place: folders_and_stem(place) for place in self._source_of}
            places = self._ends.setdefault(len(end), {})
            for place, parts in self._parts.items():
                places.setdefault(parts[-len(end) :], []).append(place)
        return self._ends[len(end)].get(end, ())

    def _agreed(self, matches: Iterable[_Match]) -> Mapping[str, str]:
        """Return, for every source, what stands above the ends that most rows share with its files."""
        counts: dict[str, Counter[str]] = {}
        for match in matches:
            counts.setdefault(self.source(match.place), Counter())[match.above] += 1
        return {source: min(above, key=lambda one: (-above[one], len(one))) for source, above in counts.items()}


def _or_error(look: Callable[[Row], Hit], row: Row) -> Hit | FewscanError:
    try:
        return look(row)
    except FewscanError as error:
        return error


def _match(path: str, place: str, length: int) -> _Match:
    theirs, ours = path.split("/"), place.split("/")
    return _Match(place, "/".join(ours[:-length]), "/".join(theirs[:-length]).lstrip("./"))


def _most_alike(path: str, matches: Sequence[_Match], length: int) -> list[_Match]:
    """Return the matches that are spelled most as the row is: to the letter, else with its suffix, else in its case."""
    if len(matches) < 2:
        return list(matches)
    theirs = path.split("/")[-length:]

    def likeness(match: _Match) -> tuple[bool, bool, bool]:
        ours = match.place.split("/")[-length:]
        same_suffix = caseless(theirs[-1]) == caseless(ours[-1])
        return theirs == ours, same_suffix, [*theirs[:-1], stem_of(theirs[-1])] == [*ours[:-1], stem_of(ours[-1])]

    most = max(map(likeness, matches), default=None)
    return [match for match in matches if likeness(match) == most]


def _in_other_parts(match: _Match) -> bool:
    """Return whether the row speaks of one part of a split, such as `test/1.png`, and the place lies in another."""
    theirs, ours = (SPLIT_WORDS.get(above.rpartition("/")[2].casefold()) for above in (match.row_above, match.above))
    return theirs is not None and ours is not None and theirs != ours


def slashes(path: str) -> str:
    """Return a path with slashes, whichever way it was written."""
    return path.replace("\\", "/").rstrip("/")


def caseless(path: str) -> str:
    """Return a path in lower case, a letter with an accent in one piece, in which folders of a Mac have two."""
    return unicodedata.normalize("NFC", path).casefold()


def folders_and_stem(path: str) -> tuple[str, ...]:
    """Return the parts of a path as `caseless` has them, the last without its suffix."""
    *folders, name = [part for part in caseless(path).split("/") if part not in ("", ".")] or [""]
    return (*folders, stem_of(name))


def stem_of(name: str) -> str:
    """Return a name without the suffix of an image, in any case; the part after `#` stays."""
    file, part = file_and_part(name)
    stem, _, suffix = file.removesuffix(".gz").rpartition(".")
    if not stem or suffix.lower() not in _SUFFIXES:
        return name
    return stem if part is None else f"{stem}#{part}"
