"""Arrays that numpy saved: .npy and .npz, gray or in color, with labels and a split of their own. Nothing is unpickled."""

import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.images.formats.array_labels import Labels, class_names, is_named_labels, labels_of
from fewscan.images.formats.gray import decoded, to_8_bit
from fewscan.images.formats.image import (
    MAX_IMAGES,
    MAX_VOLUME_VALUES,
    Contents,
    Decoded,
    GivenSplit,
    UnreadableImage,
    Values,
    damage_named,
    gray_if_equal,
    native,
    position_of,
    require_size,
)
from fewscan.images.formats.reading import Reading, Window
from fewscan.images.part_names import given_split

NAME = "numpy"
NEEDS: str | None = None

# Of all arrays of an archive, where a few bytes can stand for any number of images; the largest sets have half as many.
MAX_ARCHIVED_IMAGES = 500_000

_ZIP = b"PK\x03\x04"
_DAMAGED = "truncated or damaged: not a complete NumPy array"
_KNOWN = "(H, W), (N, H, W), (N, H, W, 1), (N, 1, H, W), and in color (H, W, 3), (N, H, W, 3) or (N, 3, H, W)"
# Where an array's last side is one of these it is the channels of a picture, not the width of an image.
_MOST_CHANNELS = 4

# What the sides of an array are: N images, H rows, W columns, C color channels, or one that is 1 and says nothing.
_Sides = Literal["HW", "HW1", "HWC", "NHW", "NHW1", "N1HW", "NHWC", "NCHW"]


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    sides: _Sides

    @property
    def images(self) -> int:
        return self.shape[0] if self.sides.startswith("N") else 1


class _Array(NamedTuple):
    """An array of an archive that holds images: its place among all arrays, its name, and what is known of its images."""

    number: int
    name: str
    header: _Header
    labels: Labels | None
    split: GivenSplit | None


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Name the images: `image=0` the first of an array, `array=0` or `array=0,image=0` among several arrays of a .npz.

    Arrays go by their place in the archive and not by their names, which might be a patient's. Labels and the part of a split
    are those that the archive's names tell (`array_labels`, `part_names`). Raises UnreadableImage for what is not whole, and
    where no array holds images.
    """
    with damage_named(_DAMAGED):
        if _is_archive(file):
            with zipfile.ZipFile(file) as archive:
                return _archive_contents(archive)
        header = _only(file)
        return Contents(_numbered(header), notes=_taken(header))


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the images that `parts` names: uint8 is kept, others go through the chosen window or their own."""
    with damage_named(_DAMAGED):
        if _is_archive(file):
            with zipfile.ZipFile(file) as archive:
                yield from _read_archive(archive, parts, reading.window)
            return
        header = _only(file)
        # Mapped, since a stack may be larger than memory.
        array = np.memmap(file, header.dtype, "r", file.tell(), header.shape, "F" if header.fortran else "C")
        known = {part: position for position, part in enumerate(_numbered(header))}
        for part in parts:
            yield _decode(array, header.sides, position_of(part, known), reading.window)


def _only(file: BufferedReader) -> _Header:
    """Return the header of a .npy file; raises UnreadableImage where it holds no images, or not all that it declares."""
    header = _header(file)
    if is_named_labels(Path(str(file.name)).stem) and len(header.shape) == 2:
        raise UnreadableImage("not an image: the file's name says labels; store them in one .npz with their images")
    if math.prod(header.shape) * header.dtype.itemsize > os.fstat(file.fileno()).st_size - file.tell():
        raise UnreadableImage(_DAMAGED)
    return header


def _header(stream: Any) -> _Header:
    """Return shape, order and type of the array that begins here; raises UnreadableImage where it holds no images."""
    shape, fortran, dtype = _shape(stream)
    if dtype.kind not in "biuf":
        raise UnreadableImage("not an image: an array of something other than numbers")
    if min(shape, default=1) < 1:
        raise UnreadableImage("truncated or damaged: it has no pixels")
    sides = _sides(shape, dtype)
    if sides is None:
        raise UnreadableImage(f"not an image: an array of shape {shape}; images are {_KNOWN}")
    require_size(shape[sides.index("W")], shape[sides.index("H")])
    return _Header(shape, fortran, dtype, sides)


