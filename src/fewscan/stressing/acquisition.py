"""Noise, blur and artifacts: what measuring, moving and saving leave in a scan.

Scans are (H, W) or (H, W, 3) uint8. Each takes how much, and random numbers; see `corruptions.CORRUPTIONS` for the amounts.
"""

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.images.formats.image import Pixels
from fewscan.stressing.corruption import in_levels

# How often a head moves to and fro while it is measured, at least and less than.
_MOVEMENTS = (2.0, 6.0)


def noisy(scan: Pixels, deviation: float, random: np.random.Generator) -> Pixels:
    """Add Gaussian noise to every pixel, its deviation in gray levels."""
    return in_levels(scan + _noise(scan, deviation, random))


def rician(scan: Pixels, deviation: float, random: np.random.Generator) -> Pixels:
    """Return the magnitude of the scan with complex Gaussian noise, which lifts black; deviation in gray levels.

    Source: Gudbjartsson and Patz, Magn. Reson. Med. 34 (1995) 910.
    """
    real, imaginary = scan + _noise(scan, deviation, random), _noise(scan, deviation, random)
    return in_levels(np.sqrt(real**2 + imaginary**2))


def blurred(scan: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Blur by a Gaussian whose deviation is a share of the longer side; 0 changes nothing."""
    if share == 0:
        return scan
    return np.asarray(cv2.GaussianBlur(scan, (0, 0), share * max(scan.shape[:2])), np.uint8)


def ringing(scan: Pixels, samples: float, random: np.random.Generator) -> Pixels:
    """Keep so many frequencies each way, as if no more had been measured: edges ring (Gibbs).

    As many as the longer side has pixels, or more, change nothing.
    """
    height, width = scan.shape[:2]
    down, across = np.abs(np.fft.fftfreq(height)) * height, np.fft.rfftfreq(width) * width
    kept = (down <= samples / 2)[:, np.newaxis] & (across <= samples / 2)
    # The last of the axes is the one of which half the frequencies say all.
    frequencies = np.fft.rfft2(_with_channels(scan), axes=(0, 1)) * kept[..., np.newaxis]
    return in_levels(np.abs(np.fft.irfft2(frequencies, (height, width), axes=(0, 1)))).reshape(scan.shape)


def moved_while_measured(scan: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Let the head move to and fro by a share of the side while lines of frequencies are measured: it gets ghosts.

    The lines follow each other from one end to the other, down or across, and it moves in that direction; 0 changes nothing.
    """
    axis = int(random.integers(2))
    side = scan.shape[axis]
    times = (np.arange(side) / side + random.uniform()) * random.uniform(*_MOVEMENTS)
    # In the order in which the transform has them, lines begin at frequency 0.
    shifts = share * side * np.fft.ifftshift(np.sin(2 * np.pi * times))
    turns = np.exp(-2j * np.pi * np.fft.fftfreq(side) * shifts).astype(np.complex64)
    lines = np.fft.fft(_with_channels(scan), axis=axis)
    lines *= turns.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return in_levels(np.abs(np.fft.ifft(lines, axis=axis))).reshape(scan.shape)


def saved_as_jpeg(scan: Pixels, quality: float, random: np.random.Generator) -> Pixels:
    """Save as JPEG of a quality, 1 to 100, and read again."""
    color = scan.ndim == 3
    # OpenCV has color the other way round.
    written = np.ascontiguousarray(scan[..., ::-1]) if color else scan
    _, file = cv2.imencode(".jpg", written, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    read = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.ascontiguousarray(read[..., ::-1]) if color else read


def _noise(scan: Pixels, deviation: float, random: np.random.Generator) -> npt.NDArray[np.float64]:
    return random.normal(0, deviation, scan.shape)


def _with_channels(scan: Pixels) -> npt.NDArray[np.float32]:
    """Return (H, W, 1 or 3) float32."""
    return scan.reshape(*scan.shape[:2], -1).astype(np.float32)
