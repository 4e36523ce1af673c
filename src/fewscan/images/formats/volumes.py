"""Volumes of every format: turned to one place in space, and shown slice by slice, upright and with square pixels."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fewscan.images.formats.gray import CT_REACHES_BELOW, CT_WITHOUT_WINDOW, chosen_notes, square, window, windowed
from fewscan.images.formats.image import (
    MAX_IMAGES,
    MAX_VOLUME_VALUES,
    Contents,
    Decoded,
    UnreadableImage,
    Values,
    native,
    position_of,
)
from fewscan.images.formats.reading import Plane, Reading, Window

# A voxel is foreground above this share of the volume's window, and a slice holds brain from this share of foreground on.
FOREGROUND = 0.1
BRAIN_SHARE = 0.1
# Where more than this share of the voxels have exactly one value, that is no tissue; scaled to a mean of 0 it is not black.
BACKGROUND_SHARE = 0.1

_PLACE_UNKNOWN = "orientation unknown: its header does not say where left and right are, so slices may be turned or mirrored"
_TURNED_ROUND = "negative slope: the header swaps black and white, and so does the image"

# The axis of the volume, turned to run from left to right, back to front and foot to head, that a plane's slices lie along.
_AXES: dict[Plane, int] = {"sagittal": 0, "coronal": 1, "axial": 2}


class Volume(NamedTuple):
    """Values (X, Y, Z) that run left to right, back to front, foot to head, and their voxels' sides.

    slope: the header's, 1 where it has none; placed: whether it says how the volume lies.
    """

    values: Values
    voxel_sizes_mm: tuple[float, ...]
    slope: float
    placed: bool


Opened = Callable[[], AbstractContextManager[Volume]]


def slices_of(opened: Opened, reading: Reading) -> Contents:
    """Name the slices of the chosen plane, `axial=12` the one with voxel index 12, counted from 0.

    A slice holds brain where at least BRAIN_SHARE of its voxels are brighter than FOREGROUND of the way from the volume's black
    to its white, and are not its background: the value that the most voxels have, where more than BACKGROUND_SHARE have it and
    it is below white. Where more than that share are NaN, all others are foreground. Raises UnreadableImage for a volume that
    cannot be read, and where no slice holds brain.
    """
    axis = _AXES[reading.plane]
    with opened() as volume:
        chosen = np.arange(volume.values.shape[axis])
        limits = window(volume.values)
        if limits[0] == limits[1]:
            raise UnreadableImage("blank: every voxel has the same value")
        if reading.slices == "brain":
            others = tuple(other for other in range(3) if other != axis)
            share = _foreground(volume.values, *limits).mean(axis=others)
            chosen = np.flatnonzero(share >= BRAIN_SHARE)
        notes = _notes(volume, limits[0], reading)
    if not len(chosen):
        raise UnreadableImage("no brain: every slice is nearly black; import --slices all takes them as they are")
    return Contents(tuple(f"{reading.plane}={number}" for number in chosen), notes=notes)


def read_slices(opened: Opened, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the slices that `parts` names, in radiological convention, with square pixels.

    The volume is turned to its nearest canonical axes by its affine (no resampling across slices). The patient's right is on
    the image's left; up is to the front in axial slices and to the head in the others; sagittal slices look to the left.
    The ends of the chosen window, or of that of the whole volume's values, become 0 and 255; a window that was chosen leaves
    volumes of unscaled 8-bit values alone. NaN is no value and becomes black. Pixels that are no squares are resampled to the
    shorter side, bilinearly.

    Raises UnreadableImage for what is not one whole three-dimensional volume, or `reading.volume` of several, of at most
    MAX_VOLUME_VALUES values and MAX_IMAGES a side.
    """
    with opened() as volume:
        if list(parts) == [None]:
            raise UnreadableImage("more than one image: it is a volume; name a slice, such as FILE#axial=12")
        shape = volume.values.shape
        slices = [(plane, number) for plane, axis in _AXES.items() for number in range(shape[axis])]
        known: dict[str | None, int] = {f"{plane}={number}": position for position, (plane, number) in enumerate(slices)}
        chosen = _chosen(volume, reading)
        black, white = window(volume.values) if chosen is None else chosen.limits
        for part in parts:
            plane, number = slices[position_of(part, known)]
            values = _displayed(volume.values, plane, number)
            pixels = windowed(np.nan_to_num(values, nan=black), black, white)
            width_mm, height_mm = (size for axis, size in enumerate(volume.voxel_sizes_mm) if axis != _AXES[plane])
            yield Decoded(values, square(pixels, width_mm, height_mm))


