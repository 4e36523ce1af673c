"""Gray DICOM values as a viewer would show them (PS3.4 N.2, PS3.3 C.11): each level that occurs is mapped once.

pydicom's `apply_windowing` computes the windows. Its `apply_modality_lut` and `apply_voi_lut` are not used for tables: they
refuse tables of 9, 11 and 12 to 15 bits or two entries a word, and wrap values that lie beyond 16 bits. Where they are right,
the tests hold these functions against them.
"""

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from fewscan.images.formats.dicom_kinds import is_ct, text
from fewscan.images.formats.gray import (
    CT_REACHES_BELOW,
    CT_WITHOUT_WINDOW,
    LEAST_OF_CT,
    WINDOW_PERCENTILES,
    Shown,
    chosen_notes,
    window,
    windowed,
)
from fewscan.images.formats.image import Pixels, UnreadableImage, Values, native
from fewscan.images.formats.reading import Window

if TYPE_CHECKING:
    from pydicom import Dataset

# A window of the file's flattens a picture where fewer gray levels than these lie between the WINDOW_PERCENTILES, or where it
# tells less than this share of what the window from the values tells (entropy, in bits; a picture tells one at least).
LEAST_LEVELS_SHOWN = 20
LEAST_INFORMATION_SHOWN = 0.2
PICTURE_TELLS = 1.0
# Of several windows of a CT the narrowest that shows soft tissue is taken, in Hounsfield units.
SOFT_TISSUE = 40

FLATTENING_WINDOW = "the file's own window flattens the image: it was ignored; import --window chooses one"
NO_SLOPE = "rescale slope 0: it would make all values the same, so it was ignored"

Counts = npt.NDArray[np.int64]


class _Levels(NamedTuple):
    """The levels of a picture: their stored values, in order, and each pixel's position among them."""

    stored: Values
    positions: npt.NDArray[np.intp]


def shown(stored: Values, dataset: "Dataset", number: int, chosen: Window | None) -> Shown:
    """Map a gray frame's stored values (H, W) to 8 bits.

    They go through the modality LUT or rescale slope and intercept, then through the `chosen` window; without one, through the
    file's VOI LUT or the first of its windows that does not flatten the picture, or of a CT's windows the one that `of_ct`
    says; without one, unsigned 8-bit values are kept and others mapped as `gray.window` says. A window that was chosen leaves
    unsigned 8-bit values that mean no others alone. MONOCHROME1 and the presentation LUT shape INVERSE are turned round.
    Padding counts for no window and becomes black.
    """
    levels = _levels(stored)
    padding = _padding(levels.stored, stored.dtype, dataset)
    if padding.all():
        return Shown(np.zeros(stored.shape, np.uint8))
    little_endian = bool(dataset.original_encoding[1])
    values, notes = _transformed(levels.stored, group(dataset, number, "PixelValueTransformationSequence"), little_endian)
    kept = stored.dtype == np.uint8 and dataset.BitsStored == 8 and values is levels.stored
    own = _by_file(values, dataset, number, little_endian)
    if is_ct(dataset) and (chosen is None or kept) and (first := next(own, None)) is not None:
        # Hounsfield units mean the same in every slice, so that one of nothing but air is rightly black.
        grays = Shown(first)
    else:
        counts = np.where(padding, 0, np.bincount(levels.positions.ravel(), minlength=len(padding)))
        if chosen is not None and not kept:
            grays = Shown(windowed(values, *chosen.limits), chosen_notes(values, chosen, counts))
        else:
            plain = Shown(values.astype(np.uint8)) if kept else _by_values(values, counts, dataset)
            grays = _first_with_a_picture(own, plain, counts)
    pixels = grays.pixels
    if dataset.PhotometricInterpretation == "MONOCHROME1" or dataset.get("PresentationLUTShape") == "INVERSE":
        pixels = 255 - pixels
    return Shown(np.where(padding, np.uint8(0), pixels).take(levels.positions), notes + grays.notes)


