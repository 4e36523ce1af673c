"""DICOM files: their frames, as a viewer would show them, and whose they are.

What pydicom says of a damaged file quotes the file, so no reason here repeats it.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import BufferedReader
from typing import TYPE_CHECKING

from fewscan.images.formats.dicom_display import group, numbers, of_ct, shown, table, windows
from fewscan.images.formats.dicom_kinds import KIND_TAGS, is_ct, require_scan, text
from fewscan.images.formats.dicom_pixels import (
    GRAY,
    PIXEL_TAGS,
    PIXELS,
    color,
    complete,
    declared_frames,
    frames_ahead,
    frames_held,
    signed_as_stored,
    stored_values,
    undecodable,
    upper_8_bits,
)
from fewscan.images.formats.gray import CT_WITHOUT_WINDOW, decoded, square
from fewscan.images.formats.image import (
    HEADER_NUMBERS,
    Contents,
    Decoded,
    UnreadableImage,
    damage_named,
    decoded_alone,
    numbered,
    positions,
    require_size,
)
from fewscan.images.formats.reading import Reading, Window

if TYPE_CHECKING:
    from pydicom import Dataset

NAME = "DICOM"
NEEDS: str | None = "pydicom"

# What a deflated object may be when it is inflated, which pydicom does in memory: a small file can become a giant one.
MAX_INFLATED_BYTES = 256 * 2**20

_PATIENT_TAGS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
_WINDOW_TAGS = ("WindowCenter", "WindowWidth", "VOILUTSequence")
_GROUP_TAGS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_OF_INTEREST = [*HEADER_NUMBERS, *KIND_TAGS, *PIXEL_TAGS, *_WINDOW_TAGS, *_GROUP_TAGS]
_DAMAGED = "truncated or damaged: its DICOM header cannot be read"
_INFLATED_AT_ONCE_BYTES = 2**20
_DEFLATED = b"1.2.840.10008.1.2.1.99"
# So many bytes hold the meta information of nearly all objects, which begins so.
_HEAD_BYTES = 2**12
_META_LENGTH = b"DICM\x02\x00\x00\x00UL\x04\x00"
# The first group of an object without a preamble, and the lengths that its first element may have.
_FIRST_GROUPS = (b"\x08\x00", b"\x02\x00")
_LONGEST_FIRST_BYTES = 256


def begins(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a DICOM object, with or without a preamble."""
    if head[128:132] == b"DICM":
        return True
    # Elements stand in order, so that the first is one of the few first ones of its group.
    if head[:2] not in _FIRST_GROUPS or head[3:4] != b"\0" or len(head) < 8:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return int.from_bytes(head[6:8] if explicit else head[4:8], "little") <= _LONGEST_FIRST_BYTES


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Name the frames, `frame=1` the first, and PatientID, study and series, and all numbers of the header.

    These mean the same patient in every source. The issuer of a PatientID is left out, since not every file of a patient's has
    it, and to take two patients for one only costs images. Raises UnreadableImage where the header cannot be read, and for
    objects that are no scans.
    """
    import pydicom

    with damage_named(_DAMAGED):
        deflated = _require_bounded(file)
        header = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=list(_OF_INTEREST))
        pixels = "PixelData" if deflated else _pixels_ahead(file, header)
        require_scan(header, keep_localizers=reading.keep_localizers)
        usual = complete(header, pixels)
        frames = declared_frames(header) if deflated else frames_ahead(file, header)
        parts = numbered("frame", frames, first=1)
        patient, study, series = (text(header, keyword) or None for keyword in _PATIENT_TAGS)
        notes = _notes(header, reading, usual, missing=frames < declared_frames(header))
        numbers = tuple(text(header, keyword) for keyword in HEADER_NUMBERS)
        return Contents(parts, patient, study, series, patient_scope="dicom", numbers=numbers, notes=notes)


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the frames that `parts` names, as PS3.4 N.2 and PS3.3 C.11 have them shown, with square pixels.

    Of gray `dicom_display.shown` says how. Palettes and YBR become RGB; of color with more than 8 bits the upper 8 are kept. Of
    an enhanced object each frame has its own functional groups.

    Raises UnreadableImage for objects that are no scans or have no pixels, and for those that are damaged. Frames that are
    damaged, or compressed in a way that no plug-in of pydicom's that is installed can decode, are set aside one by one.
    """
    import pydicom

    with damage_named(_DAMAGED):
        _require_bounded(file)
        dataset = pydicom.dcmread(file, force=True)
        pixels = next((keyword for keyword in PIXELS.values() if keyword in dataset), None)
        if pixels is None:
            raise _without_pixels(dataset)
        require_scan(dataset, keep_localizers=reading.keep_localizers)
        complete(dataset, pixels)
        require_size(int(dataset.Columns), int(dataset.Rows))
        reason = undecodable(dataset)
        frames = frames_held(dataset, pixels)
        dataset.NumberOfFrames = frames
        positions_ = positions(parts, "frame", frames, first=1)
    for number in positions_:
        yield decoded_alone(partial(_decode, dataset, number, reading.window), reason)


