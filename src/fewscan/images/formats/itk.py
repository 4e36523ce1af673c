"""Volumes that SimpleITK reads: NRRD and MetaImage, whole or as a header with its values in another file."""

import math
import mmap
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewscan.images.formats.image import Contents, Decoded, UnreadableImage, damage_named
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.volumes import Volume, number_of, read_slices, require_volume, slices_of, upright, values_of

NAME = "NRRD or MetaImage"
NEEDS: str | None = "SimpleITK"
NRRD_MAGIC = b"NRRD000"
META_SUFFIXES = (".mha", ".mhd")

_HEADER_BYTES = 2**16
_NRRD_ENDS = re.compile(rb"\r?\n\r?\n")
# The line of a header that names the file of its values; LOCAL is the header's own.
_VALUES_IN = re.compile(rb"^(?:ElementDataFile *=|data ?file:)([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
_META_VALUES_IN = b"ElementDataFile"
_LOOKS_LIKE_IT = re.compile(rb"data\s*file", re.IGNORECASE)
_DAMAGED = "truncated or damaged: not a complete volume"


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Name the slices of the chosen plane; see `volumes.slices_of`."""
    return slices_of(partial(_opened, file, reading), reading)


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the slices that `parts` names; see `volumes.read_slices`."""
    return read_slices(partial(_opened, file, reading), parts, reading)


def values_file(file: BufferedReader) -> Path | None:
    """Return the file beside a header in `file` that holds its values, or None where it holds them itself.

    Raises UnreadableImage where they lie in several files or in another folder, and where a header leaves open where they lie:
    what reads it would open any file of this machine that it names.
    """
    place = file.tell()
    file.seek(0)
    head = file.read(_HEADER_BYTES)
    file.seek(place)
    is_nrrd = head.startswith(NRRD_MAGIC)
    ends = _NRRD_ENDS.search(head) if is_nrrd else None
    header = head[: ends.start()] if ends is not None else head
    named = _VALUES_IN.findall(header)
    if len(named) > 1 or len(named) != len(_LOOKS_LIKE_IT.findall(header)):
        raise UnreadableImage("values elsewhere: its header names several places for them")
    if not named and (not is_nrrd or (ends is None and len(head) == _HEADER_BYTES)):
        raise UnreadableImage(_DAMAGED)
    if not is_nrrd and _times(file, _META_VALUES_IN) > 1:
        raise UnreadableImage("values elsewhere: its header names several places for them")
    name = named[0].strip() if named else b"LOCAL"
    return None if name.upper() == b"LOCAL" else _beside(Path(file.name), name)


def _beside(header: Path, name: bytes) -> Path:
    if name.upper().startswith(b"LIST") or b"%" in name:
        raise UnreadableImage("more than one file: each slice is in its own file; convert it to one .nrrd or .mha")
    plain = name.removeprefix(b"./").decode("utf-8", "surrogateescape")
    values = header.parent / plain
    if plain != values.name or "\\" in plain or "\0" in plain or values.is_symlink():
        raise UnreadableImage("values elsewhere: its header does not name a plain file in its own folder for them")
    if not values.is_file():
        raise UnreadableImage("no values: the file that its header names for them is not there")
    return values


def _times(file: BufferedReader, word: bytes) -> int:
    """Return how often a word is in a file, up to 2."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        first = whole.find(word)
        return 0 if first < 0 else 1 if whole.find(word, first + 1) < 0 else 2


@contextmanager
def _opened(file: BufferedReader, reading: Reading) -> Iterator[Volume]:
    """Hand over the volume that is meant."""
    import SimpleITK

    # What it warns of may quote the file, and what matters it raises.
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    with damage_named(_DAMAGED):
        values_file(file)
        is_nrrd = file.read(len(NRRD_MAGIC)) == NRRD_MAGIC
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO("NrrdImageIO" if is_nrrd else "MetaImageIO")
        reader.SetFileName(str(file.name))
        reader.ReadImageInformation()
        if reader.GetNumberOfComponents() != 1:
            raise UnreadableImage("not gray: its voxels are colors or vectors")
        shape = tuple(reader.GetSize())
        number = number_of(math.prod(shape[3:]), reading)
        require_volume(shape, np.dtype(np.float64))
        image = reader.Execute()
        stored = SimpleITK.GetArrayViewFromImage(image).T
        values = values_of(stored.reshape((*(*shape, 1, 1)[:3], -1), order="F"), number)
        yield upright(values, _affine(image), placed=image.GetDimension() > 2)


def _affine(image: Any) -> npt.NDArray[np.float64]:
    """Return the affine from voxels to mm to the right, front and up; ITK counts to the left and to the back."""
    dimensions = image.GetDimension()
    used = min(3, dimensions)
    direction = np.eye(3)
    direction[:used, :used] = np.reshape(image.GetDirection(), (dimensions, dimensions))[:used, :used]
    spacing, origin = np.ones(3), np.zeros(3)
    spacing[:used], origin[:used] = image.GetSpacing()[:used], image.GetOrigin()[:used]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction * spacing, origin
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
