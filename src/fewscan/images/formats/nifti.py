"""Volumes that nibabel reads: NIfTI, Analyze and FreeSurfer's MGH and MGZ."""

import gzip
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any

from fewscan.images.formats.image import Contents, Decoded, UnreadableImage, damage_named
from fewscan.images.formats.reading import Reading
from fewscan.images.formats.volumes import Volume, number_of, read_slices, require_volume, slices_of, upright, values_of

NAME = "NIfTI"
NEEDS: str | None = "nibabel"
NIFTI1_HEADER_BYTES = 348
NIFTI2_HEADER_BYTES = 540
# Of these nibabel tells by the name what they are.
MGH_SUFFIXES = (".mgz", ".mgh")
# Of Analyze, and of NIfTI in two files.
_VALUES_SUFFIX = ".img"
# What stands behind the values, and at the end the sum that gzip checks when it is read: a few tags, or zeros.
_BEHIND_BYTES = 2**16


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Name the slices of the chosen plane; see `volumes.slices_of`."""
    return slices_of(partial(_opened, file, reading), reading)


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the slices that `parts` names; see `volumes.read_slices`."""
    return read_slices(partial(_opened, file, reading), parts, reading)


def header_file(path: Path) -> Path | None:
    """Return the file beside the values of a volume that holds its header; None where there is none, or they hold it."""
    header = path.with_suffix(".hdr")
    return header if path.name.lower().endswith(_VALUES_SUFFIX) and header.is_file() else None


@contextmanager
def _opened(file: BufferedReader, reading: Reading) -> Iterator[Volume]:
    """Hand over the volume that is meant."""
    with damage_named("truncated or damaged: not a complete volume"):
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        with gzip.GzipFile(fileobj=file) if zipped else file as stream:
            image = _image(stream, Path(file.name))
            require_volume(image.shape, image.get_data_dtype())
            number = number_of(math.prod(image.shape[3:]), reading)
            values = values_of(image.dataobj.reshape((*(*image.shape, 1, 1)[:3], -1)), number)
            if zipped:
                stream.read(_BEHIND_BYTES)
        yield upright(values, image.affine, slope=image.dataobj.slope, placed=_is_placed(image))


def _image(stream: Any, path: Path) -> Any:
    import nibabel

    if header_file(path) is not None:
        # Not from the stream, since it has its header in another file.
        return nibabel.load(path)
    if path.name.lower().endswith(MGH_SUFFIXES):
        return nibabel.MGHImage.from_stream(stream)
    head = stream.read(4)
    stream.seek(0)
    sizes = {int.from_bytes(head, "little"), int.from_bytes(head, "big")}
    if NIFTI1_HEADER_BYTES in sizes:
        return nibabel.Nifti1Image.from_stream(stream)
    if NIFTI2_HEADER_BYTES in sizes:
        return nibabel.Nifti2Image.from_stream(stream)
    raise UnreadableImage("not an image: it does not begin with a NIfTI header")


def _is_placed(image: Any) -> bool:
    """Return whether a header says how its volume lies: MGH does, Analyze does not, NIfTI by its codes."""
    import nibabel

    if isinstance(image, nibabel.AnalyzeImage | nibabel.Nifti1Pair):
        return any(code in image.header and int(image.header[code]) > 0 for code in ("qform_code", "sform_code"))
    return True
