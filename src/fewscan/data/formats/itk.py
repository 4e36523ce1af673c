"""Volumes that SimpleITK reads: NRRD and MetaImage, whole or as a header with its values in another file."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewscan.data.formats.image import Contents, Decoded, UnreadableImage, damage_named
from fewscan.data.formats.reading import Reading
from fewscan.data.formats.volumes import Volume, number_of, read_slices, require_volume, slices_of, upright, values_of

NAME = "NRRD or MetaImage"
NEEDS: str | None = "SimpleITK"
NRRD_MAGIC = b"NRRD000"
META_SUFFIXES = (".mha", ".mhd")

_HEADER_BYTES = 2**16
# The line of a header that names the file of its values; LOCAL is the header's own.
_VALUES_IN = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_DAMAGED = "truncated or damaged: not one whole volume"


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Name the slices of the chosen plane; see `volumes.slices_of`."""
    return slices_of(partial(_opened, file, reading), reading)


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the slices that `parts` names; see `volumes.read_slices`."""
    return read_slices(partial(_opened, file, reading), parts, reading)


def values_file(file: BufferedReader) -> Path | None:
    """Return the file that holds the values of a header in `file`, or None where it holds them itself.

    Raises UnreadableImage where they lie in several files.
    """
    place = file.tell()
    file.seek(0)
    head = file.read(_HEADER_BYTES)
    file.seek(place)
    if head.startswith(NRRD_MAGIC):
        head = head.split(b"\n\n")[0].split(b"\r\n\r\n")[0]
    named = _VALUES_IN.search(head)
    if named is None or named[1].upper() == b"LOCAL":
        return None
    if named[1].upper().startswith(b"LIST") or b"%" in named[1]:
        raise UnreadableImage("more than one file: its slices lie in a file each; convert it to one .nrrd or .mha")
    return Path(file.name).parent / named[1].decode("utf-8", "surrogateescape")


@contextmanager
def _opened(file: BufferedReader, reading: Reading) -> Iterator[Volume]:
    """Hand over the volume that is meant."""
    import SimpleITK

    # What it warns of may quote the file, and what matters it raises.
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    with damage_named(_DAMAGED):
        if (values_in := values_file(file)) is not None and not values_in.is_file():
            raise UnreadableImage("no values: its header names a file for them that is not there")
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
