"""Scans as somebody else may hand them over: equalized, turned, noised, framed, written on; and where its points then are."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Affine = npt.NDArray[np.float64]  # (2, 3), from pixels of the scan to pixels of its copy
Corruption = Callable[[Pixels, np.random.Generator], tuple[Pixels, Affine]]

_STILL: Affine = np.array([[1.0, 0, 0], [0, 1, 0]])
_MARGIN = 0.15
_TEXTS = ("IM 17", "R 2.5mm", "W 80 L40", "FS 1.5T")


def _of_levels(change: Callable[[Pixels, np.random.Generator], npt.NDArray[np.generic]]) -> Corruption:
    return lambda scan, random: (np.clip(np.rint(change(scan, random)), 0, 255).astype(np.uint8), _STILL)


def _turned(degrees: float, first: Callable[[Pixels], Pixels] = lambda scan: scan) -> Corruption:
    def turn(scan: Pixels, random: np.random.Generator) -> tuple[Pixels, Affine]:
        height, width = scan.shape
        center = ((width - 1) / 2, (height - 1) / 2)
        affine = cv2.getRotationMatrix2D(center, degrees * random.choice([-1, 1]), 1).astype(np.float64)
        turned = cv2.warpAffine(first(scan), affine, (width, height))
        return turned.astype(np.uint8), affine

    return turn


def _margin(level: int) -> Corruption:
    def add(scan: Pixels, random: np.random.Generator) -> tuple[Pixels, Affine]:
        rows, columns = (round(_MARGIN * side) for side in scan.shape)
        padded = np.pad(scan, ((rows, rows), (columns, columns)), constant_values=level)
        return padded, np.array([[1.0, 0, columns], [0, 1, rows]])

    return add


def _written_on(scan: Pixels, random: np.random.Generator) -> Pixels:
    written = scan.copy()
    height, width = scan.shape
    scale = max(scan.shape) / 256
    places = [(4, 12), (0.62 * width, 12), (4, height - 6), (0.62 * width, height - 6)]
    for text, (left, bottom) in zip(_TEXTS, places, strict=True):
        place = (int(left), int(bottom))
        cv2.putText(written, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * scale, (255.0,), max(1, int(scale)))
    return written


def _framed(scan: Pixels, random: np.random.Generator) -> Pixels:
    framed = np.full_like(scan, 255)
    framed[3:-3, 3:-3] = scan[3:-3, 3:-3]
    return framed


def _biased(scan: Pixels, random: np.random.Generator) -> npt.NDArray[np.float64]:
    rows, columns = (np.linspace(-1, 1, side) for side in scan.shape)
    angle = random.uniform(0, 2 * np.pi)
    field: npt.NDArray[np.float64] = scan * np.exp(0.5 * (columns * np.cos(angle) + rows[:, None] * np.sin(angle)))
    return field


def _equalized(scan: Pixels) -> Pixels:
    return np.asarray(cv2.equalizeHist(scan))


CORRUPTIONS: dict[str, Corruption] = {
    "equalized": _of_levels(lambda scan, random: _equalized(scan)),
    "clahe": _of_levels(lambda scan, random: np.asarray(cv2.createCLAHE(4, (8, 8)).apply(scan))),
    "gamma_0.5": _of_levels(lambda scan, random: 255 * (scan / 255) ** 0.5),
    "gamma_2": _of_levels(lambda scan, random: 255 * (scan / 255) ** 2),
    "noise_10": _of_levels(lambda scan, random: scan + random.normal(0, 10, scan.shape)),
    "noise_25": _of_levels(lambda scan, random: scan + random.normal(0, 25, scan.shape)),
    "rician_15": _of_levels(
        lambda scan, random: np.hypot(scan + random.normal(0, 15, scan.shape), random.normal(0, 15, scan.shape))
    ),
    "blurred": _of_levels(lambda scan, random: np.asarray(cv2.GaussianBlur(scan, (0, 0), max(scan.shape) / 128))),
    "jpeg_20": _of_levels(
        lambda scan, random: np.asarray(cv2.imdecode(cv2.imencode(".jpg", scan, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], 0))
    ),
    "bias_field": _of_levels(_biased),
    "lifted_40": _of_levels(lambda scan, random: 40 + scan * (215 / 255)),
    "inverted": _of_levels(lambda scan, random: 255 - scan),
    "turned_15": _turned(15),
    "turned_30": _turned(30),
    "equalized_turned_20": _turned(20, _equalized),
    "black_margin": _margin(0),
    "white_margin": _margin(255),
    "white_frame": _of_levels(_framed),
    "captions": _of_levels(_written_on),
}
