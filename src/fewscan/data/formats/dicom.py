"""DICOM files: their frames, as a viewer would show them, and whose they are.

What pydicom says of a damaged file quotes the file, so no reason here repeats it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from fewscan.data.formats.image import (
    DAMAGE,
    Contents,
    Decoded,
    Pixels,
    UnreadableImage,
    Values,
    decoded,
    grey_if_equal,
    native,
    numbered,
    positions,
    require_size,
    window,
    windowed,
)
from fewscan.data.formats.slices import Slices

if TYPE_CHECKING:
    from pydicom import Dataset

NAME = "DICOM"
NEEDS: str | None = "pydicom"

_OF_INTEREST = ["PatientID", "IssuerOfPatientID", "SeriesInstanceUID", "NumberOfFrames"]
_GREY = ("MONOCHROME1", "MONOCHROME2")
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def contents(file: BufferedReader, slices: Slices) -> Contents:
    """Name the frames, `frame=1` the first, and the patient: PatientID with its issuer, or else the series.

    Raises UnreadableImage where the header cannot be read.
    """
    import pydicom

    with _damage_named():
        header = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=list(_OF_INTEREST))
        patient = _text(header, "PatientID")
        if patient and (issuer := _text(header, "IssuerOfPatientID")):
            patient = f"{patient}^^^{issuer}"
        return Contents(numbered("frame", _frames(header), first=1), patient or _text(header, "SeriesInstanceUID") or None)


def read(file: BufferedReader, parts: Sequence[str | None]) -> Iterator[Decoded | UnreadableImage]:
    """Yield the frames that `parts` names, as PS3.4 N.2 and PS3.3 C.11 have them shown.

    Grey goes through the modality LUT or rescale slope and intercept, then through the first VOI LUT or window; without one,
    or with a window of no width, unsigned 8-bit values are kept and others mapped linearly, WINDOW_PERCENTILES of the frame to
    0 and 255. MONOCHROME1 is turned round. Padding counts for no window and becomes black. Palettes and YBR become RGB; of
    colour with more than 8 bits the upper 8 are kept. Of an enhanced object each frame has its own functional groups.

    Raises UnreadableImage for objects without pixels, and for those that are damaged or compressed in a way that no plug-in of
    pydicom's that is installed can decode.
    """
    import pydicom
    from pydicom.pixels.utils import iter_pixels

    with _damage_named():
        dataset = pydicom.dcmread(file, force=True)
        _require_pixels(dataset)
        numbers = positions(parts, "frame", _frames(dataset), first=1)
        require_size(int(dataset.Columns), int(dataset.Rows))
        undecodable = _undecodable(dataset)
    with _damage_named(undecodable):
        for number, frame in zip(numbers, iter_pixels(dataset, indices=numbers), strict=True):
            values = native(frame)
            if dataset.PhotometricInterpretation in _GREY:
                yield decoded(values, partial(_shown, dataset=dataset, number=number))
            else:
                yield decoded(_colour(values, dataset), partial(_upper_8_bits, dataset=dataset))


@contextmanager
def _damage_named(reason: str = "truncated or damaged: its DICOM header cannot be read") -> Iterator[None]:
    from pydicom.errors import BytesLengthException, InvalidDicomError

    try:
        yield
    except (InvalidDicomError, BytesLengthException, AttributeError, OSError, *DAMAGE):
        raise UnreadableImage(reason) from None


def _text(dataset: "Dataset", keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def _frames(dataset: "Dataset") -> int:
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def _require_pixels(dataset: "Dataset") -> None:
    if any(keyword in dataset for keyword in _PIXELS):
        return
    kind = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
    if kind is None:
        raise UnreadableImage("not an image: no whole DICOM object begins here")
    # A UID that is in no dictionary is its own name, and might hold anything.
    raise UnreadableImage(f"no pixels: DICOM {kind.name if kind.name != kind else 'object of a private kind'}")


def _undecodable(dataset: "Dataset") -> str:
    """Note how the pixels are stored where the header leaves it out, and return what to say if they cannot be decoded."""
    from pydicom import uid

    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little_endian = dataset.original_encoding
        explicit = uid.ExplicitVRLittleEndian if little_endian else uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    syntax = dataset.file_meta.TransferSyntaxUID
    name = "a private transfer syntax" if syntax.name == syntax else syntax.name
    if syntax.is_private or syntax.is_encapsulated:
        return f"not decodable: damaged, or no plug-in of pydicom's that is installed reads {name}; see docs/data.md"
    return f"truncated or damaged: its pixels cannot be decoded ({name})"


def _group(dataset: "Dataset", number: int, keyword: str) -> "Dataset":
    """Return the functional group that holds for a frame (PS3.3 C.7.6.16), or the object itself where it has none."""
    for sequence, position in (("PerFrameFunctionalGroupsSequence", number), ("SharedFunctionalGroupsSequence", 0)):
        groups = dataset.get(sequence) or ()
        if position < len(groups) and groups[position].get(keyword):
            return cast("Dataset", groups[position].get(keyword)[0])
    return dataset


def _shown(stored: Values, dataset: "Dataset", number: int) -> Pixels:
    """Map a grey frame's stored values to 8 bits."""
    from pydicom.pixels.processing import apply_modality_lut

    padding = _padding(stored, dataset)
    values = apply_modality_lut(stored, _group(dataset, number, "PixelValueTransformationSequence"))
    voi = _group(dataset, number, "FrameVOILUTSequence")
    if voi.get("VOILUTSequence"):
        pixels = _through_table(values, voi.VOILUTSequence[0], little_endian=bool(dataset.original_encoding[1]))
    elif (limits := _window(voi)) is not None:
        pixels = _through_window(values, *limits, str(voi.get("VOILUTFunction") or "LINEAR").upper())
    elif values.dtype == np.uint8 and dataset.BitsStored == 8:
        pixels = values
    elif padding.all():
        pixels = np.zeros(values.shape, np.uint8)
    else:
        pixels = windowed(values, *window(values[~padding]))
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        pixels = 255 - pixels
    return np.where(padding, np.uint8(0), pixels)


