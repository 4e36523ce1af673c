"""A scan as it may come from elsewhere: blurred, ringing, moved, unevenly bright, noisy; always the same change of a scan.

It is for methods that learn on features of an encoder which stays as it is: what such an encoder makes of a scan moves far
where the scan is blurred or noisy, and no view of a training loop shows it there (docs/search.md, 26).
"""

import hashlib

import cv2
import numpy as np
import numpy.typing as npt
import torch

from fewscan.learning.artifacts import (
    FEWEST_PIXELS,
    MOST_BLUR,
    MOST_MOVEMENT,
    MOST_PIXELS,
    moved_while_measured,
    of_few_frequencies,
    saved_as_jpeg,
)
from fewscan.learning.scan_views import bias_fields
from fewscan.seeds import stream

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

MOST_FIELD = 0.5  # coefficients of a bias field
LOG_GAMMA, CONTRAST, BRIGHTNESS = 0.7, 0.4, 0.2
MOST_NOISE = 25 / 255
LEAST_QUALITY, MOST_QUALITY = 5, 60  # of a JPEG file


def changed(scan: Pixels) -> Pixels:
    """Return the scan (C, S, S) so changed; what is drawn depends on its pixels alone."""
    digest = hashlib.sha256(scan.tobytes()).digest()
    random = stream(0, "changed view", int.from_bytes(digest[:8])).numpy()
    view: Floats = np.moveaxis(scan, 0, -1).astype(np.float32) / np.float32(255)
    if random.random() < 0.5:
        view = np.ascontiguousarray(view[:, ::-1])
    view = _other_brightness(_fewer_details(view, random), random)
    if random.random() < 0.5:
        noise = random.standard_normal((*view.shape[:2], 1), np.float32)  # of all channels the same, as colors stay
        view = view + noise * np.float32(random.uniform(0, MOST_NOISE))
    levels = np.clip(view * 255, 0, 255).round().astype(np.uint8)
    if random.random() < 0.25:
        levels = saved_as_jpeg(levels, int(random.integers(LEAST_QUALITY, MOST_QUALITY)))
    return np.ascontiguousarray(np.moveaxis(levels, -1, 0))


def _fewer_details(view: Floats, random: np.random.Generator) -> Floats:
    """Return a view (S, S, C) that may be out of focus, of few pixels or frequencies, or moved."""
    size, shape = len(view), view.shape  # OpenCV drops the axis of a single channel
    if random.random() < 0.5 and (deviation := random.uniform(0, MOST_BLUR) * size):
        view = np.asarray(cv2.GaussianBlur(view, (0, 0), deviation), np.float32).reshape(shape)
    if random.random() < 0.3:
        side = max(1, round(random.uniform(FEWEST_PIXELS, MOST_PIXELS) * size))
        if random.random() < 0.5:
            view = of_few_frequencies(view, side)
        else:
            small = cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA)
            view = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.float32).reshape(shape)
    if random.random() < 0.3:
        view = moved_while_measured(view, random.uniform(0, MOST_MOVEMENT), random)
    return view


def _other_brightness(view: Floats, random: np.random.Generator) -> Floats:
    """Return a view (S, S, C) under another gamma, contrast and brightness, and maybe a bias field."""
    if random.random() < 0.3:
        coefficients = random.uniform(-MOST_FIELD, MOST_FIELD, (1, 5)).astype(np.float32)
        view = np.minimum(view * bias_fields(torch.from_numpy(coefficients), len(view))[0, 0].numpy()[..., np.newaxis], 1)
    view = view ** np.float32(np.exp(random.uniform(-LOG_GAMMA, LOG_GAMMA)))
    contrast, brightness = random.uniform(1 - CONTRAST, 1 + CONTRAST), random.uniform(-BRIGHTNESS, BRIGHTNESS)
    return view * np.float32(contrast) + np.float32(view.mean() * (1 - contrast) + brightness)
