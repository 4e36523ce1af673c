"""Where scans lie, as the user wrote it -> named folders; and what is known of one image to import."""

import hashlib
import itertools
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fewscan.errors import FewscanError, Reasons
from fewscan.images import kaggle, remote
from fewscan.images.formats.image import GivenSplit
from fewscan.images.kaggle import KAGGLE_PREFIX, check_name
from fewscan.images.table_rows import TableRows

# What `label_from` begins with where the label is a network's, before the name of the table.
PREDICTIONS = "predictions "
# What it is where a reader gave the label in a check of a network's labels, which is about those that it was sure of.
CHECK = "check"

# What can be said of a scan in place of a class.
InPlace = Literal["unsure", "not a scan"]

# How files are called that hold labels, and no scan.
WORKBOOKS = (".xlsx", ".xlsm")
TABLES = (".csv", ".tsv", *WORKBOOKS)


@dataclass(frozen=True)
class Source:
    """A named folder of scans; where `labeled` is false, no file in it gets a label."""

    name: str
    folder: Path
    labeled: bool = True


@dataclass(frozen=True)
class _WrittenSource:
    """A source as the user wrote it; without a folder it is yet to be fetched, from a URL or from Kaggle."""

    name: str
    folder: Path | None
    labeled: bool
    url: str | None = None

    @property
    def place(self) -> str:
        return str(self.folder or self.url or f"{KAGGLE_PREFIX}{self.name}")

    def fetched(self) -> Source:
        """Return it with a folder on this machine."""
        fetched = self.folder or (kaggle.fetch(self.name) if self.url is None else remote.fetch(self.url))
        return Source(self.name, fetched, self.labeled)


# An image of a file that holds several, as all formats call them: `head.nii.gz#axial=12`, `stack.npz#array=0,image=3`.
_OF_A_FILE = re.compile(r"(.*[^/])#(\w+=\d+(?:,\w+=\d+)*)", re.DOTALL)


