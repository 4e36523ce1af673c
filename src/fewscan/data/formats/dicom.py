"""DICOM files: their frames, as a viewer would show them, and whose they are.

What pydicom says of a damaged file quotes the file, so no reason here repeats it.
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from io import BufferedReader
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from fewscan.data.formats.image import (
    Contents,
    Decoded,
    Pixels,
    UnreadableImage,
    Values,
    damage_named,
    decoded,
    decoded_alone,
    gray_if_equal,
    native,
    numbered,
    positions,
    require_size,
    window,
    windowed,
)
from fewscan.data.formats.reading import Reading

if TYPE_CHECKING:
    from pydicom import Dataset

NAME = "DICOM"
NEEDS: str | None = "pydicom"

# What a deflated object may be when it is inflated, which pydicom does in memory: a small file can become a giant one.
MAX_INFLATED_BYTES = 256 * 2**20

_OF_INTEREST = ["SOPClassUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "NumberOfFrames"]
_GRAY = ("MONOCHROME1", "MONOCHROME2")
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
# RT Dose, Segmentation and Label Map Segmentation (PS3.4 B.5): pixels that are drawn over a scan.
_NO_SCANS = ("1.2.840.10008.5.1.4.1.1.481.2", "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_DAMAGED = "truncated or damaged: its DICOM header cannot be read"
_INFLATED_AT_ONCE_BYTES = 2**20


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Name the frames, `frame=1` the first, and PatientID, study and series.

    These mean the same patient in every source. The issuer of a PatientID is left out, since not every file of a patient's has
    it, and to take two patients for one only costs images. Raises UnreadableImage where the header cannot be read, and for
    objects that are no scans.
    """
    import pydicom

    with damage_named(_DAMAGED):
        _require_bounded(file)
        header = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=list(_OF_INTEREST))
        _require_scan(header)
        patient, study, series = (
            _text(header, keyword) or None for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
        )
        return Contents(numbered("frame", _frames(header), first=1), patient, study, series, patient_scope="dicom")


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the frames that `parts` names, as PS3.4 N.2 and PS3.3 C.11 have them shown.

    Gray goes through the modality LUT or rescale slope and intercept, then through the first VOI LUT or window; without one,
    or with a window that has no width or is not finite, unsigned 8-bit values are kept and others mapped linearly,
    WINDOW_PERCENTILES of the frame to 0 and 255. MONOCHROME1 is turned round. Padding counts for no window and becomes black.
    Palettes and YBR become RGB; of color with more than 8 bits the upper 8 are kept. Of an enhanced object each frame has its
    own functional groups.

    Raises UnreadableImage for objects that are no scans or have no pixels, and for those that are damaged. Frames that are
    damaged, or compressed in a way that no plug-in of pydicom's that is installed can decode, are set aside one by one.
    """
    import pydicom

    with damage_named(_DAMAGED):
        _require_bounded(file)
        dataset = pydicom.dcmread(file, force=True)
        _require_scan(dataset)
        _require_pixels(dataset)
        numbers = positions(parts, "frame", _frames(dataset), first=1)
        require_size(int(dataset.Columns), int(dataset.Rows))
        undecodable = _undecodable(dataset)
    for number in numbers:
        yield decoded_alone(partial(_decode, dataset, number), undecodable)


def _decode(dataset: "Dataset", number: int) -> Decoded | UnreadableImage:
    from pydicom.pixels.utils import pixel_array

    values = native(pixel_array(dataset, index=number))
    if dataset.PhotometricInterpretation in _GRAY:
        return decoded(values, partial(_shown, dataset=dataset, number=number))
    return decoded(_color(values, dataset), partial(_upper_8_bits, dataset=dataset))


def _require_bounded(file: BufferedReader) -> None:
    """Raise UnreadableImage for a deflated object (PS3.5 A.5) of more than MAX_INFLATED_BYTES; leave `file` at its start."""
    from pydicom.filereader import read_dataset, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    read_preamble(file, force=True)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated_bytes = 0
        while some := inflating.unconsumed_tail or file.read(_INFLATED_AT_ONCE_BYTES):
            inflated_bytes += len(inflating.decompress(some, _INFLATED_AT_ONCE_BYTES))
            if inflated_bytes > MAX_INFLATED_BYTES:
                raise UnreadableImage(f"too large: deflated, and more than {MAX_INFLATED_BYTES} bytes when it is inflated")
    file.seek(0)


def _require_scan(dataset: "Dataset") -> None:
    kind = dataset.get("SOPClassUID")
    if kind in _NO_SCANS:
        raise UnreadableImage(f"not a scan: DICOM {kind.name}")


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
    """Map a gray frame's stored values to 8 bits."""
    little_endian = bool(dataset.original_encoding[1])
    padding = _padding(stored, dataset)
    values = _transformed(stored, _group(dataset, number, "PixelValueTransformationSequence"), little_endian)
    voi = _group(dataset, number, "FrameVOILUTSequence")
    if (table := _table(voi, "VOILUTSequence")) is not None:
        pixels = windowed(_looked_up(values, table, little_endian), 0, 2 ** table.LUTDescriptor[2] - 1)
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


