"""TIFF, BigTIFF as well: its pages, by tifffile, and what that cannot decompress by Pillow where no bit is lost."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from typing import Any

import cv2
import numpy as np
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, TIFF, TiffFile

from fewscan.images.formats import jpeg
from fewscan.images.formats.channels import on_black, turned
from fewscan.images.formats.gray import decoded, to_8_bit
from fewscan.images.formats.image import (
    Contents,
    Decoded,
    Pixels,
    UnreadableImage,
    Values,
    damage_named,
    decoded_alone,
    gray_if_equal,
    native,
    numbered,
    positions,
    require_size,
)
from fewscan.images.formats.pictures import opened_picture, upright
from fewscan.images.formats.reading import Reading, Window

NAME = "TIFF"
NEEDS: str | None = None
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# A smaller page is a copy of the largest where it has its proportions and is as like it, as a correlation.
COPY_CORRELATION = 0.95
_PROPORTIONS = 0.05

_ORIENTATION = 274
_COPY, _MASK = "smaller copies of another page", "masks of another page"
_WHOLE_BYTES = (8, 16, 32, 64)
_UNSIGNED = 1
_BITS_OF_JPEG = 8
_DAMAGED = "truncated or damaged: not a complete TIFF page"


def contents(file: BufferedReader, reading: Reading) -> Contents:
    """Name the pages that are scans, `page=1` the first; with `keep_localizers` all.

    No scans are a page that is a smaller copy of the largest one, or a mask: one that says so, and one that shows it (a copy by
    COPY_CORRELATION, a mask by its two values where another page has more).
    """
    try:
        with _opened(file) as pages:
            parts = numbered("page", len(pages), first=1)
            if len(pages) == 1 or reading.keep_localizers:
                return Contents(parts)
            kinds = _kinds(pages, file)
    except UnreadableImage:
        return Contents()  # why it cannot be read is for `read` to say
    left_out = [kind for kind in dict.fromkeys(kinds) if kind is not None]
    return Contents(
        tuple(part for part, kind in zip(parts, kinds, strict=True) if kind is None),
        notes=tuple(f"pages left out: {kind}; import --keep-localizers takes them as scans" for kind in left_out),
    )


def read(file: BufferedReader, parts: Sequence[str | None], reading: Reading) -> Iterator[Decoded | UnreadableImage]:
    """Yield the pages that `parts` names; unsigned 8 bits are kept, of others `gray.to_8_bit` says what they become.

    Orientation is honored, white as zero turned round, transparency laid on black unless it hides everything.

    Raises UnreadableImage for what is no whole TIFF; a bad page is set aside alone, and so is one of a kind that neither
    library decodes.
    """
    with _opened(file) as pages:
        for number in positions(parts, "page", len(pages), first=1):
            yield decoded_alone(partial(_decode, pages, number, file, reading.window), _DAMAGED)


@contextmanager
def _opened(file: BufferedReader) -> Iterator[Sequence[Any]]:
    with damage_named(_DAMAGED):
        if not file.peek(4).startswith(MAGIC):
            raise UnreadableImage("not an image: it does not begin as a TIFF file")
        with TiffFile(file) as tiff:
            # Counted, since a chain of pages may be damaged anywhere; `numbered` refuses too many.
            if not len(tiff.pages):
                raise UnreadableImage(_DAMAGED)
            yield tiff.pages


def _kinds(pages: Sequence[Any], file: BufferedReader) -> list[str | None]:
    """Return of every page why it is no scan, or None where it is one, as one page at least is."""
    # By number: an iteration ends, silently, at the first page that is damaged.
    said = [_said(pages, number) for number in range(len(pages))]
    kinds = [kind for kind, _ in said]
    scans = [number for number, (kind, size) in enumerate(said) if kind is None and size]
    if not scans:
        return [None] * len(kinds)
    largest = max(scans, key=lambda number: said[number][1])
    whole = _pixels(pages, largest, file)
    of_two_values = []
    for number in scans:
        pixels = whole if number == largest else _pixels(pages, number, file)
        if pixels is None:
            continue
        if whole is not None and _is_copy(pixels, whole):
            kinds[number] = _COPY
        elif _has_two_values(pixels):
            of_two_values.append(number)
    if len(of_two_values) < kinds.count(None):
        for number in of_two_values:
            kinds[number] = _MASK
    return kinds


def _said(pages: Sequence[Any], number: int) -> tuple[str | None, int]:
    """Return why a page says that it is no scan, and its size; of a damaged one nothing and 0: what is wrong `read` says."""
    try:
        with damage_named(_DAMAGED):
            page = pages[number]
            return _COPY if page.is_reduced else _MASK if page.is_mask else None, math.prod(page.shape)
    except UnreadableImage:
        return None, 0


def _pixels(pages: Sequence[Any], number: int, file: BufferedReader) -> Pixels | None:
    page = decoded_alone(partial(_decode, pages, number, file), _DAMAGED)
    return None if isinstance(page, UnreadableImage) else page.pixels


def _is_copy(pixels: Pixels, whole: Pixels) -> bool:
    (height, width), (whole_height, whole_width) = pixels.shape[:2], whole.shape[:2]
    if pixels.ndim != whole.ndim or height >= whole_height or width >= whole_width:
        return False
    if abs(height * whole_width / (width * whole_height) - 1) > _PROPORTIONS:
        return False
    shrunk = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    if np.ptp(pixels) == 0 or np.ptp(shrunk) == 0:
        return False
    return bool(np.corrcoef(pixels.ravel(), shrunk.ravel())[0, 1] >= COPY_CORRELATION)


def _has_two_values(pixels: Pixels) -> bool:
    low, high = pixels.min(), pixels.max()
    return bool(low < high and ((pixels == low) | (pixels == high)).all())


def _decode(pages: Sequence[Any], number: int, file: BufferedReader, chosen: Window | None = None) -> Decoded | UnreadableImage:
    to_shown = partial(to_8_bit, chosen=chosen)
    page = pages[number]
    require_size(page.imagewidth, page.imagelength)
    if _read_by_tifffile(page):
        return decoded(_values(page), to_shown)
    if not _whole_in_pillow(page):
        compression = COMPRESSION(page.compression).name
        raise UnreadableImage(
            f"not decodable: {compression} of {page.bitspersample} bits needs one more package: pip install imagecodecs"
        )
    if page.compression == COMPRESSION.JPEG and page.bitspersample == _BITS_OF_JPEG:
        for segment, _ in page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts):
            # What all segments need may stand in the page's header, once, as a JPEG without a picture.
            jpeg.require_whole(segment if page.jpegtables is None else page.jpegtables[:-2] + segment[2:])
    file.seek(0)
    with opened_picture(file, ("TIFF",)) as image:
        image.seek(number)
        values = upright(image)
    # Pillow turns these round for 8 bits and fewer, but not for more.
    return decoded(_negative(values) if _white_is_zero(page) and values.dtype != np.uint8 else values, to_shown)


def _read_by_tifffile(page: Any) -> bool:
    """Return whether a page is gray or RGB, in whole bytes, and compressed in a way that tifffile knows on its own."""
    plain = page.photometric in (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB)
    known = page.compression in TIFF.DECOMPRESSORS and page.predictor in TIFF.UNPREDICTORS
    return bool(plain and page.bitspersample in _WHOLE_BYTES and page.dtype is not None and known)


def _whole_in_pillow(page: Any) -> bool:
    """Return whether Pillow keeps all bits of a page: up to 8, and of gray some deeper types."""
    if page.bitspersample <= 8:
        return bool(page.sampleformat == _UNSIGNED)
    return bool(page.samplesperpixel == 1 and page.dtype in (np.uint16, np.int16, np.int32, np.float32))


def _values(page: Any) -> Values:
    values = native(page.asarray())
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, 2)
    elif page.axes not in ("YX", "YXS"):
        raise UnreadableImage("not an image: its page is a volume")
    colors = 3 if page.photometric == PHOTOMETRIC.RGB else 1
    alpha = None
    if values.ndim == 3:
        # Of alpha that is associated the colors lie on black already; what is not said to be alpha is another thing.
        if EXTRASAMPLE.UNASSALPHA in page.extrasamples:
            alpha = values[..., colors + page.extrasamples.index(EXTRASAMPLE.UNASSALPHA)]
        values = values[..., :colors] if colors == 3 else values[..., 0]
    if _white_is_zero(page):
        values = _negative(values)
    if alpha is not None:
        values = on_black(values, alpha)
    values = turned(values, page.tags.valueof(_ORIENTATION, 1))
    return gray_if_equal(values) if values.ndim == 3 else values


def _white_is_zero(page: Any) -> bool:
    return bool(page.photometric == PHOTOMETRIC.MINISWHITE)


def _negative(values: Values) -> Values:
    # Of whole numbers all bits are turned, which no type is too small for.
    return ~values if values.dtype.kind in "iu" else -values