def _shape(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran, dtype = readers[version](stream)
    if dtype.hasobject:
        raise UnreadableImage("not an image: an array of pickled Python objects, which is never opened")
    return shape, fortran, dtype


def _sides(shape: tuple[int, ...], dtype: np.dtype[Any]) -> _Sides | None:
    """Return what the sides of an array are, or None where it holds no images: rows and columns are two or more."""
    color: dict[int, _Sides] = {3: "HWC", 4: "NHWC"}
    found: _Sides | None = None
    if len(shape) == 2:
        found = "HW"
    elif len(shape) == 4 and shape[1] in (1, 3) and min(shape[2:]) > _MOST_CHANNELS:
        found = "N1HW" if shape[1] == 1 else "NCHW"
    elif len(shape) in color and shape[-1] == 1:
        found = "HW1" if len(shape) == 3 else "NHW1"
    elif len(shape) in color and shape[-1] == 3 and (len(shape) == 4 or dtype == np.uint8):
        found = color[len(shape)]
    elif len(shape) == 3 and shape[2] > _MOST_CHANNELS:
        found = "NHW"
    return found if found is not None and min(shape[found.index("H")], shape[found.index("W")]) > 1 else None


def _numbered(header: _Header) -> tuple[str | None, ...]:
    """Return the parts of an array, any number of them: that all are there was seen before."""
    return (None,) if header.images == 1 else tuple(f"image={position}" for position in range(header.images))


def _taken(header: _Header) -> tuple[str, ...]:
    """Return what is to be said of an array that may be meant in another way."""
    three = header.sides == "NHW" and header.shape[0] == 3
    return ("three images in one array: taken as gray images, not as the colors of one",) if three else ()


def _is_archive(file: BufferedReader) -> bool:
    begins = file.read(len(_ZIP))
    file.seek(0)
    return begins == _ZIP


def _archive_contents(archive: zipfile.ZipFile) -> Contents:
    arrays, notes = _arrays(archive)
    labels = tuple(label for one in arrays for label in one.labels or (None,) * one.header.images)
    splits = tuple(one.split for one in arrays for _ in range(one.header.images))
    labeled, parted = any(one.labels is not None for one in arrays), any(split is not None for split in splits)
    return Contents(
        tuple(_places(arrays)),
        labels=labels if labeled else None,
        given_splits=splits if parted else None,
        one_head=not labeled and not parted,
        notes=notes,
    )


def _arrays(archive: zipfile.ZipFile) -> tuple[list[_Array], tuple[str, ...]]:
    """Return the arrays of an archive that hold images, with their labels, and what is to be said of the others.

    Raises UnreadableImage where none holds images.
    """
    names = [name for name in dict.fromkeys(archive.namelist()) if name.endswith(".npy")]
    if len(names) > MAX_IMAGES:
        raise UnreadableImage(f"too large: an archive of {len(names)} arrays")
    by_stem = {_stem(name): name for name in names}
    labels_in = {by_stem[images]: by_stem[labels] for images, labels in labels_of(by_stem).items()}
    arrays: list[_Array] = []
    notes: dict[str, None] = {}
    refused: list[UnreadableImage] = []
    images = 0
    for number, name in enumerate(names):
        try:
            header = _archived_header(archive, name)
        except UnreadableImage as unreadable:
            refused.append(unreadable)
            continue
        images += header.images
        if images > MAX_ARCHIVED_IMAGES:
            raise UnreadableImage(f"too large: declares more than {MAX_ARCHIVED_IMAGES} images in one archive")
        labels = _labels(archive, labels_in[name], header.images) if name in labels_in else None
        if isinstance(labels, str):
            notes[labels] = None
            labels = None
        notes |= dict.fromkeys(_taken(header))
        arrays.append(_Array(number, name, header, labels, given_split(_stem(name))))
    if not arrays:
        raise refused[0] if refused else UnreadableImage("not an image: the archive has no array")
    return arrays, tuple(notes)


def _archived_header(archive: zipfile.ZipFile, name: str) -> _Header:
    with archive.open(name) as stream:
        header = _header(stream)
    if is_named_labels(_stem(name)) and len(header.shape) == 2:
        raise UnreadableImage("not an image: the array's name says labels")
    if math.prod(header.shape) > MAX_VOLUME_VALUES:
        raise UnreadableImage(f"too large: declares an array of shape {header.shape} in a .npz; store it as .npy")
    return header


def _labels(archive: zipfile.ZipFile, name: str, images: int) -> Labels | str:
    """Return the classes that the array `name` gives so many images, or why it gives none."""
    with archive.open(name) as stream:
        shape, _, dtype = _shape(stream)
    if not shape or math.prod(shape) > MAX_VOLUME_VALUES or dtype.kind not in "biufUS":
        return "its labels are neither numbers nor text, so they are not read"
    return class_names(_loaded(archive, name), images)


def _loaded(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(name) as stream:
        array: npt.NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _stem(name: str) -> str:
    return name.removesuffix(".npy")


def _places(arrays: Sequence[_Array]) -> dict[str | None, tuple[_Array, int]]:
    """Return the images of an archive: their part's name -> the array and the position in it."""
    places: dict[str | None, tuple[_Array, int]] = {}
    for one in arrays:
        for position, part in enumerate(_numbered(one.header)):
            array = f"array={one.number}"
            places[array if part is None else f"{array},{part}"] = (one, position)
    return {None: next(iter(places.values()))} if len(places) == 1 else places


def _read_archive(
    archive: zipfile.ZipFile, parts: Sequence[str | None], chosen: Window | None
) -> Iterator[Decoded | UnreadableImage]:
    arrays, _ = _arrays(archive)
    places = _places(arrays)
    where = list(places.values())
    known = {part: number for number, part in enumerate(places)}
    loaded, array = "", np.empty((0, 0))
    for part in parts:
        one, position = where[position_of(part, known)]
        if one.name != loaded:
            loaded, array = one.name, _loaded(archive, one.name)
        yield _decode(array, one.header.sides, position, chosen)


def _decode(array: Values, sides: _Sides, position: int, chosen: Window | None) -> Decoded | UnreadableImage:
    image = native(np.asarray(array[position] if sides.startswith("N") else array))
    of_one = sides.removeprefix("N")
    if "1" in of_one:
        image = image[..., 0] if of_one.endswith("1") else image[0]
    if of_one == "CHW":
        image = image.transpose(1, 2, 0)
    values = np.ascontiguousarray(image)
    if "C" in of_one:
        values = gray_if_equal(values)
    if values.dtype == bool:
        values = np.where(values, np.uint8(255), np.uint8(0))
    return decoded(values, partial(to_8_bit, chosen=chosen))