def group(dataset: "Dataset", number: int, keyword: str) -> "Dataset":
    """Return the functional group that holds for a frame (PS3.3 C.7.6.16), or the object itself where it has none."""
    for sequence, position in (("PerFrameFunctionalGroupsSequence", number), ("SharedFunctionalGroupsSequence", 0)):
        groups = dataset.get(sequence) or ()
        if position < len(groups) and groups[position].get(keyword):
            return cast("Dataset", groups[position].get(keyword)[0])
    return dataset


def windows(voi: "Dataset") -> list[Window]:
    """Return the different windows of a VOI LUT module, without those that have no width or are not finite."""
    pairs = zip(numbers(voi.get("WindowCenter")), numbers(voi.get("WindowWidth")), strict=False)
    kept = [Window(center=center, width=width) for center, width in pairs if width > 0 and math.isfinite(abs(center) + width)]
    return list(dict.fromkeys(kept))


def table(module: "Dataset", keyword: str) -> "Dataset | None":
    """Return the first LUT of a sequence, or None where it has none that is described and has entries."""
    item = next(iter(module.get(keyword) or ()), None)
    return item if item is not None and item.get("LUTDescriptor") and item.get("LUTData") else None


def numbers(value: Any) -> list[float]:
    """Return an element's numbers; an empty element, and a text that is none, has none."""
    several = [value] if isinstance(value, str) or not isinstance(value, Iterable) else value
    found = []
    for one in several:
        try:
            found.append(float(one))
        except (TypeError, ValueError):
            return []
    return found


def of_ct(found: list[Window]) -> Window:
    """Return which of a CT's windows is shown: the narrowest that shows soft tissue, or else the first."""
    showing = [one for one in found if one.limits[0] <= SOFT_TISSUE <= one.limits[1]]
    return min(showing, key=lambda one: one.width) if showing else found[0]


def _levels(stored: Values) -> _Levels:
    if stored.dtype.kind in "iu":
        least, most = int(stored.min()), int(stored.max())
        if most - least < 2**16:
            positions = np.subtract(stored, least, dtype=np.intp)
            return _Levels(np.arange(least, most + 1), positions)
    levels, positions = np.unique(stored, return_inverse=True)
    return _Levels(levels, positions.reshape(stored.shape))