def _transformed(stored: Values, group: "Dataset", little_endian: bool) -> Values:
    """Apply the modality LUT, or rescale slope and intercept (PS3.3 C.11.1); where they change nothing, keep the type too."""
    if (table := _table(group, "ModalityLUTSequence")) is not None:
        return _looked_up(stored, table, little_endian)
    slope, intercept = (_first(group.get(keyword)) for keyword in ("RescaleSlope", "RescaleIntercept"))
    slope, intercept = 1 if slope is None else slope, intercept or 0
    if (slope, intercept) == (1, 0):
        return stored
    with np.errstate(over="ignore", invalid="ignore"):
        values: Values = stored.astype(np.float64) * slope + intercept
    if not np.isfinite(values).all():
        raise UnreadableImage("not finite: its rescale slope and intercept make NaN or infinite values")
    return values


def _padding(stored: Values, dataset: "Dataset") -> npt.NDArray[np.bool_]:
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return np.zeros(stored.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = np.array([value, limit if isinstance(limit, int) else value])
    if stored.dtype.kind in "iu" and stored.dtype.itemsize > 1:
        # Some write it as if it were unsigned, whatever the pixels are, or the other way round: its bits are what counts.
        ends = ends.astype(stored.dtype)
    padding: npt.NDArray[np.bool_] = (stored >= ends.min()) & (stored <= ends.max())
    return padding


def _window(voi: "Dataset") -> tuple[float, float] | None:
    """Return the center and width of the first window, or None where there is none that has a width and is finite."""
    center, width = (_first(voi.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    if center is None or width is None or width <= 0 or not math.isfinite(abs(center) + width):
        return None
    return center, width


def _first(value: Any) -> float | None:
    if value is None or isinstance(value, str):
        return None
    several = list(value) if hasattr(value, "__iter__") else [value]
    return float(several[0]) if several else None


def _through_window(values: Values, center: float, width: float, function: str) -> Pixels:
    """Map values through a window: PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID), C.11.2.1.3.2 (LINEAR_EXACT)."""
    if function == "SIGMOID":
        # Beyond these the curve is flat to 8 bits, and exp would overflow.
        steepness = np.clip(-4 * (values - center) / width, -50, 50)
        return np.rint(255 / (1 + np.exp(steepness))).astype(np.uint8)
    # Of LINEAR the standard has widths of 1 and more, and of less some scanners make the window of values below 1.
    if function == "LINEAR_EXACT" or width < 1:
        return windowed(values, center - width / 2, center + width / 2)
    half = (width - 1) / 2
    return windowed(values, center - 0.5 - half, center - 0.5 + half)


def _table(group: "Dataset", keyword: str) -> "Dataset | None":
    """Return the first LUT of a sequence, or None where it has none that is described and has entries."""
    item = next(iter(group.get(keyword) or ()), None)
    return item if item is not None and item.get("LUTDescriptor") and item.get("LUTData") else None


def _looked_up(values: Values, table: "Dataset", little_endian: bool) -> Values:
    """Map values through a LUT (PS3.3 C.11.1.1, C.11.2.1.1): those before it become its first entry, others its last."""
    entries, first_mapped, bits = table.LUTDescriptor
    entries = entries or 2**16
    if first_mapped >= 2**15 and values.max() < first_mapped:
        # A negative number that was written as an unsigned one: no value would be in the table.
        first_mapped -= 2**16
    data = table.LUTData
    lut = np.frombuffer(data, "<u2" if little_endian else ">u2") if isinstance(data, bytes) else np.asarray(data, np.uint16)
    if bits <= 8 and len(lut) == (entries + 1) // 2:
        # Two entries a word, the first in its lower byte.
        lut = lut.astype("<u2").view(np.uint8)
    if len(lut) < entries:
        raise UnreadableImage("truncated or damaged: a look-up table has fewer entries than it declares")
    mapped: Values = native(lut)[np.clip(np.rint(values) - first_mapped, 0, entries - 1).astype(np.int64)]
    return mapped


def _color(values: Values, dataset: "Dataset") -> Values:
    from pydicom.pixels.processing import apply_color_lut

    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)[..., :3]
    if values.ndim != 3 or values.shape[2] != 3:
        raise UnreadableImage("not gray and not color: it has another number of channels")
    return gray_if_equal(values)


def _upper_8_bits(values: Values, dataset: "Dataset") -> Pixels:
    stored_bits = 8 * values.dtype.itemsize if dataset.PhotometricInterpretation == "PALETTE COLOR" else int(dataset.BitsStored)
    return (values >> max(stored_bits - 8, 0)).astype(np.uint8)
