"""How two images of a pair differ: one laid over the other as the audit does, as a picture and in words."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.align import align
from fewscan.auditing.copies.candidates import Candidates
from fewscan.auditing.copies.compare import likeness
from fewscan.auditing.copies.find import workers_of_one_thread
from fewscan.auditing.copies.placing import SYMMETRIES, Placing
from fewscan.images.turns import decomposed, turned_words

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
SHOWN_PX = 384
# Less than these is not worth a word: degrees, share of the size, share of the contrast.
TURNED, RESIZED, RECONTRASTED = 1.5, 0.03, 0.12


@dataclass(frozen=True)
class Overlay:
    """Two images in the second one's frame, as a PNG: gray where they are the same, in color where they differ.

    words: what was done to the first one so that it lies on the second. difference: the mean of what is left, in gray levels of
    255, after brightness and contrast were fitted.
    """

    png: bytes
    words: tuple[str, ...]
    difference: float


def overlay_of(first: Pixels, second: Pixels) -> Overlay | None:
    """Lay an image (C, S, S) over another; None where the audit's way to do so gives up: they are too unlike."""
    pixels = np.stack([first, second])
    ways = np.arange(len(SYMMETRIES))
    with workers_of_one_thread():
        laid = align(pixels, np.arange(2), Candidates.whole(np.zeros_like(ways), np.ones_like(ways), ways))
        if not len(laid.which):
            return None
        best = int(likeness(laid.signs[:, None, None] * laid.first, laid.second, laid.inside).argmax())
    inside = laid.inside[best] > 0
    if not inside.any():
        return None
    gain, offset = _fit(laid.first[best][inside], laid.second[best][inside])
    shown = np.clip(gain * laid.first[best] + offset, 0, 255)
    other = np.clip(laid.second[best], 0, 255)
    shown = np.where(inside, shown, other)
    difference = float(np.abs(shown - other)[inside].mean())
    return Overlay(_png(shown, other), tuple(_words(laid.placings[best], gain)), difference)


def _fit(first: Floats, second: Floats) -> tuple[float, float]:
    """Return by which factor and offset the gray levels of one image come nearest to the other's."""
    spread = float(first.var())
    gain = float(((first - first.mean()) * (second - second.mean())).mean()) / spread if spread > 1 else 1.0
    return gain, float(second.mean() - gain * first.mean())


def _words(placing: Placing, gain: float) -> list[str]:
    linear = np.asarray(np.linalg.inv(placing[:, :2]), np.float64)  # from the first to the second
    mirrored, degrees = decomposed(linear)
    size = math.sqrt(abs(np.linalg.det(linear)))
    found = ["mirrored"] if mirrored else []
    found += turned_words(degrees) if abs(degrees) >= TURNED else []
    found += [f"{'enlarged' if size > 1 else 'reduced'} to {100 * size:.0f} %"] if abs(size - 1) >= RESIZED else []
    found += ["inverted"] if gain < 0 else []
    found += [f"with {'more' if abs(gain) > 1 else 'less'} contrast"] if abs(abs(gain) - 1) >= RECONTRASTED else []
    return found


def _png(first: Floats, second: Floats) -> bytes:
    # OpenCV's order is blue, green, red: what the first alone shows is orange, what the second alone shows is blue.
    picture = np.stack([second, (first + second) / 2, first], axis=-1)
    large = cv2.resize(np.rint(picture).astype(np.uint8), (SHOWN_PX, SHOWN_PX), interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".png", large)[1])