def _padding(levels: Values, dtype: np.dtype[Any], dataset: "Dataset") -> npt.NDArray[np.bool_]:
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return np.zeros(levels.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = np.array([value, limit if isinstance(limit, int) else value])
    if dtype.kind in "iu" and dtype.itemsize > 1:
        # Some write it as if it were unsigned, whatever the pixels are, or the other way round: its bits are what counts.
        ends = ends.astype(dtype)
    padding: npt.NDArray[np.bool_] = (levels >= ends.min()) & (levels <= ends.max())
    return padding


def _transformed(stored: Values, module: "Dataset", little_endian: bool) -> tuple[Values, tuple[str, ...]]:
    """Apply the modality LUT, or rescale slope and intercept (PS3.3 C.11.1); where they change nothing, return `stored`."""
    if (modality := table(module, "ModalityLUTSequence")) is not None:
        return _looked_up(stored, modality, little_endian)[0], ()
    slope, intercept = (next(iter(numbers(module.get(keyword))), None) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if slope == 0:
        return stored, (NO_SLOPE,)
    slope, intercept = 1 if slope is None else slope, intercept or 0
    if (slope, intercept) == (1, 0):
        return stored, ()
    with np.errstate(over="ignore", invalid="ignore"):
        values: Values = stored.astype(np.float64) * slope + intercept
    if not np.isfinite(values).all():
        raise UnreadableImage("not finite: its rescale slope and intercept give NaN or infinite values")
    return values, ()


def _looked_up(values: Values, lut: "Dataset", little_endian: bool) -> tuple[Values, Values]:
    """Map values through a LUT (PS3.3 C.11.1.1, C.11.2.1.1), those before it to its first entry, others to its last.

    Returns them and the whole LUT.
    """
    entries, first_mapped, bits = lut.LUTDescriptor
    entries = entries or 2**16
    if first_mapped >= 2**15 and values.max() < first_mapped:
        # A negative number that was written as an unsigned one: no value would be in the table.
        first_mapped -= 2**16
    data = lut.LUTData
    mapping = np.frombuffer(data, "<u2" if little_endian else ">u2") if isinstance(data, bytes) else np.asarray(data, np.uint16)
    if bits <= 8 and len(mapping) == (entries + 1) // 2:
        # Two entries a word, the first in its lower byte.
        mapping = mapping.astype("<u2").view(np.uint8)
    if len(mapping) < entries:
        raise UnreadableImage("truncated or damaged: a look-up table has fewer entries than it declares")
    mapping = native(mapping[:entries])
    return mapping[np.clip(np.rint(values) - first_mapped, 0, entries - 1).astype(np.int64)], mapping


def _by_file(values: Values, dataset: "Dataset", number: int, little_endian: bool) -> Iterator[Pixels]:
    """Yield what values become through the file's VOI LUT, or through each of its windows that may be meant."""
    voi = group(dataset, number, "FrameVOILUTSequence")
    if (lut := table(voi, "VOILUTSequence")) is not None:
        entries, mapping = _looked_up(values, lut, little_endian)
        # White is the greatest number of as many bits as the entries have, which are not always those that the LUT declares.
        yield windowed(entries, 0, 2 ** max(int(mapping.max()).bit_length(), 1) - 1)
    elif found := windows(voi):
        function = str(voi.get("VOILUTFunction") or "LINEAR").upper()
        yield from (_through(values, one, function) for one in ([of_ct(found)] if is_ct(dataset) else found))


def _first_with_a_picture(own: Iterator[Pixels], plain: Shown, counts: Counts) -> Shown:
    flattened = False
    for pixels in own:
        if not _flat(pixels, plain.pixels, counts):
            return Shown(pixels)
        flattened = True
    return Shown(plain.pixels, (FLATTENING_WINDOW,)) if flattened else plain


def _by_values(values: Values, counts: Counts, dataset: "Dataset") -> Shown:
    tissue = values >= LEAST_OF_CT
    if is_ct(dataset) and counts[tissue].any():
        counts = np.where(tissue, counts, 0)
    black, white = window(values, counts)
    # Of what its header calls a CT, or another modality, nothing needs to be guessed.
    guessed = not is_ct(dataset) and not text(dataset, "Modality") and black < CT_REACHES_BELOW
    return Shown(windowed(values, black, white), (CT_WITHOUT_WINDOW,) if guessed else ())


def _through(values: Values, one: Window, function: str) -> Pixels:
    """Map values through a window of a file's (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    from pydicom import Dataset
    from pydicom.pixels.processing import apply_windowing

    # Of LINEAR the standard has widths of 1 and more, and of less some scanners make the window of values below 1.
    known = function if function in ("SIGMOID", "LINEAR_EXACT") else "LINEAR"
    module = Dataset()
    module.PhotometricInterpretation = "MONOCHROME2"
    # What makes pydicom's range 0 to 255.
    module.BitsStored, module.PixelRepresentation = 8, 0
    module.VOILUTFunction = "LINEAR_EXACT" if known == "LINEAR" and one.width < 1 else known
    module.WindowCenter, module.WindowWidth = one.center, one.width
    with np.errstate(over="ignore"):  # of the sigmoid, far below the window
        pixels: Pixels = np.rint(apply_windowing(values, module)).astype(np.uint8)
    return pixels


def _information(pixels: Pixels, counts: Counts) -> float:
    """Return the entropy of the gray levels that a picture would have, in bits."""
    shares = np.bincount(pixels, weights=counts) / counts.sum()
    return float(-np.sum(shares[shares > 0] * np.log2(shares[shares > 0])))


def _flat(own: Pixels, plain: Pixels, counts: Counts) -> bool:
    told = _information(plain, counts)
    if told < PICTURE_TELLS:
        return False
    few_levels = _levels_shown(own, counts) < LEAST_LEVELS_SHOWN <= _levels_shown(plain, counts)
    return few_levels or _information(own, counts) < LEAST_INFORMATION_SHOWN * told


def _levels_shown(pixels: Pixels, counts: Counts) -> int:
    reached = np.cumsum(np.bincount(pixels, weights=counts)) / counts.sum()
    black, white = np.searchsorted(reached, np.array(WINDOW_PERCENTILES) / 100)
    return int(white - black)
