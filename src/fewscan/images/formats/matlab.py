"""The figshare brain-tumor set: one MATLAB 7.3 file a slice, with its patient and its label.

Jun Cheng, "brain tumor dataset", figshare 1512427: a struct `cjdata` with `PID`, `image`, `label`, `tumorBorder`, `tumorMask`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from typing import Any

import numpy as np

from fewscan.images.formats.gray import decoded, to_8_bit
from fewscan.images.formats.image import (
    Contents,
    Decoded,
    UnreadableImage,
    damage_named,
    native,
    position_of,
    require_size,
)
from fewscan.images.formats.reading import Reading

NAME = "MATLAB"
NEEDS: str | None = "h5py"
LABELS = {1: "meningioma", 2: "glioma", 3: "pituitary"}
# A longer text is nobody's number.
MAX_PATIENT_CHARACTERS = 1_000
_NUMBERS = "iuf"
_DAMAGED = "truncated or damaged: not a complete scan of the figshare set in MATLAB 7.3"


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Return the patient and the label that the file itself gives; raises UnreadableImage for another kind of file."""
    with _struct(file) as struct:
        # MATLAB keeps text as the codes of its characters.
        codes = _numbers(struct, "PID")
        if codes.size > MAX_PATIENT_CHARACTERS:
            raise UnreadableImage(f"too large: its patient's number has more than {MAX_PATIENT_CHARACTERS} characters")
        patient = "".join(chr(int(code)) for code in codes[()].ravel()).strip()
        labels = _numbers(struct, "label")
        if labels.size != 1:
            raise UnreadableImage(_DAMAGED)
        label = labels[()].item()
    if label not in LABELS:
        raise UnreadableImage("no known label: 1, 2 and 3 are meningioma, glioma and pituitary")
    return Contents(patient=patient or None, patient_scope="figshare", labels=(LABELS[label],))


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the slice; its values go through the chosen window, or their own."""
    for part in parts:
        position_of(part, {None: 0})
        with _struct(file) as struct:
            stored = _numbers(struct, "image")
            if stored.ndim != 2:
                raise UnreadableImage("not an image: cjdata.image is not a gray image")
            require_size(*stored.shape)
            # MATLAB stores columns first.
            values = np.ascontiguousarray(native(stored[()]).T)
        yield decoded(values, partial(to_8_bit, chosen=reading.window))


@contextmanager
def _struct(file: BufferedReader) -> Iterator[Any]:
    import h5py

    with damage_named(_DAMAGED), h5py.File(file, "r") as opened:
        if "cjdata" not in opened.keys():  # noqa: SIM118 - `in` would follow a link
            raise UnreadableImage("not an image: of MATLAB files, only those of the figshare brain-tumor set are read")
        yield _held(opened, "cjdata")


def _numbers(struct: Any, name: str) -> Any:
    """Return an array of numbers, not read yet, that lies in the file itself."""
    import h5py

    array = _held(struct, name)
    if not isinstance(array, h5py.Dataset) or array.dtype.kind not in _NUMBERS:
        raise UnreadableImage(f"not an image: cjdata.{name} is not an array of numbers")
    if array.external or array.is_virtual:
        raise _elsewhere()
    return array


def _held(group: Any, name: str) -> Any:
    """Return what a group holds under a name; links of HDF5 can name any file of this machine, and are not followed."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise _elsewhere()
    return group[name]


def _elsewhere() -> UnreadableImage:
    return UnreadableImage("values elsewhere: it refers to other files or places for what it should contain itself")
