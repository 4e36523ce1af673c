"""How a DICOM object stores its pixels: the tags that say so, how many frames are there, and their decoded values."""

from collections.abc import Callable
from io import BufferedReader, BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fewscan.images.formats import jpeg
from fewscan.images.formats.codestreams import declared
from fewscan.images.formats.dicom_kinds import text
from fewscan.images.formats.gray import Shown
from fewscan.images.formats.image import UnreadableImage, Values, gray_if_equal, native

if TYPE_CHECKING:
    from pydicom import Dataset

# The elements that are asked for here.
PIXEL_TAGS = (
    *("NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)
PIXELS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}

GRAY = ("MONOCHROME1", "MONOCHROME2")
_NOTHING_ELSE_SAYS = ("Rows", "Columns", "BitsAllocated")
# What follows from the other tags, or is by far the most usual, in the order in which they build on each other.
_USUAL: dict[str, Callable[["Dataset"], Any]] = {
    "SamplesPerPixel": lambda known: 3 if text(known, "PhotometricInterpretation").startswith(("RGB", "YBR")) else 1,
    "PhotometricInterpretation": lambda known: "RGB" if known.SamplesPerPixel == 3 else "MONOCHROME2",
    "PlanarConfiguration": lambda known: 0,
    "BitsStored": lambda known: known.BitsAllocated if known.get("HighBit") is None else known.HighBit + 1,
    "PixelRepresentation": lambda known: 0,
}
SIGN_UNCLEAR = "header and pixels disagree on signed values: read the way in which neighbors differ less"
_OF_COLOR = ("PlanarConfiguration",)
_OF_INTEGERS = ("BitsStored", "PixelRepresentation")


def complete(dataset: "Dataset", pixels: str) -> tuple[str, ...]:
    """Set the absent tags that say how pixels are stored to what is usual, and return which these are.

    `pixels` is the keyword of the pixels. Raises UnreadableImage, naming it, for a tag that nothing else says.
    """
    for keyword in _NOTHING_ELSE_SAYS:
        if _is_absent(dataset, keyword):
            raise UnreadableImage(f"lacks a tag: {keyword}")
    set_here = []
    for keyword, usual in _USUAL.items():
        if not _is_absent(dataset, keyword) or (keyword in _OF_INTEGERS and pixels != "PixelData"):
            continue
        if keyword not in _OF_COLOR or dataset.SamplesPerPixel == 3:
            setattr(dataset, keyword, usual(dataset))
            set_here.append(keyword)
    return tuple(set_here)


def _is_absent(dataset: "Dataset", keyword: str) -> bool:
    # As it is stored: to convert every element of every file would take longer than to read it.
    return keyword not in dataset or dataset.get_item(keyword).value in (None, "", b"")


def declared_frames(dataset: "Dataset") -> int:
    """Return how many frames the object says that it has."""
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def frames_ahead(file: BufferedReader, header: "Dataset") -> int:
    """Return how many frames are there, at most as many as declared; `file` stands where the element of its pixels begins."""
    if declared_frames(header) == 1:
        return 1
    implicit, little_endian = header.original_encoding
    order: Literal["little", "big"] = "little" if little_endian else "big"
    length = int.from_bytes(file.read(8 if implicit else 12)[-4:], order)
    begins = file.tell()
    left = file.seek(0, 2) - begins
    file.seek(begins)
    return _frames(header, file, min(length, left))


def frames_held(dataset: "Dataset", pixels: str) -> int:
    """Return how many frames an object holds that was read as a whole, at most as many as it declares."""
    stored: bytes = dataset[pixels].value or b""
    return 1 if declared_frames(dataset) == 1 else _frames(dataset, BytesIO(stored), len(stored))


def _frames(header: "Dataset", pixels: BufferedReader | BytesIO, length: int) -> int:
    from pydicom.encaps import parse_basic_offsets, parse_fragments

    declared = declared_frames(header)
    if is_compressed(header):
        parse_basic_offsets(pixels)
        found = parse_fragments(pixels)[0]  # a frame is at least one
    else:
        samples = 2 if header.PhotometricInterpretation == "YBR_FULL_422" else header.SamplesPerPixel
        found = 8 * length // (header.Rows * header.Columns * samples * header.BitsAllocated)
    # Where none is whole, decoding will say so.
    return min(declared, found) or declared


def is_compressed(dataset: "Dataset") -> bool:
    """Return whether the frames are compressed one by one, or in a private way."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    return syntax is not None and (syntax.is_private or syntax.is_encapsulated)


def stored_values(dataset: "Dataset", number: int) -> Values:
    """Return a frame's values, (H, W) or (H, W, C), as pydicom decodes them; `number` counts from 0.

    Raises UnreadableImage for a frame whose codestream holds more values than the header says, since libraries believe it
    however much memory that takes, and for a damaged JPEG of 8 bits, of which they say nothing; and what pydicom and its
    plug-ins raise.
    """
    from pydicom import uid
    from pydicom.pixels.utils import pixel_array

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax in (*uid.JPEGTransferSyntaxes, *uid.JPEGLSTransferSyntaxes, *uid.JPEG2000TransferSyntaxes):
        stream = _codestream(dataset, number)
        if syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit) and dataset.BitsAllocated == 8:
            if dataset.SamplesPerPixel == 1 and dataset.PixelRepresentation == 0:
                gray = jpeg.decode(stream, "GRAY", int(dataset.Columns), int(dataset.Rows))
                if gray is not None:
                    return gray
            else:
                jpeg.require_whole(stream)
        return native(pixel_array(dataset, index=number))
    below = _bits_below(dataset)
    if not below:
        return native(pixel_array(dataset, index=number))
    # pydicom reads the lower bits, wherever HighBit is. Of what is stored in these after all, HighBit is a slip.
    values = native(pixel_array(dataset, index=number, bits_stored=dataset.BitsStored + below))
    return values if (values & ((1 << below) - 1)).any() else values >> below


def _bits_below(dataset: "Dataset") -> int:
    """Return how many bits there are below those that hold values, as in older objects (retired of PS3.5, 8.1.1)."""
    if "PixelData" not in dataset or dataset.get("HighBit") is None:
        return 0
    return max(0, int(dataset.HighBit) + 1 - int(dataset.BitsStored))


def _codestream(dataset: "Dataset", number: int) -> bytes:
    """Return a frame that is no larger than the header says; raises ValueError where no codestream begins."""
    from pydicom.encaps import get_frame

    tables = (dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths"))
    stream = get_frame(
        dataset.PixelData, number, extended_offsets=tables if all(tables) else None, number_of_frames=declared_frames(dataset)
    )
    size = declared(stream)
    if size is None:
        raise ValueError("no codestream")
    if size.values > int(dataset.Rows) * int(dataset.Columns) * int(dataset.SamplesPerPixel):
        raise UnreadableImage("contradicts itself: a compressed frame is larger than the header says")
    return stream


def undecodable(dataset: "Dataset") -> str:
    """Note how the pixels are stored where the header leaves it out, and return what to say if they cannot be decoded."""
    from pydicom import uid

    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little_endian = dataset.original_encoding
        explicit = uid.ExplicitVRLittleEndian if little_endian else uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    syntax = dataset.file_meta.TransferSyntaxUID
    name = "a private transfer syntax" if syntax.name == syntax else syntax.name
    if is_compressed(dataset):
        return f"not decodable: damaged, or no installed plug-in of pydicom reads {name}; see docs/formats.md"
    whole = 3 * int(dataset.Rows) * int(dataset.Columns) * declared_frames(dataset)
    if dataset.PhotometricInterpretation == "YBR_FULL_422" and len(dataset.get("PixelData") or b"") >= whole:
        return "contradicts itself: PhotometricInterpretation is YBR_FULL_422, but its pixels are not subsampled: maybe RGB"
    return f"truncated or damaged: its pixels cannot be decoded ({name})"


def signed_as_stored(values: Values, dataset: "Dataset", number: int) -> tuple[Values, tuple[str, ...]]:
    """Return a gray frame's values (H, W), with a note where header and JPEG 2000 stream disagree on whether they are signed.

    There are files of both kinds, in which the header is wrong and in which the stream is. Read the wrong way, what is bright
    next to what is dark jumps by the whole range, so that the way is right in which neighbors differ less.
    """
    from pydicom.encaps import get_frame
    from pydicom.pixels.utils import get_j2k_parameters
    from pydicom.uid import JPEG2000TransferSyntaxes

    if dataset.file_meta.TransferSyntaxUID not in JPEG2000TransferSyntaxes or values.dtype.kind not in "iu":
        return values, ()
    stream = get_j2k_parameters(get_frame(dataset.PixelData, number, number_of_frames=declared_frames(dataset)))
    if stream.get("is_signed", dataset.PixelRepresentation) == bool(dataset.PixelRepresentation):
        return values, ()
    levels = 1 << stream["precision"]
    unsigned = values.astype(np.int64) & (levels - 1)
    signed = np.where(unsigned >= levels // 2, unsigned - levels, unsigned)
    smoother = min(signed, unsigned, key=_jumps)
    bits = 8 * values.dtype.itemsize
    return smoother.astype(f"i{bits // 8}" if smoother is signed else f"u{bits // 8}"), (SIGN_UNCLEAR,)


def _jumps(levels: Values) -> int:
    """Return by how much neighbors of (H, W) whole numbers differ, all together."""
    return sum(int(np.abs(np.diff(levels, axis=axis)).sum()) for axis in (0, 1))


def color(values: Values, dataset: "Dataset") -> Values:
    """Return the colors (H, W, 3) of a frame, (H, W) where they are gray."""
    from pydicom.pixels.processing import apply_color_lut

    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)[..., :3]
    if values.ndim != 3 or values.shape[2] != 3:
        raise UnreadableImage("neither gray nor color: it has another number of channels")
    return gray_if_equal(values)


def upper_8_bits(values: Values, dataset: "Dataset") -> Shown:
    """Keep of deep color the upper 8 bits."""
    bits = _palette_bits(dataset) if dataset.PhotometricInterpretation == "PALETTE COLOR" else int(dataset.BitsStored)
    return Shown((values >> max(bits - 8, 0)).astype(np.uint8))


def _palette_bits(dataset: "Dataset") -> int:
    """Return how many bits the entries of a palette have, which may be 8 in words of 16 (PS3.3 C.7.6.3.1.5, note 1)."""
    from pydicom.pixels.processing import apply_color_lut

    entries, first, _ = dataset.RedPaletteColorLookupTableDescriptor
    whole = apply_color_lut(np.arange(entries or 2**16) + first, dataset)[..., :3]
    return 8 if whole.max() < 2**8 else 16
