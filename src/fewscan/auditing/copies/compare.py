"""Step 4, compare: how far two aligned images show the same, whatever became of contrast and sharpness.

Both are cut into blocks, and the correlation of a block counts as far as both images show something in it: text that was
written on one of them and noise that was lifted in one of them count little, and so that no bright skull outshines the folds
within, no block counts more than three quarters of them do. A less sharp image is compared with the other one blurred;
what differs then counts more, since heads differ less where less is seen.
"""

import numpy as np
import numpy.typing as npt

from fewscan.auditing.copies.images import Floats, blurred, without_contrast

SHARPNESS_PX = 0.8
CONTRAST_PX = 2.5
# Local contrast, as a share of the image's, below which nothing is seen.
FLAT = 0.08
BLOCKS = 12
CAPPED_AT = 0.75
# Blocks with no more than so many pixels that both show are not asked for the cap.
LEAST_SEEN_PX = 4
# Blur in px -> how many times what is missing to full agreement counts.
BLURS = {1.0: 1.5, 2.0: 2.0}
# Pairs below this are not looked at again with one image blurred.
WORTH_BLURRING = 0.65


def likeness(first: Floats, second: Floats, inside: Floats, enough: float = np.inf) -> Floats:
    """Return (P,) in [-1, 1] of aligned images (P, WORK_PX, WORK_PX); only where `inside` is 1 they are compared.

    A pair that is found to be `enough` alike is not looked at again with one image blurred, by which it can only be more alike.
    """
    sharp_a, sharp_b = _seen(first, 0), _seen(second, 0)
    best = agreement(sharp_a, sharp_b, inside)
    worth = best >= WORTH_BLURRING
    for blur_px, strictness in BLURS.items():
        again = np.flatnonzero(worth & (best < enough))
        soft_a = agreement(_seen(first[again], blur_px), sharp_b[again], inside[again])
        soft_b = agreement(sharp_a[again], _seen(second[again], blur_px), inside[again])
        best[again] = np.maximum(best[again], 1 - strictness * (1 - np.maximum(soft_a, soft_b)))
    return best


def _seen(images: Floats, blur_px: float) -> Floats:
    return without_contrast(blurred(images, float(np.hypot(SHARPNESS_PX, blur_px))), CONTRAST_PX, FLAT)


def agreement(a: Floats, b: Floats, inside: Floats, blocks: int = BLOCKS) -> Floats:
    """Return (P,) the mean correlation of blocks x blocks parts of images (P, n, n) without contrast.

    Parts are weighted by the weaker energy of the two up to a cap.
    """
    energy_a, energy_b, together = (_by_block(inside * product, blocks) for product in (a * a, b * b, a * b))
    correlation = together / np.sqrt(energy_a * energy_b + 1e-6)
    weight = np.minimum(energy_a, energy_b)
    weight = np.minimum(weight, _cap(weight, _by_block(inside, blocks) > LEAST_SEEN_PX))
    return np.asarray((correlation * weight).sum(axis=1) / (weight.sum(axis=1) + 1e-9), np.float32)


def _cap(weight: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
    """Return (P, 1) the weight that CAPPED_AT of the blocks seen do not exceed, of (P, blocks squared)."""
    ranked = np.sort(np.where(seen, weight, np.inf), axis=1)
    place = (CAPPED_AT * (np.maximum(seen.sum(axis=1, keepdims=True), 1) - 1)).astype(np.int64)
    return np.asarray(np.take_along_axis(ranked, place, axis=1), np.float32)


def _by_block(images: Floats, blocks: int) -> Floats:
    sums = np.repeat(np.eye(blocks, dtype=np.float32), images.shape[-1] // blocks, axis=1)
    return np.asarray((sums @ images @ sums.T).reshape(-1, blocks**2), np.float32)
