"""What every format hands over, and the bounds that all keep."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fewscan.memory import is_too_little

MAX_PIXELS = 64_000_000
# Values of a volume that is held in memory at once, 4 bytes each.
MAX_VOLUME_VALUES = 256_000_000
# A damaged header may declare any number of images.
MAX_IMAGES = 20_000

# A file may be whole and be read on a larger machine.
TOO_LITTLE_MEMORY = "too large: there is not enough memory to read it"

# Parts of a split that data may come with.
GivenSplit = Literal["train", "validation", "test"]

# Numbers that stand in headers, of what holds the fewest images first.
HEADER_NUMBERS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "AccessionNumber", "PatientID")

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
    one, in the file's own source alone. `numbers` are a header's HEADER_NUMBERS, in that order, "" for one that it lacks.
    `labels` and `given_splits` are, where the file says them, those of each part: class names, and GivenSplit. `one_head`:
    whether its images are one patient's where nobody says whose they are. `notes` are what a user should know of the file
    before it is read, a line each, its kind before the first colon, as with reasons.
    """

    parts: tuple[str | None, ...] = (None,)
    patient: str | None = field(default=None, repr=False)
    study: str | None = field(default=None, repr=False)
    series: str | None = field(default=None, repr=False)
    patient_scope: str | None = None
    numbers: tuple[str, ...] = field(default=(), repr=False)
    labels: tuple[str | None, ...] | None = None
    given_splits: tuple[GivenSplit | None, ...] | None = None
    one_head: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decoded:
    """One image of a file: its `values` as decoded, upright, and the 8-bit `pixels` that they become.

    Both are (H, W) or (H, W, 3); `pixels` may have other sides where a voxel is no square. `notes` are what a user should know
    of how the pixels came about, as with Contents.
    """

    values: Values
    pixels: Pixels
    notes: tuple[str, ...] = ()


@contextmanager
def damage_named(reason: str) -> Iterator[None]:
    """Raise UnreadableImage with `reason` for whatever is raised over a damaged file, but for want of memory.

    The last resort of the import, and the only one: what the libraries that decode, and those that they call, raise over
    damaged bytes is in no list of theirs, and one bad file must not end an import of thousands. What an error says is not
    repeated: it may quote the file, and so a patient.
    """
    try:
        yield
    except UnreadableImage:
        raise
    except Exception as error:
        raise UnreadableImage(TOO_LITTLE_MEMORY if is_too_little(error) else reason) from None


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
    """Return the positions, from 0, of the parts that `numbered` made; raises UnreadableImage as `position_of` does."""
    known = {part: position for position, part in enumerate(numbered(name, count, first=first))}
    return [position_of(part, known) for part in parts]


def position_of(part: str | None, known: dict[str | None, int]) -> int:
    """Return the position of `part` among those that are `known`.

    Raises UnreadableImage where no part is named though the file holds several, and where one is not in it.
    """
    if part in known:
        return known[part]
    first = next(iter(known))
    if part is None:
        raise UnreadableImage(f"more than one image: it has {len(known):,}; name one, such as the first, FILE#{first}")
    held = "only one image" if first is None else f"none of that name; the first is FILE#{first}"
    raise UnreadableImage(f"no such image: its file has {held}")


def require_size(width: int, height: int) -> None:
    """Raise UnreadableImage for an image of more than MAX_PIXELS."""
    if width * height > MAX_PIXELS:
        raise UnreadableImage(f"too large: declares {width} x {height} pixels")


def native(values: Values) -> Values:
    """Return `values` in this machine's byte order."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def gray_if_equal(color: Values) -> Values:
    """Return (H, W) where the three channels of (H, W, 3) are equal, else `color` as it is."""
    # Each channel on its own first: side by side in memory they are compared at half the speed.
    red, *others = (np.ascontiguousarray(color[..., channel]) for channel in range(3))
    return red if all((red == other).all() for other in others) else color
