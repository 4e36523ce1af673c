"""What a search for copies has done so far, kept until the audit is whole: one that was stopped does none of it again.

A file holds how images are described, what some of them are near to, or the copies among so many candidates. Its name is a
digest of what that was computed from, that of its folder one of the images and of how they are compared: where anything else is
asked for, it is computed.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.atomic import replaced_file, writing
from fewscan.auditing.copies.candidates import Candidates
from fewscan.auditing.copies.described import Described
from fewscan.auditing.copies.pairs import CopyPairs
from fewscan.errors import FewscanError
from fewscan.faiss_library import faiss
from fewscan.progress import say
from fewscan.version import __version__

Pairs = TypeVar("Pairs", Candidates, CopyPairs)
Arrays = Sequence[npt.NDArray[Any]]


class Checkpoint:
    """What was done for a dataset's images, as far as a process that was stopped had come; without a folder nothing is kept."""

    def __init__(self, folder: Path | None = None, images: str = "", similarity: float = 1.0) -> None:
        """Keep it in `folder`; images: what tells the images from all others; similarity: from which on pairs are copies."""
        what = f"{images} {similarity} {__version__} {np.__version__} {cv2.__version__} {faiss.__version__}"
        self._folder = None if folder is None else folder / hashlib.sha256(what.encode()).hexdigest()[:16]
        if self.kept is not None:
            say("continuing the audit that was stopped: nothing that it finished is repeated")

    @property
    def kept(self) -> str | None:
        """What is kept where the audit is stopped, in words; None where there is nothing yet."""
        something = self._folder is not None and any(self._folder.glob("[!.]*"))
        return "what the audit has done so far is kept" if something else None

    def described(self, of: Arrays, describe: Callable[[], Described]) -> Described:
        """Return how images are described, known or by `describe`; `of` is what decides that."""
        if (path := self._file(of, "safetensors")) is None:
            return describe()
        try:
            return Described.load([path])
        except FewscanError:  # missing or damaged
            found = describe()
            found.save(path)
            return found

    def pairs(self, kind: type[Pairs], of: Arrays, find: Callable[[], Pairs]) -> Pairs:
        """Return pairs of a kind, known or by `find`; `of` is what decides which they are."""
        if (path := self._file(of, "npz")) is None:
            return find()
        if (found := _read(path, kind)) is None:
            found = find()
            with replaced_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **{column.name: getattr(found, column.name) for column in fields(kind)})
        return found

    def _file(self, of: Arrays, kind: str) -> Path | None:
        """Return where it is kept what was computed from `of`; the folder is there then."""
        if self._folder is None:
            return None
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{_digest(of)}.{kind}"


NOT_KEPT = Checkpoint()


def forget(folder: Path) -> None:
    """Remove what was kept in a folder, once the audit is whole."""
    shutil.rmtree(folder, ignore_errors=True)


def _digest(of: Arrays) -> str:
    digest = hashlib.sha256()
    for part in of:
        digest.update(f"{part.dtype} {part.shape}".encode())
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _read(path: Path, kind: type[Pairs]) -> Pairs | None:
    """Return what is kept in a file; None where there is none that is whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return kind(*(stored[column.name] for column in fields(kind)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
