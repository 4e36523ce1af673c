"""What every format hands over, and the mapping of deep values to 8 bits that all share."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

MAX_PIXELS = 64_000_000
# Values of a volume that is held in memory at once, 4 bytes each.
MAX_VOLUME_VALUES = 256_000_000
# A damaged header may declare any number of images.
MAX_IMAGES = 20_000

# Percentiles of an image's own values that become black and white where they have more than 8 bits. Not its least and
# greatest: one hot pixel or bright vessel would push all tissue into a few dark grays. Not the range of the type: 12 bits
# kept in 16 would be nearly black.
WINDOW_PERCENTILES = (0.1, 99.9)

# Parts of a split that data may come with.
GivenSplit = Literal["train", "validation", "test"]

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]


class UnreadableImage(Exception):  # noqa: N818 - it describes a file among many, not a fault of the program
    """A file that cannot be used; `reason` is one line, its kind before the first colon.

    `sha256` is over the file's bytes, or None where these could not be read. A reason never quotes a value from a file's
    header: it might be a patient's.
    """

    def __init__(self, reason: str, sha256: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sha256 = sha256


@dataclass(frozen=True)
class Contents:
    """What a look into a file says: its images, and what it says of them itself.

    `parts` names each image among those of its file, such as `frame=3`; (None,) is a file of one image. `patient`, `study` and
    `series` are what a header calls these. Under one `patient_scope` they mean the same in every source; without
    one, in the file's own source alone.
    `labels` and `given_splits` are, where the file says them, those of each part: class names, and of GIVEN_SPLITS. `notes` are
    what a user should know of the file before it is read, a line each, its kind before the first colon, as with reasons.
    """

    parts: tuple[str | None, ...] = (None,)
    patient: str | None = field(default=None, repr=False)
    study: str | None = field(default=None, repr=False)
    series: str | None = field(default=None, repr=False)
    patient_scope: str | None = None
    labels: tuple[str | None, ...] | None = None
    given_splits: tuple[GivenSplit | None, ...] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decoded:
    """One image of a file: its `values` as decoded, upright, and the 8-bit `pixels` that they become.

    Both are (H, W) or (H, W, 3); `pixels` may have other sides where a voxel is no square.
    """

    values: Values
    pixels: Pixels


@contextmanager
def damage_named(reason: str) -> Iterator[None]:
    """Raise UnreadableImage with `reason` for whatever is raised over a damaged file.

    The last resort of the import, and the only one: what the libraries that decode, and those that they call, raise over
    damaged bytes is in no list of theirs, and one bad file must not end an import of thousands. What an error says is not
    repeated: it may quote the file, and so a patient.
    """
    try:
        yield
    except UnreadableImage:
        raise
    except Exception:
        raise UnreadableImage(reason) from None


def decoded_alone(decode: Callable[[], Decoded | UnreadableImage], reason: str) -> Decoded | UnreadableImage:
    """Return what `decode` returns, or why it cannot be: a bad image leaves the others of its file."""
    try:
        with damage_named(reason):
            return decode()
    except UnreadableImage as unreadable:
        return unreadable


def numbered(name: str, count: int, *, first: int) -> tuple[str | None, ...]:
    """Return the parts of a file of `count` images: (None,) for one, or `name=first`, `name=first + 1`, and so on.

    Raises UnreadableImage for more than MAX_IMAGES.
    """
    if count > MAX_IMAGES:
        raise UnreadableImage(f"too large: declares {count} images in one file")
    return (None,) if count == 1 else tuple(f"{name}={first + position}" for position in range(count))


def positions(parts: Sequence[str | None], name: str, count: int, *, first: int) -> list[int]:
    """Return the positions, from 0, of the parts that `numbered` made.

    Raises UnreadableImage where no part is named though the file holds several, and where one is not in it.
    """
    if list(parts) == [None] and count != 1:
        raise UnreadableImage(f"more than one image: {count} {name}s")
    known = {part: position for position, part in enumerate(numbered(name, count, first=first))}
    return [position_of(part, known) for part in parts]


def position_of(part: str | None, known: dict[str | None, int]) -> int:
    """Return the position of `part` among those that are `known`; raises UnreadableImage where it is none of them."""
    if part not in known:
        raise UnreadableImage("no such image: its file holds none of that name")
    return known[part]


def require_size(width: int, height: int) -> None:
    """Raise UnreadableImage for an image of more than MAX_PIXELS."""
    if width * height > MAX_PIXELS:
        raise UnreadableImage(f"too large: declares {width} x {height} pixels")


def native(values: Values) -> Values:
    """Return `values` in this machine's byte order."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def gray_if_equal(color: Values) -> Values:
    """Return (H, W) where the three channels of (H, W, 3) are equal, else `color` as it is."""
    if (color[..., 0] == color[..., 1]).all() and (color[..., 0] == color[..., 2]).all():
        return np.ascontiguousarray(color[..., 0])
    return color


def to_8_bit(values: Values) -> Pixels:
    """Map values linearly, WINDOW_PERCENTILES to 0 and 255; uint8 is kept as it is."""
    return values if values.dtype == np.uint8 else windowed(values, *window(values))


def window(values: Values) -> tuple[float, float]:
    """Return the WINDOW_PERCENTILES of `values`, or their least and greatest where these are one.

    NaN is no value; at least one must be another.
    """
    count = values.size - int(np.isnan(values).sum()) if values.dtype.kind == "f" else values.size
    ranks = np.array(WINDOW_PERCENTILES) / 100 * (count - 1)
    below, above = np.floor(ranks).astype(np.intp), np.ceil(ranks).astype(np.intp)
    # Not numpy's percentile, which takes differences in the type of the values, where they overflow. NaN is sorted last.
    ordered = np.partition(values, [0, *below, *above, count - 1], axis=None)
    lower, upper = ordered[below].astype(np.float64) / 2, ordered[above].astype(np.float64) / 2
    black, white = 2 * (lower + (upper - lower) * (ranks - below))
    if black == white:
        # Nearly all of it has one value: what little there is to see lies outside the window.
        black, white = ordered[0], ordered[count - 1]
    return float(black), float(white)


def decoded(values: Values, to_pixels: Callable[[Values], Pixels] = to_8_bit) -> Decoded | UnreadableImage:
    """Return `values` with their 8-bit pixels, or why these cannot be: no pixels, or NaN or infinite ones among them."""
    if values.size == 0:
        return UnreadableImage("truncated or damaged: it has no pixels")
    if not np.isfinite(values).all():
        return UnreadableImage("not finite: it holds NaN or infinite values")
    return Decoded(values, to_pixels(values))


def windowed(values: Values, black: float, white: float) -> Pixels:
    """Map values linearly, `black` to 0 and `white` to 255; where the two are one, what lies above becomes white."""
    # Halves, since the difference of two numbers may be greater than the greatest number.
    half_black, half_white = black / 2, white / 2
    if half_black == half_white:
        return np.where(values > white, np.uint8(255), np.uint8(0))
    # In place, since these may be 64 million values.
    scaled = np.multiply(values, 0.5, dtype=np.float64)
    scaled.clip(half_black, half_white, out=scaled)
    scaled -= half_black
    scaled /= half_white - half_black
    scaled *= 255
    return np.rint(scaled, out=scaled).astype(np.uint8)
