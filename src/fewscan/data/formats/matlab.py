"""The figshare brain-tumor set: one MATLAB 7.3 file a slice, with its patient and its label.

Jun Cheng, "brain tumor dataset", figshare 1512427: a struct `cjdata` with `PID`, `image`, `label`, `tumorBorder`, `tumorMask`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from typing import Any

import numpy as np

from fewscan.data.formats.gray import decoded, to_8_bit
from fewscan.data.formats.image import (
    Contents,
    Decoded,
    UnreadableImage,
    damage_named,
    native,
    position_of,
    require_size,
)
from fewscan.data.formats.reading import Reading

NAME = "MATLAB"
NEEDS: str | None = "h5py"
LABELS = {1: "meningioma", 2: "glioma", 3: "pituitary"}


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Return the patient and the label that the file itself gives; raises UnreadableImage for another kind of file."""
    with _struct(file) as struct:
        # MATLAB keeps text as the codes of its characters.
        patient = "".join(chr(code) for code in struct["PID"][()].ravel()).strip()
        label = struct["label"][()].item()
    if label not in LABELS:
        raise UnreadableImage("no known label: 1, 2 and 3 are meningioma, glioma and pituitary")
    return Contents(patient=patient or None, patient_scope="figshare", labels=(LABELS[label],))


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the slice; its values go through the chosen window, or their own."""
    for part in parts:
        position_of(part, {None: 0})
        with _struct(file) as struct:
            stored = struct["image"]
            if stored.ndim != 2 or stored.dtype.kind not in "iuf":
                raise UnreadableImage("not an image: cjdata.image is no gray one")
            require_size(*stored.shape)
            # MATLAB stores columns first.
            values = np.ascontiguousarray(native(stored[()]).T)
        yield decoded(values, partial(to_8_bit, chosen=reading.window))


@contextmanager
def _struct(file: BufferedReader) -> Iterator[Any]:
    import h5py

    reason = "truncated or damaged: not one whole scan of the figshare set, in MATLAB 7.3"
    with damage_named(reason), h5py.File(file, "r") as opened:
        if "cjdata" not in opened:
            raise UnreadableImage("not an image: of MATLAB's files only those of the figshare brain-tumor set are read")
        yield opened["cjdata"]
