"""Changes of scans for benchmarks of the crop, many of them those of `fewscan stress`; and where points of a scan then are."""

from collections.abc import Callable

import cv2
import numpy as np

from fewscan.images.formats.image import Pixels
from fewscan.stressing.acquisition import blurred, noisy, rician, saved_as_jpeg
from fewscan.stressing.brightness import biased, equalized, gamma, inverted, locally_equalized
from fewscan.stressing.corruption import Change, in_levels
from fewscan.stressing.frame import Affine, moved, turning, with_margins

Copy = Callable[[Pixels, np.random.Generator], tuple[Pixels, Affine]]

_STILL: Affine = np.array([[1.0, 0, 0], [0, 1, 0]])
_MARGIN = 0.15
_TEXTS = ("IM 17", "R 2.5mm", "W 80 L40", "FS 1.5T")


def _still(change: Change, amount: float = 1) -> Copy:
    return lambda scan, random: (change(scan, amount, random), _STILL)


def _turned(degrees: float, share_equalized: float = 0) -> Copy:
    def turn(scan: Pixels, random: np.random.Generator) -> tuple[Pixels, Affine]:
        affine = turning(scan.shape, degrees * random.choice([-1, 1]))
        return moved(equalized(scan, share_equalized, random), affine), affine

    return turn


def _margin(level: int) -> Copy:
    def add(scan: Pixels, random: np.random.Generator) -> tuple[Pixels, Affine]:
        rows, columns = (round(_MARGIN * side) for side in scan.shape)
        return with_margins(scan, _MARGIN, level), np.array([[1.0, 0, columns], [0, 1, rows]])

    return add


def _lifted(scan: Pixels, level: float, random: np.random.Generator) -> Pixels:
    return in_levels(level + scan * ((255 - level) / 255))


def _written_on(scan: Pixels, size: float, random: np.random.Generator) -> Pixels:
    written = scan.copy()
    height, width = scan.shape
    scale = size * max(scan.shape) / 256
    places = [(4, 12), (0.62 * width, 12), (4, height - 6), (0.62 * width, height - 6)]
    for text, (left, bottom) in zip(_TEXTS, places, strict=True):
        place = (int(left), int(bottom))
        cv2.putText(written, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * scale, (255.0,), max(1, int(scale)))
    return written


def _framed(scan: Pixels, width_px: float, random: np.random.Generator) -> Pixels:
    framed = np.full_like(scan, 255)
    inside = slice(int(width_px), -int(width_px))
    framed[inside, inside] = scan[inside, inside]
    return framed


CORRUPTIONS: dict[str, Copy] = {
    "equalized": _still(equalized),
    "clahe": _still(locally_equalized, 4),
    "gamma_0.5": _still(gamma, 0.5),
    "gamma_2": _still(gamma, 2),
    "noise_10": _still(noisy, 10),
    "noise_25": _still(noisy, 25),
    "rician_15": _still(rician, 15),
    "blurred": _still(blurred, 1 / 128),
    "jpeg_20": _still(saved_as_jpeg, 20),
    "bias_field": _still(biased, float(np.e)),
    "lifted_40": _still(_lifted, 40),
    "inverted": _still(inverted),
    "turned_15": _turned(15),
    "turned_30": _turned(30),
    "equalized_turned_20": _turned(20, 1),
    "black_margin": _margin(0),
    "white_margin": _margin(255),
    "white_frame": _still(_framed, 3),
    "captions": _still(_written_on),
}
