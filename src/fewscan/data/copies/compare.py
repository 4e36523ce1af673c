"""Step 4, compare: how far two aligned images show the same, whatever became of contrast and sharpness.

Both are cut into blocks, and the correlation of a block counts as far as both images show something in it: text that was
written on one of them and noise that was lifted in one of them count little, and so that no bright skull outshines the folds
within, no block counts more than three quarters of them do. A less sharp image is compared with the other one blurred;
what differs then counts more, since heads differ less where less is seen.
"""

import numpy as np

from fewscan.data.copies.images import WORK_PX, Floats, blurred, without_contrast

SHARPNESS_PX = 0.8
CONTRAST_PX = 2.5
# Local contrast, as a share of the image's, below which nothing is seen.
FLAT = 0.08
BLOCKS = 12
CAPPED_AT = 0.75
# Blur in px -> how many times what is missing to full agreement counts.
BLURS = {1.0: 1.5, 2.0: 2.0}
# Pairs below this are not looked at again with one image blurred.
WORTH_BLURRING = 0.6


def likeness(first: Floats, second: Floats, inside: Floats) -> Floats:
    """Return (P,) in [-1, 1] of aligned images (P, WORK_PX, WORK_PX); only where `inside` is 1 they are compared."""
    sharp_a, sharp_b = _seen(first, 0), _seen(second, 0)
    best = _agreement(sharp_a, sharp_b, inside)
    again = np.flatnonzero(best >= WORTH_BLURRING)
    for blur_px, strictness in BLURS.items():
        soft_a = _agreement(_seen(first[again], blur_px), sharp_b[again], inside[again])
        soft_b = _agreement(sharp_a[again], _seen(second[again], blur_px), inside[again])
        best[again] = np.maximum(best[again], 1 - strictness * (1 - np.maximum(soft_a, soft_b)))
    return best


def _seen(images: Floats, blur_px: float) -> Floats:
    return without_contrast(blurred(images, float(np.hypot(SHARPNESS_PX, blur_px))), CONTRAST_PX, FLAT)


def _agreement(a: Floats, b: Floats, inside: Floats) -> Floats:
    """Return (P,) the mean correlation of the blocks, weighted by the weaker energy of the two up to a cap."""
    energy_a, energy_b, together = _by_block(inside * a * a), _by_block(inside * b * b), _by_block(inside * a * b)
    correlation = together / np.sqrt(energy_a * energy_b + 1e-6)
    weight = np.minimum(energy_a, energy_b)
    seen = np.where(_by_block(inside) > 4, weight, np.nan)
    weight = np.minimum(weight, np.nanquantile(seen, CAPPED_AT, axis=1, keepdims=True))
    return np.asarray((correlation * weight).sum(axis=1) / (weight.sum(axis=1) + 1e-9), np.float32)


def _by_block(images: Floats) -> Floats:
    step = WORK_PX // BLOCKS
    return np.asarray(images.reshape(-1, BLOCKS, step, BLOCKS, step).sum(axis=(2, 4)).reshape(-1, BLOCKS**2), np.float32)