@dataclass(frozen=True)
class ScanFile:
    """An image to import: a file, or one of the images that it holds.

    `relative` is the file's path below the source's folder, with forward slashes, and after `#` the `part` of it that this
    image is (`head.nii.gz#axial=12`, `film.dcm#frame=3`); `part` is None for a file of one image. `label_from` says where
    the label comes from: `folder`, `file`, the name of a table, or PREDICTIONS and the name of a table that a network
    filled; `label_level` says which folder, 1 being the one right below the source's, and `label_whole` of what it was given
    where that is several images (`labeled_whole.Whole`). `state` is what is said in place of a
    class, by `label_from` (`classes.said_in_place`), and `disputed` what rows of that table say that contradict each other.
    `given_split` is the part of a split that the data came with. `patient` is as it was given, so it is for no page or
    message. It means the same one within the source and within each of `patient_scopes`; where it is not `patient_known`,
    it only stands for the file. `patient_from` says in words where it comes from. `patient_also` are other names that the
    patient goes by, each with its scope, as of the columns of a table that is read by another one, or of a study where the
    header has the patient's number besides. `study` is the DICOM study's identifier. `numbers` are those of the file's
    header (`Contents.numbers`), where a table may name images by them. `set_aside` is the reason why the image need not be
    read at all, or None. `said_in` are the rows of a table that say its label, or each that is disputed, or that name a file
    which is not there. `notes` are what a user should know of the file (`Contents.notes`).
    """

    source: str
    relative: str
    path: Path
    label: str | None = None
    label_from: str | None = None
    label_level: int | None = None
    label_whole: str | None = None
    state: InPlace | None = None
    disputed: tuple[str, ...] = ()
    given_split: GivenSplit | None = None
    patient: str | None = field(default=None, repr=False)
    patient_known: bool = True
    patient_from: str | None = None
    patient_also: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    patient_scopes: tuple[str, ...] = ()
    study: str | None = field(default=None, repr=False)
    numbers: tuple[str, ...] = field(default=(), repr=False)
    set_aside: str | None = None
    part: str | None = None
    said_in: tuple[TableRows, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The file's path below the source's folder."""
        return self.relative if self.part is None else self.relative.removesuffix(f"#{self.part}")

    @property
    def folders(self) -> tuple[str, ...]:
        """The names of the folders between the source's and the file, the one right below the source's first."""
        return tuple(self.file.split("/")[:-1])


def file_and_part(path: str) -> tuple[str, str | None]:
    """Return the file of an image and which of its images it is, None for the only one, by `ScanFile.relative`.

    A folder or a file may have a # in its name: `scan#1.png` is one.
    """
    found = _OF_A_FILE.fullmatch(path)
    return (path, None) if found is None else (found[1], found[2])


def stamp(scans: Sequence[ScanFile], besides: str = "") -> str:
    """Return a digest that changes where a file comes, goes, or is written anew, and with what is said `besides`."""
    digest = hashlib.sha256(besides.encode())
    # A file of many slices is listed once for each.
    written = {path: _written(path) for path in {scan.path: None for scan in scans}}
    for scan in scans:
        digest.update(repr((str(scan.path), scan.part, scan.set_aside, written[scan.path])).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _written(path: Path) -> tuple[int, int] | None:
    """Return how large a file is and when it was last written, None where it cannot be had."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def require_sources(sources: Sequence[str]) -> None:
    """Raise FewscanError where one that is written so is no readable folder; what is to be fetched is not looked for."""
    _written_sources([(text, True) for text in sources])


def parse_sources(sources: Sequence[str], unlabeled: Sequence[str] = ()) -> tuple[Source, ...]:
    """Turn `FOLDER`, `NAME=FOLDER`, the same with a URL, and `kaggle:NAME` into sources, the unlabeled ones last.

    `kaggle:NAME` is one of KAGGLE_SETS, which is fetched (see `kaggle.fetch`); a folder of that very name goes first. What lies
    at a URL is fetched, too (see `remote.fetch`).

    Raises FewscanError where there are none, one is no readable folder, two have one name, or one lies inside another, and
    where one cannot be fetched.
    """
    if not sources and not unlabeled:
        raise FewscanError("no source given: give a folder of scans, as FOLDER or NAME=FOLDER")
    written = _written_sources([*((text, True) for text in sources), *((text, False) for text in unlabeled)])
    _check_names(written)
    # Only now, since it may take minutes: a source that is misspelt was refused before.
    found = tuple(one.fetched() for one in written)
    _check_overlaps(found)
    return found


def _written_sources(texts: Sequence[tuple[str, bool]]) -> list[_WrittenSource]:
    """Return sources as they are written, each with whether its scans may have labels; refuses all at once that are wrong."""
    written = []
    with Reasons("the sources cannot be read") as reasons:
        for text, labeled in texts:
            with reasons.noted():
                written.append(_parse_source(text, labeled))
    return written


def real_path(path: Path) -> Path:
    """Return where links lead to."""
    return Path(os.path.realpath(path))  # resolve() fails on a loop of links


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether a path lies below a folder, or is it, links followed."""
    return real_path(path).is_relative_to(real_path(folder))


def file_place(path: Path) -> Path:
    """Return one spelling for all paths that lead to a file, whichever links its folders are reached by."""
    return real_path(path.parent) / path.name


def _parse_source(text: str, labeled: bool) -> _WrittenSource:
    if text.startswith(KAGGLE_PREFIX) and not os.path.isdir(text):  # noqa: PTH112 - as below
        name = text.removeprefix(KAGGLE_PREFIX)
        check_name(name)
        return _WrittenSource(name, None, labeled)
    name, equals, written = text.partition("=")
    if not equals or "/" in name or os.path.isdir(text):  # noqa: PTH112 - is_dir() fails in a folder without rights
        name, written = "", text
    if remote.is_remote(written):
        remote.require_no_secret(written)
        return _WrittenSource(_name_of(text, name.strip() or remote.name_of(written), written), None, labeled, written)
    # Not resolve(): what the dataset says of its sources should be what the user wrote.
    folder = Path(os.path.abspath(Path(written).expanduser()))  # noqa: PTH100
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except OSError as error:
        raise FewscanError(f"source '{text}': cannot open the folder {folder}: {error.strerror}; check its path") from None
    if not is_folder:
        table = folder.suffix.lower() in TABLES
        instead = "give a table of labels with --labels" if table else "give the folder that it is in"
        raise FewscanError(f"source '{text}': {folder} is a file; {instead}")
    return _WrittenSource(_name_of(text, name.strip() or folder.name, folder), folder, labeled)


def _name_of(text: str, name: str, place: str | Path) -> str:
    if not name:
        raise FewscanError(f"source '{text}' has no name: write NAME={place}")
    return name


def _check_names(written: Sequence[_WrittenSource]) -> None:
    first: dict[str, _WrittenSource] = {}
    for source in written:
        other = first.setdefault(source.name, source)
        if other is source:
            continue
        if other.place == source.place:
            raise FewscanError(f"the source {source.place} is given twice: give it once")
        raise FewscanError(
            f"two sources are called '{source.name}' ({other.place} and {source.place}): "
            f"tell them apart with NAME={source.folder or other.folder or source.place}"
        )


def _check_overlaps(sources: Sequence[Source]) -> None:
    for first, second in itertools.combinations(sources, 2):
        if is_inside(second.folder, first.folder) or is_inside(first.folder, second.folder):
            raise FewscanError(
                f"the sources {first.folder} and {second.folder} overlap, so images would count twice: give only one"
            )