def _padding(stored: Values, dataset: "Dataset") -> npt.NDArray[np.bool_]:
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return np.zeros(stored.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted([value, limit if isinstance(limit, int) else value])
    return (stored >= ends[0]) & (stored <= ends[1])


def _window(voi: "Dataset") -> tuple[float, float] | None:
    """Return the centre and width of the first window, or None where there is none that has a width."""
    centre, width = (_first(voi.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    return None if centre is None or width is None or width <= 0 else (centre, width)


def _first(value: Any) -> float | None:
    if value is None or isinstance(value, str):
        return None
    several = list(value) if hasattr(value, "__iter__") else [value]
    return float(several[0]) if several else None


def _through_window(values: Values, centre: float, width: float, function: str) -> Pixels:
    """Map values through a window: PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID), C.11.2.1.3.2 (LINEAR_EXACT)."""
    if function == "SIGMOID":
        # Beyond these the curve is flat to 8 bits, and exp would overflow.
        steepness = np.clip(-4 * (values - centre) / width, -50, 50)
        return np.rint(255 / (1 + np.exp(steepness))).astype(np.uint8)
    if function == "LINEAR_EXACT":
        return windowed(values, centre - width / 2, centre + width / 2)
    half = max(width - 1, 0) / 2
    return windowed(values, centre - 0.5 - half, centre - 0.5 + half)


def _through_table(values: Values, item: "Dataset", *, little_endian: bool) -> Pixels:
    """Map values through a VOI LUT (PS3.3 C.11.2.1.1), whose whole range becomes 0 to 255."""
    entries, first_mapped, bits = item.LUTDescriptor
    data = item.LUTData
    table = np.frombuffer(data, "<u2" if little_endian else ">u2") if isinstance(data, bytes) else np.asarray(data)
    table = windowed(table[: entries or 2**16], 0, 2**bits - 1)
    pixels: Pixels = table[np.clip(np.rint(values) - first_mapped, 0, len(table) - 1).astype(np.int64)]
    return pixels


def _colour(values: Values, dataset: "Dataset") -> Values:
    from pydicom.pixels.processing import apply_color_lut

    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)[..., :3]
    if values.ndim != 3 or values.shape[2] != 3:
        raise UnreadableImage("not grey and not colour: it has another number of channels")
    return grey_if_equal(values)


def _upper_8_bits(values: Values, dataset: "Dataset") -> Pixels:
    stored_bits = 8 * values.dtype.itemsize if dataset.PhotometricInterpretation == "PALETTE COLOR" else int(dataset.BitsStored)
    return (values >> max(stored_bits - 8, 0)).astype(np.uint8)
