"""How gray values with more than 8 bits become 8: linearly, through a window that was chosen or that the values give."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import PIL.Image

from fewscan.images.formats.image import Decoded, Pixels, UnreadableImage, Values, require_size
from fewscan.images.formats.reading import Window

# Percentiles of an image's own values that become black and white where they have more than 8 bits. Not its least and
# greatest: one hot pixel or bright vessel would push all tissue into a few dark grays. Not the range of the type: 12 bits
# kept in 16 would be nearly black.
WINDOW_PERCENTILES = (0.1, 99.9)
# In Hounsfield units: air is -1000, and what scanners write outside of their round field of view lies below the least that
# 12 bits hold, -1024. Values below -500 are air's or lung's; magnetic resonance has none.
LEAST_OF_CT = -1024
CT_REACHES_BELOW = -500
# The share of the values that may lie between a CT's padding and air, where the edge of the field of view was resampled.
_BLURRED_PADDING = 0.02
# A chosen window that makes at least this share of an image white is likely not meant for its values.
BLOWN_OUT_SHARE = 0.25
# Sides of a pixel that differ by less are one length, written in two ways.
_SQUARE_TOLERANCE = 0.01
# A volume is counted in pieces, since counting takes 8 bytes a value.
_COUNTED_AT_ONCE = 2**16

CT_WITHOUT_WINDOW = (
    "CT without a window: the gray levels span air to bone, so brain and blood look alike; import --window brain shows them "
    "(or subdural, bone, lung, abdomen, CENTER,WIDTH)"
)
BLOWN_OUT = (
    "white through --window: a quarter of the image or more; is the window meant for these values? "
    "If Hounsfield units are stored with an offset such as 1024, add it to CENTER"
)


class Shown(NamedTuple):
    """An image in 8 bits, and what a user should know of how it became so, a line each, its kind before the first colon."""

    pixels: Pixels
    notes: tuple[str, ...] = ()


def to_8_bit(values: Values, chosen: Window | None = None) -> Shown:
    """Map values linearly: the ends of `chosen`, of color and without it those of `window`, to 0 and 255; uint8 is kept."""
    if values.dtype == np.uint8:
        return Shown(values)
    if chosen is not None and values.ndim == 2:
        return Shown(windowed(values, *chosen.limits), chosen_notes(values, chosen))
    black, white = window(values)
    return Shown(windowed(values, black, white), (CT_WITHOUT_WINDOW,) if black < CT_REACHES_BELOW and values.ndim == 2 else ())


def chosen_notes(values: Values, chosen: Window, counts: npt.NDArray[np.int64] | None = None) -> tuple[str, ...]:
    """Return what to say of an image that is shown through a window that the user chose; `counts` as in `window`."""
    share = np.average(values > chosen.limits[1], weights=counts)
    return (BLOWN_OUT,) if share >= BLOWN_OUT_SHARE else ()


def decoded(values: Values, to_shown: Callable[[Values], Shown] = to_8_bit) -> Decoded | UnreadableImage:
    """Return `values` with their 8-bit pixels, or why these cannot be: no pixels, or NaN or infinite ones among them."""
    if values.size == 0:
        return UnreadableImage("truncated or damaged: it has no pixels")
    if values.dtype.kind not in "biu" and not np.isfinite(values).all():  # whole numbers are finite
        return UnreadableImage("not finite: it has NaN or infinite values")
    return Decoded(values, *to_shown(values))


def window(values: Values, counts: npt.NDArray[np.int64] | None = None) -> tuple[float, float]:
    """Return the WINDOW_PERCENTILES of `values`, or their least and greatest where these are one.

    `counts` says how often each value occurs; without it, once. NaN is no value; at least one must be another. Values
    below LEAST_OF_CT are a CT's padding, and left out, where the least of them is so frequent that it would become black and
    hardly any lie above it.
    """
    if counts is None and values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        values, counts = _counted(values)
    if counts is not None:
        values, counts = values[counts > 0], counts[counts > 0]
        order = np.argsort(values, kind="stable")
        values, counts = values[order], counts[order]
    black, white, least = _percentiles(values, counts)
    if black == least < LEAST_OF_CT < white:
        kept = values >= LEAST_OF_CT
        between = np.sum((values > least) & ~kept) if counts is None else counts[(values > least) & ~kept].sum()
        if between <= _BLURRED_PADDING * (values.size if counts is None else counts.sum()):
            return window(values[kept], None if counts is None else counts[kept])
    return black, white


def _counted(values: Values) -> tuple[Values, npt.NDArray[np.int64]]:
    """Return the integers from the least to the greatest of `values`, and how often each occurs."""
    least, most = int(values.min()), int(values.max())
    counts = np.zeros(most - least + 1, np.int64)
    stored = values.ravel(order="K")
    for start in range(0, len(stored), _COUNTED_AT_ONCE):
        counts += np.bincount(stored[start : start + _COUNTED_AT_ONCE].astype(np.intp) - least, minlength=len(counts))
    return np.arange(least, most + 1), counts


def _percentiles(values: Values, counts: npt.NDArray[np.int64] | None) -> tuple[float, float, float]:
    """Return black, white and the least value; `values` with `counts` are sorted."""
    count = values.size if counts is None else int(counts.sum())
    if values.dtype.kind == "f" and counts is None:
        count -= int(np.isnan(values).sum())
    ranks = np.array(WINDOW_PERCENTILES) / 100 * (count - 1)
    below, above = np.floor(ranks).astype(np.intp), np.ceil(ranks).astype(np.intp)
    wanted = np.array([0, *below, *above, count - 1])
    # Not numpy's percentile, which takes differences in the type of the values, where they overflow. NaN is sorted last.
    if counts is None:
        found = np.partition(values, wanted, axis=None)[wanted]
    else:
        found = values[np.searchsorted(np.cumsum(counts), wanted, side="right")]
    halves = found.astype(np.float64) / 2
    black, white = 2 * (halves[1:3] + (halves[3:5] - halves[1:3]) * (ranks - below))
    if black == white:
        # Nearly all of it has one value: what little there is to see lies outside the window.
        black, white = found[0], found[-1]
    return float(black), float(white), float(found[0])


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


def square(pixels: Pixels, width_mm: float, height_mm: float) -> Pixels:
    """Resample (H, W) or (H, W, 3), whose pixels have these sides, to square ones of the shorter side, bilinearly."""
    if abs(width_mm - height_mm) <= _SQUARE_TOLERANCE * min(width_mm, height_mm):
        return pixels
    side_mm = min(width_mm, height_mm)
    height, width = pixels.shape[:2]
    size = round(width * width_mm / side_mm), round(height * height_mm / side_mm)
    require_size(*size)
    return np.asarray(PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.BILINEAR))
