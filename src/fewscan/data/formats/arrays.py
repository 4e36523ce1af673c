"""Arrays that numpy saved: .npy and .npz, gray, (H, W) or (N, H, W). Nothing is unpickled."""

import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from io import BufferedReader
from typing import Any, NamedTuple

import numpy as np

from fewscan.data.formats.gray import decoded, to_8_bit
from fewscan.data.formats.image import (
    MAX_VOLUME_VALUES,
    Contents,
    Decoded,
    UnreadableImage,
    Values,
    damage_named,
    native,
    numbered,
    position_of,
    positions,
    require_size,
)
from fewscan.data.formats.reading import Reading, Window

NAME = "numpy"
NEEDS: str | None = None
# (H, W, 3) and (H, W, 4) are pictures in color, not H images of 3 or 4 columns.
_MOST_CHANNELS = 4

_ZIP = b"PK\x03\x04"
_DAMAGED = "truncated or damaged: not one whole array of numpy's"


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Name the images: `image=0` the first of an array, `array=0` or `array=0,image=0` among several arrays of a .npz.

    Arrays go by their place in the archive and not by their names, which might be a patient's. Raises UnreadableImage for what
    is not whole, and for arrays that are not gray images.
    """
    with damage_named(_DAMAGED):
        if _is_archive(file):
            with zipfile.ZipFile(file) as archive:
                return Contents(tuple(_places(archive)))
        return Contents(numbered("image", _count(_header(file)), first=0))


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the images that `parts` names: uint8 is kept, others go through the chosen window or their own."""
    with damage_named(_DAMAGED):
        if _is_archive(file):
            with zipfile.ZipFile(file) as archive:
                yield from _read_archive(archive, parts, reading.window)
            return
        header = _header(file)
        # Mapped, since a stack may be larger than memory.
        array = np.memmap(file, header.dtype, "r", file.tell(), header.shape, "F" if header.fortran else "C")
        for position in positions(parts, "image", _count(header), first=0):
            yield _decode(array, position, reading.window)


def _header(stream: Any) -> _Header:
    """Return shape, order and type of the array that begins here; raises UnreadableImage where it is no gray image."""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran, dtype = readers[version](stream)
    if dtype.hasobject:
        raise UnreadableImage("not an image: an array of Python objects, which are pickled and never opened")
    if dtype.kind not in "biuf":
        raise UnreadableImage("not an image: an array of something else than numbers")
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] <= _MOST_CHANNELS):
        raise UnreadableImage(f"not gray images: an array {shape}; store (H, W) or (N, H, W)")
    if min(shape) < 1:
        raise UnreadableImage("truncated or damaged: it has no pixels")
    require_size(*shape[-2:])
    return _Header(shape, fortran, dtype)


def _count(header: _Header) -> int:
    return 1 if len(header.shape) == 2 else header.shape[0]


def _is_archive(file: BufferedReader) -> bool:
    begins = file.read(len(_ZIP))
    file.seek(0)
    return begins == _ZIP


def _places(archive: zipfile.ZipFile) -> dict[str | None, tuple[str, int]]:
    """Return the images of an archive: their part's name -> the array's name and the position in it."""
    places: dict[str | None, tuple[str, int]] = {}
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    for number, name in enumerate(names):
        with archive.open(name) as stream:
            header = _header(stream)
        if np.prod(header.shape) > MAX_VOLUME_VALUES:
            raise UnreadableImage(f"too large: declares an array {header.shape} in a .npz; store it as .npy")
        for position, part in enumerate(numbered("image", _count(header), first=0)):
            array = f"array={number}"
            places[array if part is None else f"{array},{part}"] = (name, position)
    if not places:
        raise UnreadableImage("not an image: the archive holds no array")
    return {None: next(iter(places.values()))} if len(places) == 1 else places


def _read_archive(
    archive: zipfile.ZipFile, parts: Sequence[str | None], chosen: Window | None
) -> Iterator[Decoded | UnreadableImage]:
    places = _places(archive)
    if list(parts) == [None] and len(places) > 1:
        raise UnreadableImage(f"more than one image: {len(places)} images")
    where = list(places.values())
    known = {part: number for number, part in enumerate(places)}
    loaded, array = "", np.empty((0, 0))
    for part in parts:
        name, position = where[position_of(part, known)]
        if name != loaded:
            with archive.open(name) as stream:
                loaded, array = name, np.lib.format.read_array(stream, allow_pickle=False)
        yield _decode(array, position, chosen)


def _decode(array: Values, position: int, chosen: Window | None) -> Decoded | UnreadableImage:
    values = np.ascontiguousarray(native(np.asarray(array if array.ndim == 2 else array[position])))
    if values.dtype == bool:
        values = np.where(values, np.uint8(255), np.uint8(0))
    return decoded(values, partial(to_8_bit, chosen=chosen))
