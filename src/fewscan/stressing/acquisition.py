"""Noise, blur and artifacts: what measuring, moving and saving leave in a scan.

Scans are (H, W) or (H, W, 3) uint8. Each takes how much, and random numbers; see `corruptions.CORRUPTIONS` for the amounts.
"""

import cv2
import numpy as np
import numpy.typing as npt

from fewscan.images.formats.image import Pixels
from fewscan.learning import artifacts
from fewscan.stressing.corruption import in_levels


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
    """Keep so many frequencies each way; see `artifacts.of_few_frequencies`."""
    return in_levels(artifacts.of_few_frequencies(_with_channels(scan), samples)).reshape(scan.shape)


def moved_while_measured(scan: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Let the head move to and fro by a share of the side; see `artifacts.moved_while_measured`."""
    return in_levels(artifacts.moved_while_measured(_with_channels(scan), share, random)).reshape(scan.shape)


def saved_as_jpeg(scan: Pixels, quality: float, random: np.random.Generator) -> Pixels:
    """Save as JPEG of a quality, 1 to 100, and read again."""
    return artifacts.saved_as_jpeg(scan, int(quality))


def _noise(scan: Pixels, deviation: float, random: np.random.Generator) -> npt.NDArray[np.float64]:
    return random.normal(0, deviation, scan.shape)


def _with_channels(scan: Pixels) -> npt.NDArray[np.float32]:
    """Return (H, W, 1 or 3) float32."""
    return scan.reshape(*scan.shape[:2], -1).astype(np.float32)
