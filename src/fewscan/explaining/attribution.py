"""Heat maps: which places of a scan speak for a class, by what the network loses when they are hidden."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from fewscan.evaluation.predictor import Predictor
from fewscan.learning.views import plain
from fewscan.models.network import Outputs

HeatMap = npt.NDArray[np.float32]  # (S, S), larger = more in favor of the class

# All as shares of a scan's side, the last two Gaussian deviations. A window about as large as the smaller lesions, moved by
# half of itself; the blur that hides what is in it is as wide, so that a lesion goes and the brightness around it stays; and
# half a step of smoothing, because between two steps nothing was looked at.
WINDOW_SHARE = 1 / 8
STRIDE_SHARE = 1 / 16
BLUR_SHARE = 1 / 8
SMOOTHING_SHARE = 1 / 32

HIDDEN_AT_ONCE = 64
# On a CPU so few that what the first layers make of them stays in its caches, which takes half the time: 4 scans of 224 px.
PIXELS_AT_ONCE = 4 * 224**2


def heat_map(predictor: Predictor, pixels: npt.NDArray[np.uint8], label: int) -> HeatMap:
    """Return (S, S) float32: by how much the log-odds of class `label` fall when a place of the scan is blurred.

    pixels: (C, S, S) uint8. Log-odds, ln(p / (1 - p)) of the run's probability p, because a probability near 1 hardly moves
    whatever is hidden. See `hidden_map`.
    """

    def logits(images: Tensor) -> Tensor:
        outputs: Outputs = predictor.network(images)
        return outputs.logits.float() / predictor.temperature

    return hidden_map(logits, predictor.device, pixels, label)


def hidden_map(
    logits: Callable[[Tensor], Tensor],
    device: torch.device,
    pixels: npt.NDArray[np.uint8],
    label: int,
    window_share: float = WINDOW_SHARE,
    stride_share: float = STRIDE_SHARE,
) -> HeatMap:
    """Return (S, S) float32: by how much the log-odds of a class fall in what gives `logits` (B, K) of images (B, C, S, S).

    A window slides over the scan, pixels (C, S, S) uint8, and what lies in it is taken from a blurred copy; a pixel's value is
    the mean over the windows that cover it, smoothed: positive where it speaks for the class, negative where against. No
    gradients are needed, so that every encoder and every head can be explained, and nothing is random.
    Source: Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2; Captum's Occlusion.
    """
    from captum.attr import Occlusion

    channels, size_px = pixels.shape[:2]
    window_px, stride_px = (max(1, round(share * size_px)) for share in (window_share, stride_share))
    target = torch.tensor(label, device=device)
    at_once = min(HIDDEN_AT_ONCE, max(1, PIXELS_AT_ONCE // size_px**2)) if device.type == "cpu" else HIDDEN_AT_ONCE

    def score(images: Tensor) -> Tensor:
        return log_odds(logits(images.contiguous(memory_format=torch.channels_last)), target)

    blurred = ndimage.gaussian_filter(pixels.astype(np.float32), (0, *[BLUR_SHARE * size_px] * 2), mode="nearest")
    with torch.no_grad():
        attributed: Tensor = Occlusion(score).attribute(
            plain(torch.from_numpy(np.array(pixels))[None]).to(device),
            baselines=plain(torch.from_numpy(blurred)[None]).to(device),
            sliding_window_shapes=(channels, window_px, window_px),
            strides=(channels, stride_px, stride_px),
            perturbations_per_eval=at_once,
        )
    # Captum gives every channel what the window gave, which covers them all.
    smoothing = stride_share / STRIDE_SHARE * SMOOTHING_SHARE * size_px
    found: HeatMap = ndimage.gaussian_filter(attributed[0, 0].cpu().numpy(), smoothing, mode="nearest")
    return found


def windows(size_px: int) -> int:
    """Return at how many places of a scan `heat_map` looks."""
    window_px, stride_px = (max(1, round(share * size_px)) for share in (WINDOW_SHARE, STRIDE_SHARE))
    return int((1 + np.ceil((size_px - window_px) / stride_px)) ** 2)


def log_odds(logits: Tensor, label: Tensor) -> Tensor:
    """Return (B,) ln(p / (1 - p)) of the softmax probability p of class `label`, an int64 scalar; logits: (B, K)."""
    own = F.one_hot(label, logits.shape[1]).bool()
    others = logits.masked_fill(own, -torch.inf).logsumexp(dim=1)
    return logits[:, label] - others
