"""What was found of pairs that were compared, kept until the audit is whole: one that was stopped compares none of them again.

A file holds the copies among so many candidates. Its name is a digest of these, that of its folder one of the images and of how
they are compared: where the search proposes others, they are compared.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np

from fewscan.atomic import replaced_file
from fewscan.auditing.copies.images import Int64s
from fewscan.auditing.copies.pairs import CopyPairs
from fewscan.auditing.copies.search import Candidates
from fewscan.progress import say
from fewscan.version import __version__


class Compared:
    """The copies among candidates of a dataset's images, as far as a process that was stopped had come."""

    def __init__(self, folder: Path, images: str, similarity: float) -> None:
        """Keep them in `folder`; images: what tells the images from all others; similarity: from which on pairs are copies."""
        what = f"{images} {similarity} {__version__} {np.__version__} {cv2.__version__}"
        self._folder = folder / hashlib.sha256(what.encode()).hexdigest()[:16]
        if any(self._folder.glob("*.npz")):
            say("going on: pairs that were compared before it was stopped are not compared again")

    @property
    def kept(self) -> str | None:
        """What is kept where the audit is stopped, in words; None where there is nothing yet."""
        return "pairs that were compared are kept" if any(self._folder.glob("*.npz")) else None

    def copies(self, rows: Int64s, candidates: Candidates, compare: Callable[[], CopyPairs]) -> CopyPairs:
        """Return the copies among candidates, which are numbers of `rows`; by `compare`, unless they are known."""
        path = self._folder / f"{self._key(rows, candidates)}.npz"
        if (found := _read(path)) is None:
            found = compare()
            self._folder.mkdir(parents=True, exist_ok=True)
            with replaced_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **{column.name: getattr(found, column.name) for column in fields(found)})
        return found

    def _key(self, rows: Int64s, candidates: Candidates) -> str:
        digest = hashlib.sha256()
        # How much alike the search found them decides nothing any more.
        for part in (rows, candidates.first, candidates.second, candidates.view, candidates.symmetry):
            digest.update(np.ascontiguousarray(part, np.int64).data)
        return digest.hexdigest()


def forget(folder: Path) -> None:
    """Remove what was kept in a folder, once the audit is whole."""
    shutil.rmtree(folder, ignore_errors=True)


def _read(path: Path) -> CopyPairs | None:
    """Return what is kept in a file; None where there is none that is whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return CopyPairs(*(stored[column.name] for column in fields(CopyPairs)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