def upright(values: Values, affine: npt.NDArray[np.float64], *, slope: float = 1, placed: bool = True) -> Volume:
    """Turn (X, Y, Z) values to their nearest canonical axes by `affine`, from voxels to mm right, front and up.

    Raises UnreadableImage where values or affine are not finite, or a voxel has no size.
    """
    import nibabel
    from nibabel import affines

    if not np.isfinite(affine).all() or not _finite(values):
        raise UnreadableImage("not finite: its values or its position in space")
    canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(values, affine))
    voxel_sizes = tuple(float(size) for size in affines.voxel_sizes(canonical.affine))
    if min(voxel_sizes) <= 0:
        raise UnreadableImage("truncated or damaged: a voxel's side is 0 mm")
    return Volume(np.asanyarray(canonical.dataobj), voxel_sizes, slope, placed)


def number_of(volumes: int, reading: Reading) -> int:
    """Return which of a file's volumes is meant; which contrast or moment of several is, nobody can know from here."""
    if volumes == 1:
        return 0
    if reading.volume is None:
        raise UnreadableImage(
            f"more than one volume: it has {volumes}; import --volume INDEX takes one of them, counted from 0"
        )
    if reading.volume >= volumes:
        raise UnreadableImage(f"no such volume: --volume {reading.volume}, but it has 0 to {volumes - 1}")
    return reading.volume


def values_of(stored: Any, volume: int) -> Values:
    """Read one volume's values (X, Y, Z) of (X, Y, Z, N): integers of at most 16 bits as they are, others as float32.

    Slice by slice, in the order of the file: all at once they would be in memory a second time, as they are before conversion
    and scaling.
    """
    first = native(stored[..., 0, volume])
    values = np.empty(stored.shape[:3], first.dtype if first.dtype.itemsize <= 2 else np.float32, order="F")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused
        for number in range(values.shape[2]):
            values[..., number] = stored[..., number, volume]
    return values


def require_volume(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise UnreadableImage for what is no gray volume of at most MAX_VOLUME_VALUES values and MAX_IMAGES a side."""
    if dtype.kind not in "iuf":
        raise UnreadableImage("not gray: its voxels are colors or complex numbers")
    if len(shape) < 2 or min(shape) < 1:
        raise UnreadableImage("truncated or damaged: it has no pixels")
    if math.prod(int(size) for size in shape[:3]) > MAX_VOLUME_VALUES or max(shape) > MAX_IMAGES:
        raise UnreadableImage(f"too large: declares {' x '.join(str(size) for size in shape)} voxels")


def _chosen(volume: Volume, reading: Reading) -> Window | None:
    """Return the window that the user chose, but for 8 bits: their values are gray levels that somebody has windowed."""
    return None if volume.values.dtype == np.uint8 else reading.window


def _notes(volume: Volume, black: float, reading: Reading) -> tuple[str, ...]:
    of_header = (() if volume.placed else (_PLACE_UNKNOWN,)) + ((_TURNED_ROUND,) if volume.slope < 0 else ())
    if (chosen := _chosen(volume, reading)) is not None:
        return of_header + chosen_notes(volume.values, chosen)
    return (*of_header, CT_WITHOUT_WINDOW) if volume.slope > 0 and black < CT_REACHES_BELOW else of_header


def _finite(values: Values) -> bool:
    """Return whether no value is infinite and at least one is a number; a slice at a time, since a mask is a volume too."""
    slices = [values[..., number] for number in range(values.shape[2])]
    return not any(np.isinf(one).any() for one in slices) and not all(np.isnan(one).all() for one in slices)


def _foreground(volume: Values, black: float, white: float) -> npt.NDArray[np.bool_]:
    missing = np.isnan(volume)
    if missing.mean() > BACKGROUND_SHARE:
        # Outside of the head there is nothing, so that all there is, is head.
        return ~missing
    background = _background(volume)
    foreground: npt.NDArray[np.bool_] = volume > black + FOREGROUND * (white - black)
    if background is not None and background < white:
        foreground &= volume != background
    return foreground


def _background(volume: Values) -> float | None:
    """Return the value that the most voxels have, if more than BACKGROUND_SHARE have it."""
    # In sorted order such a value fills more than the way from one of these ranks to the next.
    ranks = np.arange(0, volume.size, max(1, int(BACKGROUND_SHARE * volume.size)))
    candidates = np.unique(np.partition(volume, ranks, axis=None)[ranks])
    counts = [np.count_nonzero(volume == value) for value in candidates]
    most = int(np.argmax(counts))
    return float(candidates[most]) if counts[most] > BACKGROUND_SHARE * volume.size else None


def _displayed(volume: Values, plane: Plane, number: int) -> Values:
    """Return one slice as it is looked at: (rows from the top, columns from the left)."""
    # Both remaining axes run the other way on the screen: to the patient's left or front, and to the front or head.
    return np.ascontiguousarray(np.flip(np.moveaxis(volume, _AXES[plane], 0)[number]).T, dtype=np.float32)