def _decode(dataset: "Dataset", number: int, chosen: Window | None) -> Decoded | UnreadableImage:
    values = stored_values(dataset, number)
    if dataset.PhotometricInterpretation in GRAY:
        values, notes = signed_as_stored(values, dataset, number)
        one = decoded(values, partial(shown, dataset=dataset, number=number, chosen=chosen))
        one = one if isinstance(one, UnreadableImage) else replace(one, notes=notes + one.notes)
    else:
        one = decoded(color(values, dataset), partial(upper_8_bits, dataset=dataset))
    return one if isinstance(one, UnreadableImage) else _squared(one, dataset, number)


def _squared(one: Decoded, dataset: "Dataset", number: int) -> Decoded:
    spacing = numbers(group(dataset, number, "PixelMeasuresSequence").get("PixelSpacing"))
    sides = spacing or numbers(dataset.get("PixelAspectRatio"))
    if len(sides) != 2 or not 0 < min(sides) <= max(sides) < float("inf"):
        return one
    height, width = sides
    return Decoded(one.values, square(one.pixels, width, height), one.notes)


def _notes(header: "Dataset", reading: Reading, usual: Sequence[str], *, missing: bool) -> tuple[str, ...]:
    """Return what to say of an object before its pixels are read."""
    notes = [f"lacks {', '.join(usual)}: usual values were used"] if usual else []
    if missing:
        notes.append("fewer frames than declared: only those that are there are taken")
    if reading.window is not None or header.PhotometricInterpretation not in GRAY:
        return tuple(notes)
    voi = group(header, 0, "FrameVOILUTSequence")
    found = windows(voi)
    if table(voi, "VOILUTSequence") is not None:
        return tuple(notes)
    if is_ct(header) and not found:
        notes.append(CT_WITHOUT_WINDOW)
    elif is_ct(header) and len(found) > 1:
        notes.append(
            f"several windows: {of_ct(found)} is used, of {' and '.join(map(str, found))}; import --window chooses another"
        )
    elif len(found) > 1:
        notes.append("several windows: the first that does not flatten the image is used; import --window chooses another")
    return tuple(notes)


def _require_bounded(file: BufferedReader) -> bool:
    """Return whether an object is deflated (PS3.5 A.5), and leave `file` at its start.

    Raises UnreadableImage where it is more than MAX_INFLATED_BYTES when it is inflated.
    """
    from pydicom.filereader import read_dataset, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if _is_plain(head):
        return False
    read_preamble(file, force=True)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    deflated = bool(meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian)
    if deflated:
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated_bytes = 0
        while some := inflating.unconsumed_tail or file.read(_INFLATED_AT_ONCE_BYTES):
            inflated_bytes += len(inflating.decompress(some, _INFLATED_AT_ONCE_BYTES))
            if inflated_bytes > MAX_INFLATED_BYTES:
                raise UnreadableImage(f"too large: more than {MAX_INFLATED_BYTES} bytes once it is inflated")
    file.seek(0)
    return deflated


def _is_plain(head: bytes) -> bool:
    """Return whether an object's first bytes hold all of its meta information, and that does not say that it is deflated.

    It begins with its own length (PS3.10, 7.1). To look is quicker than to parse it, which is done for the others.
    """
    if head[128:140] != _META_LENGTH:
        return False
    ends = 144 + int.from_bytes(head[140:144], "little")
    return ends + 2 <= len(head) and head[ends : ends + 2] != b"\x02\x00" and _DEFLATED not in head[:ends]


def _pixels_ahead(file: BufferedReader, header: "Dataset") -> str:
    """Return the keyword of the pixels, where `file` stands before them; raises UnreadableImage where there are none."""
    tag = file.read(4)
    file.seek(-len(tag), 1)
    halves = (int.from_bytes(half, "little" if header.original_encoding[1] else "big") for half in (tag[:2], tag[2:]))
    keyword = PIXELS.get(next(halves) << 16 | next(halves))
    if keyword is None:
        raise _without_pixels(header)
    return keyword


def _without_pixels(dataset: "Dataset") -> UnreadableImage:
    kind = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
    if kind is None:
        return UnreadableImage("not an image: it has no complete DICOM object")
    # A UID that is in no dictionary is its own name, and might hold anything.
    return UnreadableImage(f"no pixels: DICOM {kind.name if kind.name != kind else 'object of a private class'}")
